"""Dispatch: whose turn it is, and which messages the broker gets."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from unittest.mock import MagicMock
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from jobs.housekeeping import reaper
from jobs.models import Item, Package
from jobs.queue import broker as messages
from jobs.queue import claims
from jobs.queue.claims import Claim
from jobs.queue.dispatch import REFILL, WINDOW, dispatch, reject_message
from jobs.queue.fairness import NextLine
from jobs.states import ItemState
from jobs.upstream import breaker
from stories.errors import Refused
from tests.factories import make_item, make_job, make_user
from tests.unit.jobs.claims import claimed, next_claim, row
from tests.unit.jobs.conftest import Broker

pytestmark = pytest.mark.django_db
S = ItemState


def test_only_a_window_is_sent(broker: Broker) -> None:
    make_job(links=20)
    assert dispatch() == WINDOW
    assert dispatch() == 0
    assert len(set(broker.sent)) == WINDOW
    claims.claim(broker.sent[0])
    assert dispatch() == 1


def test_owners_take_turns(broker: Broker) -> None:
    make_job(make_user("alice"), links=40)
    bobs = make_job(make_user("bob"), links=2)
    dispatch()
    assert set(broker.sent[:4]) > set(bobs.items.values_list("pk", flat=True))


def test_who_has_items_running_stands_behind(broker: Broker) -> None:
    alices = make_job(make_user("alice"), links=9)
    for item in list(alices.items.order_by("position"))[:8]:
        claimed(item)
    bobs = make_job(make_user("bob"), links=8)
    dispatch()
    first_to_last = bobs.items.order_by("position")
    assert broker.sent == list(first_to_last.values_list("pk", flat=True))


def test_a_turn_goes_to_whoever_was_served_least(broker: Broker) -> None:
    """Forty lines are in the broker already when another user's one line comes."""
    alices = make_job(make_user("alice"), links=40)
    dispatch()
    first = broker.sent[0]
    running = next_claim(first)
    assert running == Claim(first, 1)
    dispatch()
    bobs = make_job(make_user("bob"), links=1).items.get()
    dispatch()
    assert bobs.pk not in broker.sent  # the window is full
    claim = next_claim(broker.sent[1])
    assert claim
    assert claim.item_id == bobs.pk
    assert alices.items.get(pk=broker.sent[1]).state == S.QUEUED
    dispatch()
    assert broker.sent.count(broker.sent[1]) == 2  # the one that gave way is sent again


def test_a_message_is_the_turn_of_whichever_line_is_next(broker: Broker) -> None:
    """The line that is taken was sent, too: its message, still to come, is the turn of the one
    that gave way, and nothing is sent again."""
    alices, bobs = make_job(make_user("alice"), links=2), make_job(make_user("bob"), links=2)
    dispatch()
    first, second = alices.items.order_by("position")
    assert next_claim(second.pk) == Claim(first.pk, 1)
    assert next_claim(first.pk) == Claim(bobs.items.order_by("position")[0].pk, 1)
    assert Item.objects.filter(state=S.QUEUED, sent_at__isnull=False).count() == 2
    assert len(broker.sent) == 4


def test_a_claim_has_messages_sent_once_there_is_room_for_several(broker: Broker) -> None:
    make_job(links=20)
    dispatch()
    sent = []
    for message in broker.sent[:WINDOW]:
        assert next_claim(message)
        sent.append(len(broker.sent) - WINDOW)
    assert sent == [0, 0, 0, REFILL, REFILL, REFILL, REFILL, 2 * REFILL]


def test_a_claim_has_a_package_sent_at_once(broker: Broker) -> None:
    job = make_job(links=9)
    dispatch()
    package = Package.objects.create(job=job, owner=job.owner)
    if connection.vendor == "postgresql":  # elsewhere with the next messages of lines
        assert next_claim(broker.sent[0])
    dispatch()
    assert broker.sent.count(package.pk) == 1


def test_a_turn_that_goes_to_a_line_that_was_not_sent_leaves_no_line_without_one(
    broker: Broker,
) -> None:
    first, second = make_job(make_user("alice"), links=2).items.order_by("position")
    dispatch()
    assert next_claim(second.pk) == Claim(first.pk, 1)  # what stands for the second line now …
    (bobs,) = make_job(make_user("bob"), links=1).items.all()
    assert next_claim(first.pk) == Claim(bobs.pk, 1)  # … is used up
    assert broker.sent[-1] == second.pk
    assert len(broker.sent) == 3


def test_a_line_whose_turn_was_anothers_before_leaves_no_line_without_one(broker: Broker) -> None:
    """Its message is all there was; the other line's mark stands for none."""
    first, second = make_job(links=2).items.order_by("position")
    Item.objects.filter(pk=second.pk).update(sent_at=timezone.now())
    assert next_claim(first.pk) == Claim(first.pk, 1)
    assert broker.sent == [second.pk]


