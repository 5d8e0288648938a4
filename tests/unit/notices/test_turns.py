"""Whose turn it is: one member's slow receiver holds up nobody else's messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User

from notices import webhooks
from notices.delivering import Outside, deliver
from notices.kinds import DeliveryState, Kind, Reason, Way
from notices.models import Channel, Delivery, Message, Preference
from notices.turns import TURN
from notices.wire import Answer, NotSent, Request
from tests.factories import make_user
from tests.unit.notices.conftest import NOON, Clock
from tests.unit.notices.receiving import Browser, Network

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def bob() -> User:
    return make_user("bob")


def hook(owner: User, host: str) -> None:
    """Give a member a webhook."""
    Preference.objects.get_or_create(owner=owner)
    webhooks.put(owner.pk, f"https://{host}/{owner.username}", ())


def owe(owner: User, number: int, way: Way, target: str = "", label: str = "") -> None:
    """So many deliveries of theirs are due, one second after the other."""
    for second in range(number):
        at = NOON - timedelta(hours=1) + timedelta(seconds=second)
        batch = uuid4()
        Message.objects.create(owner=owner, kind=Kind.DISK, key=batch.hex, batch=batch)
        Delivery.objects.create(
            owner=owner,
            batch=batch,
            way=way,
            target=target,
            label=label,
            created_at=at,
            not_before=at,
        )


def asked(network: Network) -> list[str]:
    return [request.url.rpartition("/")[2] for request in network.requests]


def meanwhile(network: Network, then: Callable[[], object]) -> Callable[[Request], Answer]:
    """The first receiver keeps one thread waiting while the other one does this."""

    def post(request: Request) -> Answer:
        first = not network.requests
        answer = network.post(request)
        if first:
            then()
        return answer

    return post


def test_members_are_served_one_after_the_other(
    alice: User, bob: User, clock: Clock, outside: Outside, network: Network
) -> None:
    for owner, host in ((alice, "a.example.org"), (bob, "b.example.org")):
        hook(owner, host)
    owe(alice, 3, Way.WEBHOOK, label="a.example.org")
    Delivery.objects.update(not_before=NOON - timedelta(hours=2))
    owe(bob, 2, Way.WEBHOOK, label="b.example.org")
    assert deliver(outside, clock) == 5
    assert asked(network) == ["alice", "bob", "alice", "bob", "alice"]


def test_while_one_thread_waits_for_a_receiver_the_other_serves_other_members(
    alice: User, bob: User, clock: Clock, network: Network
) -> None:
    for owner, host in ((alice, "a.example.org"), (bob, "b.example.org")):
        hook(owner, host)
    owe(alice, 3, Way.WEBHOOK, label="a.example.org")
    other = Outside(post=network.post)

    def other_thread() -> None:
        owe(bob, 1, Way.WEBHOOK, label="b.example.org")
        assert deliver(other, clock) == 1

    assert deliver(Outside(post=meanwhile(network, other_thread)), clock) == 3
    assert asked(network) == ["alice", "bob", "alice", "alice"]


def test_a_host_is_asked_by_one_thread_at_a_time(
    alice: User, bob: User, clock: Clock, network: Network
) -> None:
    for owner in (alice, bob):
        hook(owner, "slow.example.org")
        owe(owner, 1, Way.WEBHOOK, label="slow.example.org")
    other = Outside(post=network.post)

    def other_thread() -> None:
        assert deliver(other, clock) == 0

    assert deliver(Outside(post=meanwhile(network, other_thread)), clock) == 2


def test_what_was_in_hand_when_it_failed_is_let_go(
    alice: User, clock: Clock, outside: Outside, network: Network
) -> None:
    hook(alice, "a.example.org")
    owe(alice, 1, Way.WEBHOOK, label="a.example.org")
    network.answers = [ValueError("a bug"), 200]
    assert deliver(outside, clock) == 0
    clock.forward(minutes=1)
    assert deliver(outside, clock) == 1


def test_after_a_turn_what_was_told_meanwhile_is_put_together_first(
    alice: User, clock: Clock, network: Network
) -> None:
    hook(alice, "a.example.org")
    owe(alice, 3, Way.WEBHOOK, label="a.example.org")

    def post(request: Request) -> Answer:
        clock.now += TURN
        return network.post(request)

    assert deliver(Outside(post=post), clock) == 1
    assert deliver(Outside(post=post), clock) == 1


def test_a_webhook_that_times_out_rests_and_only_for_its_member(
    alice: User, bob: User, clock: Clock, outside: Outside, network: Network
) -> None:
    for owner in (alice, bob):
        hook(owner, "slow.example.org")
    network.answers = [NotSent(Reason.TOO_SLOW)]
    owe(alice, 3, Way.WEBHOOK, label="slow.example.org")
    tries = []
    for _ in range(50):
        before = len(network.requests)
        deliver(outside, clock)
        tries += [(clock() - NOON) // MINUTE] * (len(network.requests) - before)
        clock.forward(minutes=1)
    assert tries == [0, 1, 11, 21, 22, 32, 42, 43]
    owe(bob, 1, Way.WEBHOOK, label="slow.example.org")
    network.answers = [200]
    assert deliver(outside, clock) == 1


def test_one_that_refuses_does_not_rest(
    alice: User, clock: Clock, outside: Outside, network: Network
) -> None:
    hook(alice, "a.example.org")
    owe(alice, 3, Way.WEBHOOK, label="a.example.org")
    network.answers = [500]
    deliver(outside, clock)
    assert len(network.requests) == 3


def test_a_channel_that_times_out_rests_for_everybody_and_wakes_nobody(
    alice: User, bob: User, clock: Clock, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Channel.objects.create(name="Family", address="sealed", scheme="ntfy")
    Preference.objects.create(owner=alice, channel=channel)
    Preference.objects.create(
        owner=bob, channel=channel, quiet_from=12, quiet_until=18, time_zone="UTC"
    )
    for owner in (alice, bob):
        owe(owner, 1, Way.CHANNEL, target=str(channel.pk))
    tries = []

    def send(*_args: object, user: str, **_more: object) -> None:
        tries.append(user)
        raise NotSent(Reason.TOO_SLOW)

    monkeypatch.setattr("notices.delivering.channels.send", send)
    deliver(outside, clock)
    assert len(tries) == 1
    rows = dict(Delivery.objects.values_list("owner__username", "not_before"))
    assert rows == {"alice": NOON + MINUTE, "bob": NOON.replace(hour=18)}


def test_a_push_service_that_times_out_rests_for_everybody(
    alice: User, bob: User, clock: Clock, outside: Outside, network: Network
) -> None:
    for owner, endpoint in (
        (alice, "https://web.push.apple.com/1"),
        (bob, "https://web.push.apple.com/2"),
        (bob, "https://fcm.googleapis.com/fcm/send/3"),
    ):
        device = Browser(endpoint).subscribe(owner)
        owe(owner, 1, Way.PUSH, target=str(device.pk))
    network.answers = [NotSent(Reason.TOO_SLOW), 201]
    assert deliver(outside, clock) == 1
    assert asked(network) == ["1", "3"] or asked(network) == ["2", "3"]
    waiting = Delivery.objects.filter(state=DeliveryState.WAITING)
    assert {row.not_before for row in waiting} == {NOON + MINUTE}
