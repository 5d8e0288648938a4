"""The pack of the instance: imported, taken up by every process, gone back from."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection

from jobs.choices import PackOrigin
from jobs.models import ProtocolPack
from jobs.upstream import protocol
from jobs.upstream.protocol import PackChanged, PackInUse, State
from stories.hosts import is_media_host
from stories.protocol import acceptance
from stories.protocol.current import built_in, current
from stories.protocol.pack import Pack
from stories.protocol.parsing import parse
from stories.protocol.reading import PackRefused
from tests import packs

pytestmark = pytest.mark.django_db

FIRST, SECOND, THIRD = "2040-01-01.9", "2040-01-01.10", "2041-06-01.1"


@pytest.fixture(autouse=True)
def _trusting(set_env: Callable[..., None]) -> None:
    """The tests' key is trusted on this instance."""
    set_env(protocol_key=packs.PUBLIC_TEXT)


def store(version: str, origin: PackOrigin = PackOrigin.FILE) -> Pack:
    return protocol.store(packs.signed(version=version), origin)


def in_use() -> str:
    return str(protocol.look(at_once=True).pack.version)


def reason(envelope: bytes, origin: PackOrigin = PackOrigin.FILE) -> str:
    with pytest.raises(PackRefused) as caught:
        protocol.store(envelope, origin)
    return caught.value.reason


BUILT_IN = str(built_in().version)


# --- importing ------------------------------------------------------------------------------------


def test_without_one_the_built_in_pack_is_in_use() -> None:
    assert protocol.look(at_once=True) == State(pack=built_in())
    assert current() is built_in()


def test_a_signed_pack_is_in_use_once_imported() -> None:
    def change(facts: dict[str, Any]) -> None:
        facts["hosts"]["media"].append("byteicdn.com")

    assert not is_media_host("p16.byteicdn.com")
    protocol.store(packs.signed(change, version=FIRST), PackOrigin.FILE)
    assert in_use() == FIRST
    assert is_media_host("p16.byteicdn.com")
    state = protocol.look()
    assert (state.origin, state.unused, state.refused) == ("file", "", None)
    assert state.imported_at is not None


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        (b"", "not_json"),
        (b"{}", "malformed"),
        (b" " * 300_000, "too_large"),
        (packs.text(), "unsigned"),
        (packs.signed(private=bytes(32)), "unknown_key"),
        (packs.signed(version=BUILT_IN), "same"),
        (packs.signed(version="2020-01-01.1"), "older_than_built_in"),
        (packs.signed(lambda facts: facts.update(minimum_app="99.0")), "newer_app"),
        (packs.signed(lambda facts: facts.update(format=2)), "wrong_format"),
        (packs.signed(lambda facts: facts.update(cookie="a=b")), "unknown_field"),
        (packs.signed(lambda facts: facts["hosts"]["page"].append("evil.example")), "foreign_host"),
        (packs.signed().replace(b"1988", b"1989"), "bad_signature"),
    ],
)
def test_whatever_is_refused_leaves_everything_as_it_was(envelope: bytes, expected: str) -> None:
    assert reason(envelope) == expected
    assert not ProtocolPack.objects.exists()
    assert current() is built_in()


def test_an_older_pack_is_refused_and_the_same_one_twice() -> None:
    store(SECOND)
    assert reason(packs.signed(version=FIRST)) == "older"
    assert reason(packs.signed(version=SECOND)) == "same"
    assert store(THIRD)
    assert in_use() == THIRD


def test_a_pack_can_be_looked_at_without_importing_it() -> None:
    assert str(protocol.check(packs.signed(version=FIRST)).version) == FIRST
    assert in_use() == BUILT_IN
    store(SECOND)
    with pytest.raises(PackRefused):
        protocol.check(packs.signed(version=FIRST))
    assert protocol.differences(packs.signed()).count == 0


def test_the_last_ten_are_kept() -> None:
    for number in range(1, 14):
        store(f"2040-01-01.{number}")
    kept = [row.version for row in protocol.history()]
    assert kept == [f"2040-01-01.{number}" for number in range(13, 3, -1)]
    assert in_use() == "2040-01-01.13"


# --- going back -----------------------------------------------------------------------------------


def test_going_back_leads_to_the_one_before_and_then_to_the_built_in_one() -> None:
    store(FIRST)
    store(SECOND)
    assert str(protocol.revert(SECOND).version) == FIRST
    assert in_use() == FIRST
    assert protocol.revert(FIRST) is built_in()
    assert in_use() == BUILT_IN


def test_a_pack_somebody_went_back_from_is_not_gone_back_to() -> None:
    store(FIRST)
    protocol.revert(FIRST)
    store(SECOND)
    assert protocol.revert(SECOND) is built_in()


