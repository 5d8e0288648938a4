"""Which looks are due, and that each is made once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.ephemeral import clock
from jobs.models import Watch, WatchedAccount, WatchGap, WatchState
from jobs.queue import broker, routing
from jobs.upstream import breaker
from jobs.watching import looks, rhythm
from stories.structures import Author
from tests.factories import make_item
from tests.unit.jobs.watching.making import ANNA, account, claimed, watching

pytestmark = pytest.mark.django_db
SetEnv = Callable[..., None]
HOUR = timedelta(hours=1)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What is sent to the broker."""
    messages: list[tuple[str, Any]] = []

    def send(task: str, row_id: Any) -> bool:
        messages.append((task, row_id))
        return True

    monkeypatch.setattr(broker, "send", send)
    return messages


def of(number: int, **facts: Any) -> Watch:
    """A watch of an account of its own."""
    author = Author(id=str(number), name=f"author{number}")
    return watching(f"owner{number}", account(author), **facts)


def test_the_account_whose_time_is_up_first_goes_first() -> None:
    now = timezone.now()
    late = of(1, deadline_at=now + 9 * HOUR)
    soon = of(2, deadline_at=now + 2 * HOUR)
    overdue = of(3, deadline_at=now - HOUR)
    new = of(4, state=WatchState.CHECKING)
    of(5, next_at=now + HOUR)
    expected = [watch.account_id for watch in (new, overdue, soon, late)]
    assert looks.due(now) == expected
    assert looks.due(now, most=2) == expected[:2]


def test_an_account_that_several_watch_is_due_once() -> None:
    now = timezone.now()
    watch = watching("nora", deadline_at=now + 9 * HOUR)
    watching("omar", deadline_at=now + HOUR)
    assert looks.due(now) == [watch.account_id]


def test_ten_are_sent_for_at_a_time_and_the_rest_after_them(sent: list[tuple[str, Any]]) -> None:
    for number in range(1, 14):
        of(number)
    assert looks.tick(timezone.now()) == looks.A_TICK
    assert {task for task, _ in sent} == {routing.LOOK}
    for _, account_id in list(sent):
        assert looks.claim(account_id)
    assert looks.tick(timezone.now()) == 3
    assert len({account_id for _, account_id in sent}) == 13


def test_while_tiktok_refuses_us_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    of(1)
    monkeypatch.setattr(breaker, "open_state", lambda: object())
    assert looks.due(timezone.now()) == []


def test_what_people_asked_for_goes_first_but_for_what_is_urgent() -> None:
    now = timezone.now()
    of(1, deadline_at=now + 9 * HOUR)
    urgent = of(2, deadline_at=now + HOUR / 2)
    asked = of(3, deadline_at=now + 9 * HOUR, checked_at=now, next_at=now)
    make_item()
    now = timezone.now()
    assert looks.due(now) == [urgent.account_id, asked.account_id]


def test_what_watches_found_holds_no_look_up() -> None:
    watch = of(1, deadline_at=timezone.now() + 9 * HOUR)
    make_item(asked_at=timezone.now() + HOUR)
    assert looks.due(timezone.now()) == [watch.account_id]


def test_a_look_is_claimed_once() -> None:
    watch = watching()
    look = looks.claim(watch.account_id)
    assert look is not None
    assert (look.name, look.tiktok_id, look.sec_uid) == ("anna", ANNA.id, ANNA.sec_uid)
    assert looks.claim(watch.account_id) is None
    assert looks.due(timezone.now()) == []
    looks.release(look)
    assert looks.due(timezone.now()) == [watch.account_id]


@pytest.mark.parametrize("since", [looks.LEASE + HOUR, -HOUR])
def test_a_look_whose_worker_died_is_due_again(since: timedelta) -> None:
    """Also when the clock was set back since it began."""
    watch = watching()
    lost = claimed(watch)
    WatchedAccount.objects.update(claimed_at=timezone.now() - since)
    again = looks.claim(watch.account_id)
    assert again is not None
    looks.note_failure(lost, "timed_out")  # it comes back from the dead
    watch.refresh_from_db()
    assert (watch.failures, watch.error_code) == (1, "")
    looks.release(lost)
    assert looks.claim(watch.account_id) is None


def test_a_look_that_ends_its_worker_again_and_again_waits_as_one_that_failed() -> None:
    watch = watching()
    for _ in range(looks.MOST_DEATHS):
        assert looks.claim(watch.account_id) is not None
        WatchedAccount.objects.update(claimed_at=timezone.now() - looks.LEASE - HOUR)
    assert looks.claim(watch.account_id) is None
    watch.refresh_from_db()
    assert watch.error_code == "worker_lost"
    assert looks.due(timezone.now()) == []
    assert looks.due(timezone.now() + 20 * HOUR) == [watch.account_id]


def test_nobody_looks_for_who_has_stopped_watching() -> None:
    watch = watching()
    account_id = watch.account_id
    watch.delete()
    assert looks.claim(account_id) is None


def test_a_look_is_made_for_all_whose_time_it_is_and_for_nobody_else() -> None:
    """Else one could tell by the time of one's own looks that somebody watches beside them."""
    first, second = watching("nora"), watching("omar")
    watching("pia", next_at=timezone.now() + timedelta(minutes=1))
    look = claimed(first)
    assert set(looks.served(look)) == {first, second}


def test_the_shortest_rhythm_holds_for_watches_that_were_begun_before(set_env: SetEnv) -> None:
    watch = watching(every_s=3600)
    set_env(watch_every_min=12 * HOUR)
    looks.note_failure(claimed(watch), "timed_out")
    watch.refresh_from_db()
    assert watch.next_at is not None
    assert watch.next_at > timezone.now() + rhythm.NEAR
    later = [rhythm.next_moment(ANNA.id, 12 * HOUR, timezone.now())]
    assert watch.next_at in later


