"""Turns on PostgreSQL: several processes choose at once, and none waits for another."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from jobs.models import Item, Package
from jobs.queue import broker
from jobs.queue.claims import Claim
from jobs.queue.fairness import Window, fair_order
from jobs.queue.turns import CHOICES, Taken, mark_sent, take
from jobs.states import ItemState
from tests.factories import make_item, make_job, make_user
from tests.unit.jobs.claims import row
from tests.unit.jobs.database_work import statements

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL locks rows"),
]
S = ItemState
T = TypeVar("T")


def window(now: datetime) -> Window:
    return now - broker.EXPIRES_AFTER, now + broker.EXPIRES_AFTER


def take_now() -> Taken | None:
    now = timezone.now()
    return take(now, window(now))


def in_threads(count: int, act: Callable[[], T]) -> list[T]:
    """What so many threads get that act at the same moment, each over its own connection."""
    together = threading.Barrier(count)

    def run() -> T:
        try:
            connection.ensure_connection()
            together.wait(20)
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as threads:
        return [future.result(30) for future in [threads.submit(run) for _ in range(count)]]


def test_a_line_is_chosen_and_claimed_in_one_statement() -> None:
    item = make_item(not_before=timezone.now() - timedelta(seconds=1), error_code="timed_out")
    with statements() as run:
        taken = take_now()
    assert taken == Taken(Claim(item.pk, 1), was_sent=False, in_broker=0)
    assert len(run) == 1
    claimed = row(taken.claim)
    assert (claimed.state, claimed.not_before, claimed.error_code) == (S.RUNNING, None, "")
    assert claimed.claimed_at == claimed.heartbeat_at is not None
    assert claimed.holder
    assert take_now() is None


def test_what_waits_and_what_is_to_be_tried_alone_is_not_taken() -> None:
    now = timezone.now()
    make_item(not_before=now + timedelta(minutes=1))
    suspect = make_item(deaths=1)
    make_item(suspect.job)
    assert take_now() is None
    assert Item.objects.filter(state=S.RUNNING).count() == 0


def test_lines_are_taken_in_the_order_of_their_turns() -> None:
    for name, links in (("alice", 5), ("bob", 3), ("carol", 1)):
        make_job(make_user(name), links=links)
    make_item(Item.objects.filter(owner__username="carol").get().job, state=S.RUNNING)
    expected = fair_order(timezone.now(), 9)
    taken = [take_now() for _ in expected]
    assert [one.claim.item_id for one in taken if one] == expected


def test_what_a_watch_found_is_taken_after_what_people_asked_for() -> None:
    asked = list(make_job(make_user("alice"), links=2).items.order_by("position"))
    ahead = timezone.now() + timedelta(hours=1)
    found = make_item(make_job(make_user("bob")), asked_at=ahead)
    taken = [take_now() for _ in range(3)]
    assert [one.claim.item_id for one in taken if one] == [*(item.pk for item in asked), found.pk]


def test_it_says_what_the_broker_still_has() -> None:
    now = timezone.now()
    job = make_job()
    make_item(job, sent_at=now - timedelta(seconds=1))
    for age in (2, 3, 60):
        make_item(job, sent_at=now - timedelta(seconds=age))
    make_item(job)
    first, second = take(now, window(now)), take(now, window(now))
    assert first
    assert second
    assert (first.was_sent, first.in_broker, first.package_waits) == (True, 2, False)
    Package.objects.create(job=job, owner=job.owner)
    third = take(now, window(now))
    assert third
    assert (third.was_sent, third.in_broker, third.package_waits) == (True, 0, True)
    fourth = take(now, window(now))
    assert fourth
    assert not fourth.was_sent


@pytest.mark.parametrize("owners", [1, 5])
def test_of_many_that_choose_at_once_each_takes_another_line(owners: int) -> None:
    for number in range(owners):
        make_job(make_user(f"person{number}"), links=40 // owners)

    def several() -> list[Taken | None]:
        # Where the few that one chooses from were taken meanwhile it looks again.
        return [take_now() or take_now() or take_now() for _ in range(10)]

    taken = [one for own in in_threads(CHOICES, several) for one in own]
    ids = [one.claim.item_id for one in taken if one]
    assert len(ids) == len(set(ids)) == 40
    assert set(Item.objects.values_list("state", "attempt")) == {(S.RUNNING, 1)}


def test_many_that_choose_at_once_are_fair() -> None:
    """Nobody's lines go before another's by more than there are processes beside it."""
    for number in range(4):
        make_job(make_user(f"person{number}"), links=20)

    def several() -> list[Taken | None]:
        return [take_now() or take_now() or take_now() for _ in range(10)]

    in_threads(CHOICES, several)
    running = Counter(Item.objects.filter(state=S.RUNNING).values_list("owner_id", flat=True))
    assert sum(running.values()) == 40
    assert max(running.values()) - min(running.values()) <= CHOICES


def test_a_line_that_somebody_has_locked_is_not_waited_for() -> None:
    first, second = make_job(links=2).items.order_by("position")
    locked, over = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            list(Item.objects.filter(pk=first.pk).select_for_update())
            locked.set()
            over.wait(20)
        connections.close_all()

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        assert locked.wait(20)
        assert (taken := take_now())
        assert taken.claim.item_id == second.pk
        assert take_now() is None
    finally:
        over.set()
        holding.join()


def test_messages_are_marked_in_one_statement_and_as_many_as_there_is_room_for() -> None:
    now = timezone.now()
    make_job(make_user("alice"), links=6)
    make_job(make_user("bob"), links=2)
    expected = fair_order(now, 5)
    with statements() as run:
        assert mark_sent(now, window(now), 5) == expected
    assert len(run) == 1
    assert mark_sent(now, window(now), 5) == []
    following = fair_order(now, 2, unsent=window(now))
    assert mark_sent(now, window(now), 7) == following
    later = now + broker.EXPIRES_AFTER
    assert len(mark_sent(later, window(later), 5)) == 5


def test_of_many_that_send_at_once_none_sends_twice() -> None:
    make_job(links=30)

    def send() -> list[object]:
        now = timezone.now()
        return list(mark_sent(now, window(now), 8))

    sent = [item_id for ids in in_threads(4, send) for item_id in ids]
    assert len(sent) == len(set(sent))
    assert 8 <= len(sent) <= 8 * 4