def test_nor_is_one_that_is_not_valid_any_more() -> None:
    store(FIRST)
    ProtocolPack.objects.filter(version=FIRST).update(envelope="damaged")
    ProtocolPack.objects.update(active=False)
    store(SECOND)
    assert protocol.revert(SECOND) is built_in()


def test_a_second_tab_changes_nothing() -> None:
    store(FIRST)
    store(SECOND)
    protocol.revert(SECOND)
    for version in (SECOND, "", THIRD, "'; DROP TABLE jobs_item"):
        with pytest.raises(PackChanged):
            protocol.revert(version)
    assert in_use() == FIRST


def test_a_pack_gone_back_from_comes_again_by_hand_and_never_by_itself() -> None:
    store(SECOND)
    protocol.revert(SECOND)
    for version in (FIRST, SECOND):
        assert reason(packs.signed(version=version), PackOrigin.WEEKLY) == "dropped"
    assert in_use() == BUILT_IN
    store(THIRD, PackOrigin.WEEKLY)
    protocol.revert(THIRD)
    store(SECOND)
    assert in_use() == SECOND
    assert ProtocolPack.objects.get(version=SECOND).dropped_at is None


# --- other processes, upgrades --------------------------------------------------------------------


def test_another_process_takes_it_up_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    other, now = PackInUse(), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert str(other.look().pack.version) == BUILT_IN
    store(FIRST)
    assert str(other.look().pack.version) == BUILT_IN, "it looked a moment ago"
    now[0] += protocol.LOOK_EVERY_S
    assert str(other.look().pack.version) == FIRST
    protocol.revert(FIRST)
    now[0] += protocol.LOOK_EVERY_S
    assert str(other.look().pack.version) == BUILT_IN


def test_a_look_costs_one_small_query_and_none_in_between(
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    store(FIRST)
    with django_assert_num_queries(1) as queries:
        protocol.look(at_once=True)
    assert "envelope" not in queries.captured_queries[0]["sql"]
    with django_assert_num_queries(0):
        protocol.look()


def test_a_process_that_starts_checks_what_is_stored() -> None:
    store(FIRST)
    assert str(PackInUse().look().pack.version) == FIRST
    ProtocolPack.objects.update(
        envelope=packs.signed(version=FIRST).decode().replace("1988", "1989")
    )
    state = PackInUse().look()
    assert state.pack is built_in()
    assert state.unused == FIRST
    assert state.refused is not None
    assert state.refused.reason == "bad_signature"
    assert current() is built_in()


def test_a_key_that_is_trusted_no_more_is_a_reason_and_a_newer_pack_mends_it(
    set_env: Callable[..., None],
) -> None:
    other = bytes([7]) * 32
    envelope = packs.signed(version=SECOND)
    protocol.store(envelope, PackOrigin.FILE)
    set_env(protocol_key=None)
    state = PackInUse().look()
    assert state.refused is not None
    assert (state.pack, state.refused.reason) == (built_in(), "unknown_key")
    set_env(protocol_key=packs.public_text(other))
    # Older than the one that cannot be used, and the newest that can.
    protocol.store(packs.signed(version=FIRST, private=other), PackOrigin.FILE)
    assert in_use() == FIRST


def test_after_an_upgrade_the_newer_built_in_pack_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    store(FIRST)
    upgraded = parse(packs.text(version=THIRD), None)
    for module in (protocol, acceptance):
        monkeypatch.setattr(module, "built_in", lambda: upgraded)
    state = PackInUse().look()
    assert (state.pack, state.unused) == (upgraded, FIRST)
    assert state.refused is not None
    assert state.refused.reason == "older_than_built_in"
    assert reason(packs.signed(version=SECOND)) == "older_than_built_in"
    # Also one of the same version.
    protocol.in_use.forget()
    same = parse(packs.text(version=FIRST), None)
    for module in (protocol, acceptance):
        monkeypatch.setattr(module, "built_in", lambda: same)
    assert PackInUse().look().pack is same


def test_while_the_database_is_away_what_was_known_goes_on() -> None:
    store(FIRST)

    def away(*_: Any) -> None:
        raise OperationalError("no")

    with connection.execute_wrapper(away):
        assert in_use() == FIRST
        assert not protocol.in_use.known
        fresh = PackInUse()
        assert fresh.look().pack is built_in()
        assert fresh.look().pack is built_in()
    assert in_use() == FIRST
    assert protocol.in_use.known


def test_a_row_that_is_no_text_of_ours_is_passed_over() -> None:
    ProtocolPack.objects.create(version=FIRST, envelope="\ufffd\0"[:1], how="file", active=True)
    state = protocol.look(at_once=True)
    assert state.refused is not None
    assert (state.pack, state.refused.reason) == (built_in(), "not_json")
