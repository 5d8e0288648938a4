"""Fairness: whose line is next, and that finding out costs no more with more lines waiting."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from benchmarks.filling import fill_queue, make_owners
from jobs.models import Item
from jobs.queue.claims import claim
from jobs.queue.dispatch import dispatch
from jobs.queue.fairness import count_sent, fair_order, next_line
from jobs.states import ItemState
from tests.factories import make_item, make_job, make_user
from tests.unit.jobs.claims import next_claim
from tests.unit.jobs.conftest import Broker
from tests.unit.jobs.database_work import (
    analyze,
    full_scans,
    on_sqlite,
    statements,
    steps,
    with_and_without_statistics,
)

pytestmark = pytest.mark.django_db


def test_nobody_waits() -> None:
    assert fair_order(timezone.now(), 1) == fair_order(timezone.now(), 8) == []


@pytest.mark.parametrize("limit", [1, 3, 8, 50])
@pytest.mark.parametrize("seed", range(4))
def test_fewest_running_or_ahead_then_the_oldest(limit: int, seed: int) -> None:
    """The order is the same as when all lines are read and each is given its turn."""
    chance, now = random.Random(seed), timezone.now()  # a game
    for owner in make_owners(5):
        for _ in range(chance.randrange(4)):
            job = make_job(owner)
            for _ in range(chance.randrange(1, 5)):
                make_item(
                    job,
                    state=chance.choice([ItemState.QUEUED, ItemState.QUEUED, ItemState.RUNNING]),
                    asked_at=now - timedelta(seconds=chance.randrange(-2, 3)),
                    not_before=chance.choice([None, None, now + timedelta(hours=1)]),
                )
    running = Counter(
        Item.objects.filter(state=ItemState.RUNNING).values_list("owner_id", flat=True)
    )
    ahead: Counter[int] = Counter()
    turns = []
    for item in Item.objects.due(now).order_by("asked_at", "position", "pk"):
        turn = running[item.owner_id] + ahead[item.owner_id]
        yields = item.asked_at > now  # a watch found it, and people go first
        turns.append((yields, turn, item.asked_at, item.position, item.pk))
        ahead[item.owner_id] += 1
    assert fair_order(now, limit) == [item_id for *_, item_id in sorted(turns)[:limit]]


def test_what_people_asked_for_goes_before_what_watches_found() -> None:
    lines = list(make_job(make_user("alice"), links=3).items.order_by("position"))
    now = timezone.now()
    found = make_item(make_job(make_user("nora")), asked_at=now + timedelta(hours=1))
    soon = make_item(make_job(make_user("omar")), asked_at=now + timedelta(minutes=1))
    leaving = make_item(make_job(make_user("pia")), asked_at=now - timedelta(minutes=1))
    asked = [line.pk for line in lines]
    assert fair_order(now, 8) == [leaving.pk, *asked, soon.pk, found.pk]
    for expected in (leaving.pk, *asked, soon.pk, found.pk):
        line = next_line(now)
        assert line is not None
        assert line.item_id == expected
        Item.objects.filter(pk=expected).delete()


def test_lines_the_broker_knows_of_are_left_out() -> None:
    now = timezone.now()
    window = (now - timedelta(seconds=30), now + timedelta(seconds=30))
    job = make_job()
    make_item(job, sent_at=now - timedelta(seconds=1))
    long_ago = make_item(job, sent_at=now - timedelta(minutes=1))
    set_back = make_item(job, sent_at=now + timedelta(minutes=1))
    never = make_item(job)
    make_item(job, sent_at=now, not_before=now + timedelta(minutes=1))
    assert fair_order(now, 8, unsent=window) == [long_ago.pk, set_back.pk, never.pk]
    assert count_sent(now, window) == 1


def test_a_turn_of_somebody_with_one_line_comes_before_the_second_of_all_others() -> None:
    for owner in make_owners(10):
        make_job(owner, links=3)
    single = make_job(make_user("late"), links=1).items.get()
    assert single.pk in fair_order(timezone.now(), 11)


# --- what it costs --------------------------------------------------------------------------------


def cost_of_a_line(lines: int, owners: int, *, statistics: bool) -> int:
    """Steps of SQLite for one turn with so many lines waiting and the broker's window full."""
    fill_queue(make_owners(owners), lines=lines, lines_per_job=10)
    for line in fair_order(timezone.now(), 5):
        claim(line)
    dispatch()
    analyze(statistics)
    sent = Item.objects.filter(state=ItemState.QUEUED).exclude(sent_at=None).first()
    assert sent
    cost = steps(lambda: next_claim(sent.pk))
    Item.objects.all().delete()
    return cost


@on_sqlite
@with_and_without_statistics
def test_a_turn_costs_the_same_however_many_lines_wait(broker: Broker, statistics: bool) -> None:
    few = cost_of_a_line(63, 7, statistics=statistics)
    many = cost_of_a_line(1400, 7, statistics=statistics)
    assert few > 0
    assert many < 1.5 * few


@on_sqlite
@with_and_without_statistics
def test_no_turn_reads_all_lines(broker: Broker, statistics: bool) -> None:
    fill_queue(make_owners(3), lines=60)
    analyze(statistics)
    assert full_scans(dispatch) == []
    assert full_scans(lambda: next_claim(broker.sent[0])) == []


def test_a_line_is_chosen_and_another_one_sent_in_few_statements(broker: Broker) -> None:
    fill_queue(make_owners(4), lines=100)
    dispatch()
    with statements() as run:
        next_claim(broker.sent[0])
    assert len(run) <= 19, "\n".join(sql for sql, _ in run)


@on_sqlite
@with_and_without_statistics
def test_no_turn_reads_all_lines_while_some_are_to_be_tried_alone(
    broker: Broker, statistics: bool
) -> None:
    owners = make_owners(3)
    fill_queue(owners, lines=60)
    Item.objects.filter(owner=owners[0]).update(deaths=1)
    # Where all rows are in one state, newer SQLites find no use in an index by state, nor is there.
    for state in (ItemState.DONE, ItemState.FAILED, ItemState.EMPTY):
        make_item(state=state)
    analyze(statistics)
    dispatch()
    assert full_scans(lambda: next_line(timezone.now(), trusted=True)) == []
    assert full_scans(lambda: next_claim(broker.sent[0])) == []
