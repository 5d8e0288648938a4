"""Lines that were in hand at a death: tried one at a time, and fairly with all others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from jobs.models import Item, Package, PackageState
from jobs.queue import dispatch as dispatching
from jobs.queue.claims import Claim, claim
from jobs.queue.dispatch import be_alone_in_turn, claim_next
from jobs.queue.fairness import NextLine, next_line
from jobs.queue.in_hand import InHand, Place
from jobs.states import ItemState
from jobs.upstream import breaker
from stories.errors import Refused
from tests.factories import make_item, make_job, make_user
from tests.unit.jobs.claims import row
from tests.unit.jobs.conftest import Broker

pytestmark = pytest.mark.django_db
S = ItemState


class Clock:
    """Seconds that go forward when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> InHand:
    """What the process of the test has in hand: nothing."""
    empty = InHand(now=clock)
    monkeypatch.setattr(dispatching, "in_hand", empty)
    return empty


@pytest.fixture
def place(hands: InHand) -> Iterator[Place]:
    begun = hands.begin()
    assert begun
    with begun:
        yield begun


def lines(count: int, *, owner: str = "alice", **facts: Any) -> list[Item]:
    job = make_job(make_user(owner))
    return [make_item(job, **facts) for _ in range(count)]


def test_it_is_claimed_with_nothing_else_in_hand_and_nothing_joins_it(
    place: Place, hands: InHand
) -> None:
    (suspect,) = lines(1, deaths=1)
    assert claim_next(suspect.pk, place) == Claim(suspect.pk, 1)
    assert place.is_alone
    assert not hands.takes_more()


def test_any_other_line_is_claimed_beside_others(place: Place, hands: InHand) -> None:
    (line,) = lines(1)
    assert claim_next(line.pk, place)
    assert hands.takes_more()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="needs no second connection there")
@pytest.mark.django_db(transaction=True)
def test_it_waits_for_what_is_in_hand(hands: InHand) -> None:
    (suspect,) = lines(1, deaths=1)
    other, lonely = hands.begin(), hands.begin()
    assert other
    assert lonely

    def take() -> Claim | None:
        try:
            return claim_next(suspect.pk, lonely)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as threads:
        taking = threads.submit(take)
        while not lonely.is_alone:
            time.sleep(0.001)
        assert not taking.done()
        assert other.must_yield
        assert claim_next(suspect.pk, other) is None
        with other:
            pass
        assert taking.result(30) == Claim(suspect.pk, 1)


def test_a_line_in_the_way_of_one_alone_is_sent_to_others(
    hands: InHand, place: Place, broker: Broker
) -> None:
    (line,) = lines(1, sent_at=timezone.now())
    other = hands.begin()
    assert other
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(other.be_alone)
        while not other.is_alone:
            time.sleep(0.001)
        assert claim_next(line.pk, place) is None
        place.__exit__()
        assert waiting.result(30)
    assert row(Claim(line.pk, 0)).sent_at is None


def test_when_its_time_is_over_others_have_theirs(
    place: Place, hands: InHand, clock: Clock
) -> None:
    suspects, (line,) = lines(2, deaths=1), lines(1, owner="bob")
    assert claim_next(line.pk, place) == Claim(suspects[0].pk, 1)  # it has waited for longer
    Item.objects.filter(pk=suspects[0].pk).update(state=S.DONE)
    clock.now += 120
    place.__exit__()
    following = hands.begin()
    assert following
    assert claim_next(suspects[1].pk, following) == Claim(line.pk, 1)
    following.__exit__()
    clock.now += 120
    again = hands.begin()
    assert again
    assert claim_next(suspects[1].pk, again) == Claim(suspects[1].pk, 1)


def test_while_one_is_tried_elsewhere_others_go_on_here(place: Place) -> None:
    lines(1, deaths=1, state=S.RUNNING)
    lines(1, deaths=1)
    (line,) = lines(1, owner="bob")
    assert claim_next(line.pk, place) == Claim(line.pk, 1)


def test_a_zip_that_is_tried_elsewhere_is_one_as_well(place: Place) -> None:
    (suspect,) = lines(1, deaths=1)
    line, _waiting = lines(2, owner="bob")
    Package.objects.create(
        job=suspect.job, owner=suspect.owner, state=PackageState.RUNNING, deaths=1
    )
    assert claim_next(line.pk, place) == Claim(line.pk, 1)
    assert not be_alone_in_turn(place)


def test_where_no_other_line_waits_each_process_tries_one(place: Place) -> None:
    lines(1, deaths=1, state=S.RUNNING)
    (suspect,) = lines(1, deaths=1)
    assert claim_next(suspect.pk, place) == Claim(suspect.pk, 1)


def test_it_is_never_claimed_beside_others() -> None:
    (suspect,) = lines(1, deaths=1)
    assert claim(suspect.pk) is None
    assert claim(suspect.pk, alone=True)


def test_while_tiktok_refuses_it_stays_one_to_be_tried(place: Place) -> None:
    breaker.open_for(Refused())
    (suspect,) = lines(1, deaths=1)
    assert claim_next(suspect.pk, place) is None
    assert (row(Claim(suspect.pk, 1)).state, row(Claim(suspect.pk, 1)).deaths) == (S.QUEUED, 1)


def test_who_is_next_is_said_with_how_it_is_tried() -> None:
    (suspect, line) = (*lines(1, deaths=1), *lines(1))
    now = timezone.now()
    assert next_line(now) == NextLine(suspect.pk, alone=True)
    assert next_line(now, trusted=True) == NextLine(line.pk, alone=False)
    Item.objects.filter(pk=line.pk).delete()
    assert next_line(now, trusted=True) is None


def test_what_ended_while_it_was_waited_for_leaves_room(
    place: Place, hands: InHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    (suspect,) = lines(1, deaths=1)

    def cancelled_meanwhile(_place: Place) -> bool:
        Item.objects.update(state=S.CANCELLED)
        return hands.empty_for(place)

    monkeypatch.setattr(Place, "be_alone", cancelled_meanwhile)
    assert claim_next(suspect.pk, place) is None
    assert hands.takes_more()


def test_five_hundred_lines_do_not_stand_behind_ten(hands: InHand, clock: Clock) -> None:
    """Ten suspects that take a minute each: half of the time is that of the other lines."""
    lines(10, deaths=1)
    message = lines(1, owner="bob")[0].pk
    lines(30)
    alone_s = shared = 0
    for _ in range(60):
        place = hands.begin()
        assert place
        with place:
            waiting = Item.objects.filter(state=S.QUEUED).values_list("pk", flat=True).first()
            claimed = claim_next(waiting or message, place)
            if claimed is None:
                break
            if place.is_alone:
                alone_s += 60
            else:
                shared += 1
            clock.now += 60
            Item.objects.filter(pk=claimed.item_id).update(state=S.DONE)
    assert Item.objects.filter(state=S.QUEUED).count() == 0
    assert (alone_s, shared) == (600, 31)