def test_one_that_is_renewed_at_this_moment_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = of(1, renew_by=timezone.now())

    def renew(*_: object, **__: object) -> list[Watch]:
        stale = list(Watch.objects.select_related("account"))
        Watch.objects.update(renew_by=timezone.now() + 30 * 24 * HOUR)
        return stale

    monkeypatch.setattr(looks, "_unrenewed", renew)
    looks.tick(timezone.now())
    watch.refresh_from_db()
    assert watch.state == WatchState.ACTIVE


def test_a_failed_look_is_counted_and_comes_again_in_time() -> None:
    now = timezone.now()
    watch = watching(deadline_at=now + 4 * HOUR, covered_until=now - 16 * HOUR, failures=3)
    looks.note_failure(claimed(watch), "upstream_down")
    watch.refresh_from_db()
    assert (watch.failures, watch.error_code) == (4, "upstream_down")
    assert watch.looked_at is not None
    assert watch.next_at is not None
    assert now < watch.next_at <= now + 4 * HOUR
    assert watch.covered_until == now - 16 * HOUR
    assert looks.claim(watch.account_id) is None  # not due


def test_who_waits_for_a_first_look_does_not_wait_for_hours() -> None:
    watch = watching(state=WatchState.CHECKING)
    for expected in (2, 4, 8, 16, 30, 30):
        looks.note_failure(claimed(watch), "timed_out")
        watch.refresh_from_db()
        assert watch.next_at is not None
        wait = watch.next_at - timezone.now()
        assert timedelta(minutes=expected - 1) < wait <= timedelta(minutes=expected)
        Watch.objects.update(next_at=timezone.now())


def test_a_watch_that_nobody_renews_ends(sent: list[tuple[str, Any]]) -> None:
    now = timezone.now()
    over, paused = of(1, renew_by=now), of(2, renew_by=now, state=WatchState.PAUSED, next_at=None)
    ended = of(3, renew_by=now, state=WatchState.ENDED, next_at=None, error_code="gone")
    lasting = of(4)
    looks.tick(timezone.now())
    states = [Watch.objects.get(pk=watch.pk).state for watch in (over, paused, lasting)]
    assert states == [WatchState.ENDED, WatchState.ENDED, WatchState.ACTIVE]
    assert Watch.objects.get(pk=ended.pk).error_code == "gone"
    assert [account_id for _, account_id in sent] == [lasting.account_id]


@pytest.mark.usefixtures("sent")
def test_what_was_refused_goes_an_hour_later() -> None:
    now = timezone.now()
    ended: dict[str, Any] = {"state": WatchState.ENDED, "next_at": None}
    long_ago, just_now = now - HOUR - timedelta(minutes=1), now - HOUR + timedelta(minutes=1)
    of(1, **ended, looked_at=long_ago, name="")
    kept = [
        of(2, **ended, looked_at=just_now, name=""),
        of(3, **ended, looked_at=long_ago, name="anna"),
        of(4, looked_at=long_ago, name=""),
    ]
    looks.tick(now)
    assert set(Watch.objects.all()) == set(kept)
    assert WatchedAccount.objects.count() == 3


def test_old_gaps_and_accounts_that_nobody_watches_go(sent: list[tuple[str, Any]]) -> None:
    now = timezone.now()
    watch = watching()
    for days in (29, 31):
        at = now - timedelta(days=days)
        WatchGap.objects.create(watch=watch, begins_at=at - HOUR, ends_at=at)
    WatchedAccount.objects.create(name="left")
    looks.tick(now)
    assert WatchGap.objects.count() == 1
    assert WatchedAccount.objects.get().name == "anna"
    assert len(sent) == 1


def test_switched_off_nothing_is_looked_for(set_env: SetEnv, sent: list[Any]) -> None:
    watching()
    set_env(watches="off")
    assert looks.tick(timezone.now()) == 0
    assert sent == []


def test_a_broker_that_takes_nothing_is_not_asked_ten_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []

    def refuse(*message: object) -> bool:
        asked.append(message)
        return False

    monkeypatch.setattr(broker, "send", refuse)
    of(1)
    of(2)
    assert looks.tick(timezone.now()) == 0
    assert len(asked) == 1


def test_a_clock_that_was_set_back_has_all_looked_at(sent: list[tuple[str, Any]]) -> None:
    """When the last look was, nobody knows by such a clock."""
    now = timezone.now()
    ahead = now + 5 * HOUR
    watch = of(1, next_at=ahead + 6 * HOUR, deadline_at=ahead + 20 * HOUR, covered_until=ahead)
    right = of(2, next_at=now + HOUR, deadline_at=now + 19 * HOUR)
    paused = of(3, state=WatchState.PAUSED, next_at=None, deadline_at=ahead + 20 * HOUR)
    untrue = WatchGap.objects.create(watch=watch, begins_at=now - HOUR, ends_at=ahead)
    WatchGap.objects.create(watch=watch, begins_at=now - 9 * HOUR, ends_at=now - 8 * HOUR)
    looks.tick(now)
    assert [account_id for _, account_id in sent] == [watch.account_id]
    assert untrue not in WatchGap.objects.all()
    assert WatchGap.objects.count() == 1
    right.refresh_from_db()
    paused.refresh_from_db()
    assert (right.next_at, paused.next_at) == (now + HOUR, None)


def test_a_clock_that_jumped_forward_ends_nothing(
    sent: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = of(1, renew_by=timezone.now() - HOUR)
    monkeypatch.setattr(clock.watch, "was_set_forward", lambda _: True)
    looks.tick(timezone.now())
    watch.refresh_from_db()
    assert watch.state == WatchState.ACTIVE
