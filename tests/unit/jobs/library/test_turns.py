"""A row belongs to one worker at a time, and to nobody for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from jobs.library import turns
from jobs.models import CopyRole, CopyState, LibraryCopy
from jobs.queue.shutdown import ShutdownRequested, shutdown_requested
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def row(position: int = 1, **facts: object) -> LibraryCopy:
    defaults: dict[str, object] = {"owner": make_user(), "tiktok_id": "7", "position": position}
    return LibraryCopy.objects.create(**(defaults | facts))


def test_a_row_is_taken_once() -> None:
    first = row()
    taken = turns.take()
    assert taken is not None
    assert taken.pk == first.pk
    assert turns.take() is None


def test_a_row_of_a_worker_that_died_is_taken_again_later() -> None:
    row()
    now = timezone.now()
    turns.take(now)
    assert turns.take(now + turns.LEASE - timedelta(seconds=1)) is None
    again = turns.take(now + turns.LEASE + timedelta(seconds=1))
    assert again is not None
    assert again.tries == 2


def taken_until_given_up(now: datetime) -> int:
    """How often a row can be taken that kills each worker."""
    count = 0
    while turns.take(now):
        count += 1
        now += turns.LEASE + timedelta(seconds=1)
    return count


def test_a_row_that_kills_each_worker_is_given_up_and_the_others_are_taken() -> None:
    killer, other = row(1), row(2, not_before=timezone.now() + timedelta(minutes=30))
    now = timezone.now()
    LibraryCopy.objects.filter(pk=other.pk).update(reason="full")
    assert taken_until_given_up(now) > turns.MOST_TRIES
    killer.refresh_from_db()
    assert (killer.state, killer.reason) == (CopyState.FAILED, "internal")


def test_a_row_that_waited_long_for_a_disk_is_not_given_up_for_a_few_deaths() -> None:
    row()
    now = timezone.now()
    for _ in range(50):
        taken = turns.take(now)
        assert taken is not None
        turns.put_off(taken, "full")
        now += timedelta(hours=2)
    assert taken_until_given_up(now) == turns.MOST_TRIES - turns.MOST_WAITS


def test_a_row_that_is_given_back_has_not_been_tried() -> None:
    row(reason="away")
    for _ in range(50):
        taken = turns.take()
        assert taken is not None
        turns.give_back(taken)
    one = LibraryCopy.objects.get()
    assert (one.state, one.tries, one.reason) == (CopyState.WAITING, 0, "away")


def test_what_is_to_be_removed_is_never_given_up() -> None:
    row(state=CopyState.REMOVING, tries=1000, not_before=timezone.now())
    assert turns.take() is not None


def test_a_row_that_was_taken_by_a_clock_that_was_wrong_is_due() -> None:
    one = row()
    now = timezone.now()
    turns.take(now + timedelta(days=30))
    assert turns.in_work([one.pk], now) == set()
    assert turns.take(now) is not None
    assert turns.in_work([one.pk], now) == {one.pk}


def test_nothing_is_put_off_for_longer_than_it_can_be() -> None:
    one = row(tries=1000)
    turns.put_off(one, "full")
    assert turns.take() is None


def test_a_json_comes_after_its_files() -> None:
    row(0, role=CopyRole.STORY)
    media = row()
    first = turns.take()
    assert first is not None
    assert first.pk == media.pk
    assert turns.take() is None
    turns.keep(media, path="a/b")
    last = turns.take()
    assert last is not None
    assert last.role == CopyRole.STORY


def test_pauses_grow_up_to_an_hour() -> None:
    pauses = [turns.pause(tries).total_seconds() for tries in range(20)]
    assert pauses[:3] == [60, 120, 240]
    assert pauses[-1] == 3600
    assert pauses == sorted(pauses)


def test_a_row_that_is_put_off_waits() -> None:
    row()
    taken = turns.take()
    assert taken is not None
    turns.put_off(taken, "full")
    assert turns.take() is None
    assert LibraryCopy.objects.get().reason == "full"


def test_a_row_that_was_forgotten_meanwhile_does_not_wait() -> None:
    row()
    taken = turns.take()
    assert taken is not None
    LibraryCopy.objects.update(state=CopyState.REMOVING)
    turns.put_off(taken, "full")
    again = turns.take()
    assert again is not None
    assert (again.pk, again.state, again.reason) == (taken.pk, CopyState.REMOVING, "")


def test_what_is_to_be_removed_is_not_called_kept() -> None:
    one = row(state=CopyState.REMOVING)
    turns.keep(one, path="a/b", sha256="0" * 64)
    one.refresh_from_db()
    assert (one.state, one.path) == (CopyState.REMOVING, "a/b")


def test_work_says_that_it_goes_on_and_stops_when_it_should(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = row()
    pulse = turns.Pulse(one)
    pulse()
    taken = LibraryCopy.objects.exclude(not_before=None)
    assert not taken.exists()
    monkeypatch.setattr(pulse, "_said_at", float("-inf"))
    pulse()
    assert taken.exists()
    shutdown_requested.set()
    with pytest.raises(ShutdownRequested):
        pulse()