def test_a_turn_is_given_back_though_its_line_is_taken_meanwhile(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, second = make_job(links=2).items.order_by("position")
    assert claims.claim(taken.pk)
    Item.objects.filter(pk=second.pk).update(sent_at=timezone.now())
    seen = iter([taken.pk, second.pk])
    monkeypatch.setattr("jobs.queue.dispatch.first_sent", lambda *_: next(seen))
    reject_message(uuid4())
    assert dispatch() == 1
    assert broker.sent == [second.pk]


def test_a_mark_whose_message_has_expired_is_not_given_back_for_one_that_is_used_up(
    broker: Broker,
) -> None:
    stale, fresh = make_job(links=2).items.order_by("position")
    now = timezone.now()
    expired = now - messages.EXPIRES_AFTER - timedelta(seconds=1)
    Item.objects.filter(pk=stale.pk).update(sent_at=expired)
    Item.objects.filter(pk=fresh.pk).update(sent_at=now)
    reject_message(uuid4())
    assert dispatch() == 2
    assert set(broker.sent) == {stale.pk, fresh.pk}


def test_a_turn_that_is_given_back_is_sent_again_whichever_line_it_named(broker: Broker) -> None:
    first, second = make_job(links=2).items.order_by("position")
    dispatch()
    assert next_claim(second.pk) == Claim(first.pk, 1)
    reject_message(first.pk)  # the message that stood for the second line
    assert dispatch() == 1
    assert broker.sent[-1] == second.pk


def test_a_message_that_comes_twice_does_no_work_twice(broker: Broker) -> None:
    item = make_item()
    assert next_claim(item.pk)
    assert next_claim(item.pk) is None
    assert row(Claim(item.pk, 1)).attempt == 1


def test_what_waits_is_not_sent(broker: Broker) -> None:
    make_item(not_before=timezone.now() + timedelta(minutes=1))
    assert dispatch() == 0


def test_lost_messages_are_sent_again(broker: Broker) -> None:
    item = make_item(sent_at=timezone.now() - messages.EXPIRES_AFTER)
    assert reaper.requeue_stalled(timezone.now()).sent == 1
    assert broker.sent == [item.pk]


def test_while_the_broker_is_away_nothing_is_lost(broker: Broker) -> None:
    item = make_item()
    package = Package.objects.create(job=item.job, owner=item.owner)
    broker.up = False
    assert dispatch() == 0
    broker.up = True
    assert dispatch() == 2
    assert set(broker.sent) == {item.pk, package.pk}
    assert set(broker.tasks) == {messages.FETCH_ITEM, messages.PACK_PACKAGE}


def test_while_tiktok_refuses_a_turn_is_put_back(broker: Broker) -> None:
    until = breaker.open_for(Refused())
    job = make_job(links=2)
    first, second = job.items.all()
    assert next_claim(first.pk) is None
    for item in (first, second):
        item.refresh_from_db()
        assert (item.state, item.not_before, item.error_code) == (S.QUEUED, until, "refused")
    assert first.tries == 0
    assert broker.sent == []


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_what_another_has_in_hand_is_not_waited_for(broker: Broker) -> None:
    """Two that mark the same rows in different orders would wait for each other."""
    job = make_job(links=2)
    first, second = job.items.order_by("position")
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
        assert dispatch() == 1
        assert broker.sent == [second.pk]
    finally:
        over.set()
        holding.join()


def test_threads_of_a_process_do_not_reach_for_the_same_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting, lost = [uuid4() for _ in range(4)], []
    meeting = threading.Barrier(2)

    def choose(*_: object, **__: object) -> NextLine:
        chosen = waiting[0]
        with suppress(threading.BrokenBarrierError):
            meeting.wait(0.2)  # whoever chooses at the same time has chosen alike by then
        return NextLine(chosen, alone=False)

    def take(item_id: UUID) -> Claim | None:
        if item_id not in waiting:
            lost.append(item_id)
            return None
        waiting.remove(item_id)
        return Claim(item_id, 1)

    for name, stand_in in {
        "Item": MagicMock(),
        "connection": MagicMock(vendor="sqlite"),
        "count_sent": lambda *_: WINDOW,
        "next_line": choose,
        "claim": take,
        "dispatch": lambda: 0,
    }.items():
        monkeypatch.setattr(f"jobs.queue.dispatch.{name}", stand_in)
    monkeypatch.setattr(breaker, "probe", lambda: None)
    with ThreadPoolExecutor(4) as threads:
        claims_made = list(threads.map(next_claim, list(waiting)))
    assert all(claims_made)
    assert lost == []


def test_who_has_a_line_in_hand_goes_on_when_nobody_can_be_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def locked() -> None:
        raise OperationalError("deadlock detected")

    monkeypatch.setattr("jobs.queue.dispatch.dispatch", locked)
    item = make_item()
    make_item(item.job)
    assert next_claim(item.pk) == Claim(item.pk, 1)
