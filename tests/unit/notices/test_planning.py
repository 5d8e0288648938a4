"""What is due is put together, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from notices import outbox, planning, webhooks
from notices.kinds import DeliveryState, Kind, Way
from notices.models import Channel, Delivery, Message, Preference
from notices.outbox import News
from tests.factories import make_user
from tests.unit.notices.conftest import NOON, Clock
from tests.unit.notices.receiving import Browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    user = make_user("alice")
    Browser().subscribe(user)
    return user


def tell(owner: User, key: str, kind: Kind = Kind.SAVED, **facts: Any) -> None:
    outbox.add(News(owner_id=owner.pk, kind=kind, key=key, facts=facts))


def batches() -> list[int]:
    """How many messages each delivery has, by when it was made."""
    rows = Delivery.objects.order_by("created_at", "pk")
    return [Message.objects.filter(batch=row.batch).count() for row in rows]


def test_the_first_goes_at_once_and_the_next_ones_together(alice: User, clock: Clock) -> None:
    tell(alice, "1")
    assert planning.plan(clock()) == 1
    for key in ("2", "3"):
        clock.forward(minutes=2)
        tell(alice, key)
        assert planning.plan(clock()) == 0
    clock.now = NOON + timedelta(minutes=14, seconds=59)
    assert planning.plan(clock()) == 0
    clock.now = NOON + timedelta(minutes=15)
    assert planning.plan(clock()) == 1
    assert planning.plan(clock.forward(hours=5)) == 0
    assert batches() == [1, 2]


def test_every_way_gets_all_of_it(alice: User, clock: Clock) -> None:
    channel = Channel.objects.create(name="Family", address="", scheme="ntfy")
    Preference.objects.update(channel=channel)
    webhooks.put(alice.pk, "https://hooks.example.org/a", ())
    Browser("https://web.push.apple.com/a").subscribe(alice, device="Tablet")
    tell(alice, "1")
    planning.plan(clock())
    found = set(Delivery.objects.values_list("way", "label"))
    assert found == {
        (Way.PUSH, "Phone"),
        (Way.PUSH, "Tablet"),
        (Way.CHANNEL, "Family"),
        (Way.WEBHOOK, "hooks.example.org"),
    }
    assert len(set(Delivery.objects.values_list("batch"))) == 1


def test_a_digest_is_one_message_a_day(alice: User, clock: Clock) -> None:
    Preference.objects.update(digest_hour=18, time_zone="UTC")
    for hour in range(3):
        tell(alice, str(hour))
        planning.plan(clock())
        clock.forward(hours=1)
    assert batches() == []
    planning.plan(NOON + timedelta(hours=6))
    assert batches() == [3]


def test_a_member_who_chooses_other_hours_is_looked_at_anew(alice: User, clock: Clock) -> None:
    Preference.objects.update(digest_hour=18, time_zone="UTC")
    tell(alice, "1")
    planning.plan(clock())
    Preference.objects.update(digest_hour=None)
    assert planning.plan(clock()) == 0
    planning.plan_anew(alice.pk, clock())
    assert planning.plan(clock()) == 1


def test_a_hole_causes_no_message_and_goes_with_the_next(alice: User, clock: Clock) -> None:
    tell(alice, "hole", Kind.WATCH_HOLE)
    assert planning.plan(clock()) == 0
    tell(alice, "1")
    planning.plan(clock())
    assert batches() == [2]


def test_however_many_holes_wait_the_next_message_goes(alice: User, clock: Clock) -> None:
    holes = planning.MESSAGES_AT_ONCE + 1
    outbox.add_all(
        [News(owner_id=alice.pk, kind=Kind.WATCH_HOLE, key=f"hole:{n}") for n in range(holes)]
    )
    clock.forward(minutes=1)
    tell(alice, "1")
    assert planning.plan(clock()) == 1
    assert batches() == [holes]
    assert Message.objects.get(key="1").batch is not None
    tell(alice, "2")
    planning.plan(clock.forward(hours=1))
    assert batches() == [holes, 2]


def test_a_test_waits_for_nothing_and_goes_one_way(alice: User, clock: Clock) -> None:
    webhooks.put(alice.pk, "https://hooks.example.org/a", ())
    Preference.objects.update(digest_hour=18, quiet_from=0, quiet_until=23, told_at=clock())
    tell(alice, "1")
    tell(alice, "test", Kind.TEST, way="push")
    planning.plan(clock())
    assert Delivery.objects.get().way == Way.PUSH
    assert Message.objects.get(batch=None).key == "1"


def test_a_clock_that_is_set_back_holds_nothing_up(alice: User, clock: Clock) -> None:
    clock.now = NOON + timedelta(days=400)
    tell(alice, "1")
    planning.plan(clock())
    tell(alice, "2")
    planning.plan(clock())
    clock.now = NOON
    assert planning.plan(clock()) == 1
    assert batches() == [1, 1]


def test_two_workers_put_it_together_once(alice: User, clock: Clock) -> None:
    """The second one read the same rows, and comes to write them later."""
    tell(alice, "1")
    preference = Preference.objects.select_related("channel", "owner").get()
    ids = list(Message.objects.values_list("pk", flat=True))
    planning.plan(clock())
    assert not planning._put_together(ids, preference, clock(), told=True)
    assert batches() == [1]


def test_what_is_for_a_blocked_member_goes(alice: User, clock: Clock) -> None:
    tell(alice, "1")
    User.objects.update(is_active=False)
    assert planning.plan(clock()) == 0
    assert not Message.objects.exists()


def test_a_week_after_it_ended_nothing_is_kept(alice: User, clock: Clock) -> None:
    tell(alice, "1")
    planning.plan(clock())
    clock.forward(days=1)
    Delivery.objects.update(state=DeliveryState.GIVEN_UP, ended_at=clock())
    planning.prune(clock.forward(days=7))
    assert batches() == [1]
    planning.prune(clock.forward(minutes=1))
    assert not Delivery.objects.exists()
    assert not Message.objects.exists()


def test_what_waits_is_never_removed_for_its_age(alice: User, clock: Clock) -> None:
    tell(alice, "1")
    planning.plan(clock())
    tell(alice, "2")
    planning.prune(clock.forward(days=30))
    assert batches() == [1]
    assert Message.objects.count() == 2


def test_a_hole_that_goes_with_nothing_is_removed_after_a_week(alice: User, clock: Clock) -> None:
    tell(alice, "1", Kind.WATCH_HOLE)
    planning.prune(clock.forward(days=7, minutes=1))
    assert not Message.objects.exists()


@pytest.mark.parametrize("name", ["", "Nowhere/Nothing", "../etc", "Europe"])
def test_a_zone_that_is_none_is_the_instances(alice: User, name: str) -> None:
    assert str(planning.zone_of(Preference(time_zone=name))) == "UTC"


def test_a_hole_that_nothing_took_along_is_told_by_itself_after_a_day(
    alice: User, clock: Clock
) -> None:
    tell(alice, "hole", Kind.WATCH_HOLE)
    assert planning.plan(clock.forward(hours=23)) == 0
    assert planning.plan(clock.forward(hours=2)) == 1
    assert batches() == [1]


def test_a_hole_has_its_place_in_a_digest(alice: User, clock: Clock) -> None:
    Preference.objects.update(digest_hour=18, time_zone="UTC")
    tell(alice, "hole", Kind.WATCH_HOLE)
    assert planning.plan(clock()) == 0
    clock.now = NOON.replace(hour=18, minute=1)
    assert planning.plan(clock()) == 1
