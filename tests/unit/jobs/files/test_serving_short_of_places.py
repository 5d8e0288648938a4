"""Whose download makes room where each holds a thread, and all places are taken."""

from __future__ import annotations

import pytest

from jobs.errors import TooManyDownloads
from jobs.files import serving
from jobs.files.serving import LEAST_RATE, DownloadSlots

PLACES = 8


class Line:
    """A download's line, taken at so many bytes a second."""

    def __init__(self, rate: float | None) -> None:
        self.rate, self.is_given_up = rate, False

    def give_up(self) -> None:
        self.is_given_up = True


@pytest.fixture
def slots(monkeypatch: pytest.MonkeyPatch) -> DownloadSlots:
    """With PLACES of them."""
    monkeypatch.setattr(serving, "downloads_at_once", lambda: PLACES)
    return DownloadSlots()


def take(slots: DownloadSlots, user_id: str, *rates: float | None) -> list[Line]:
    """Downloads of a user with these rates."""
    lines = [Line(rate) for rate in rates]
    for line in lines:
        slots.take(user_id, line)
    return lines


def given_up(lines: list[Line]) -> list[float | None]:
    """The rates of those that were."""
    return [line.rate for line in lines if line.is_given_up]


def test_the_slowest_of_whoever_has_most_makes_room(slots: DownloadSlots) -> None:
    alices = take(slots, "alice", 300.0, 200.0, 9 * LEAST_RATE, 400.0)
    bobs = take(slots, "bob", 100.0, 500.0, 600.0)
    carols = take(slots, "carol", 50.0)
    daves = take(slots, "dave", None)
    assert given_up([*alices, *bobs, *carols, *daves]) == [200.0]
    assert slots.total() == PLACES
    take(slots, "dave", None)
    assert given_up(bobs) in ([], [100.0])  # both have three by now
    assert len(given_up([*alices, *bobs])) == 2


def test_a_given_up_download_gives_no_second_place_back(slots: DownloadSlots) -> None:
    line = Line(1.0)
    place = slots.take("alice", line)
    take(slots, "alice", None)
    for user_id in ("bob", "carol", "dave"):
        take(slots, user_id, None, None)
    take(slots, "erin", None)
    assert line.is_given_up
    for _ in range(2):
        slots.give_back(place)
    assert slots.total() == PLACES


@pytest.mark.parametrize("rate", [None, float(LEAST_RATE)])
def test_who_is_fast_enough_or_not_waited_for_stays(
    slots: DownloadSlots, rate: float | None
) -> None:
    lines = take(slots, "alice", *[rate] * 4) + take(slots, "bob", *[rate] * 4)
    with pytest.raises(TooManyDownloads):
        slots.take("carol")
    assert given_up(lines) == []


def test_who_has_as_many_takes_nobodys_place(slots: DownloadSlots) -> None:
    lines = [line for user_id in "abcd" for line in take(slots, user_id, 1.0, 1.0)]
    with pytest.raises(TooManyDownloads):
        slots.take("a", Line(None))
    assert given_up(lines) == []
    take(slots, "e", None)
    assert given_up(lines) == [1.0]
