"""What stands for names, ids and times is the same every time, and says what the reader needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stories.links import is_name
from stories.neutral.substitutes import REFERENCE, Substitutes, is_digits
from stories.wire.values import as_id, as_instant, as_instant_ms

BEGAN = datetime(2026, 11, 30, 5, 0, tzinfo=UTC)


@pytest.fixture
def subs() -> Substitutes:
    return Substitutes(BEGAN)


def test_names_are_one_whatever_their_case(subs: Substitutes) -> None:
    assert subs.known_name("alice") is None
    assert subs.name("Alice") == subs.name("alice") == subs.known_name("ALICE") == "user1"
    assert subs.name("bob") == "user2"
    assert is_name(subs.name("carol"))


def test_tokens_and_long_ids_are_told_apart(subs: Substitutes) -> None:
    long = "MS4wLjABAAAA" + "x" * 64
    assert subs.sec_uid(long) == subs.sec_uid(long) != subs.sec_uid(long + "y")
    assert subs.token("a") == subs.token("a") != subs.token("b")
    assert len(subs.hex_32("f" * 32)) == 32


def test_the_moment_of_the_recording_becomes_the_reference(subs: Substitutes) -> None:
    assert subs.moment(BEGAN) == REFERENCE
    assert subs.seconds(int(BEGAN.timestamp())) == int(REFERENCE.timestamp())
    later = int((BEGAN + timedelta(hours=2)).timestamp() * 1000) + 7
    expected = int((REFERENCE + timedelta(hours=2)).timestamp() * 1000) + 7
    assert subs.number(later) == expected


def test_an_id_keeps_its_time_and_nothing_else(subs: Substitutes) -> None:
    seconds = int(BEGAN.timestamp()) - 60
    first, second = ((seconds << 32) | low for low in (12345, 99999))
    made = [int(subs.item_id(str(number))) for number in (first, second, first)]
    assert made[0] == made[2] != made[1]
    assert {number >> 32 for number in made} == {int(REFERENCE.timestamp()) - 60}
    assert all(number & 0xFFFFFFFF < 10 for number in made)


@settings(deadline=None)
@given(st.integers(-(10**25), 10**25), st.booleans())
def test_a_number_is_read_as_what_it_was(number: int, is_id: bool) -> None:
    subs = Substitutes(BEGAN)
    made = subs.number(number, is_id=is_id)
    assert (made > 0) == (number > 0)
    assert (made == 0) == (number == 0)
    assert (as_id(made) is None) == (as_id(number) is None)
    assert subs.number(number, is_id=is_id) == made
    if not is_id and abs(number) < 10**14:
        assert (as_instant(made) is None) == (as_instant(number) is None)
        assert (as_instant_ms(made) is None) == (as_instant_ms(number) is None)


@settings(deadline=None)
@given(st.sets(st.integers(10**14, 10**20), min_size=2, max_size=50))
def test_ids_are_told_apart(numbers: set[int]) -> None:
    subs = Substitutes(BEGAN)
    assert len({subs.number(number) for number in numbers}) == len(numbers)


def test_digits() -> None:
    assert is_digits("-12")
    assert not any(map(is_digits, ("", "1.0", "+1", "１", " 1", "1" * 401)))
