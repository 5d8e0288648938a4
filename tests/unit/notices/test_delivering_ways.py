"""Deliveries by a channel and by a webhook."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection

from notices import channels, outbox, planning, webhooks
from notices.delivering import LEASE, Outside, deliver
from notices.kinds import DeliveryState, Kind, Reason
from notices.models import Channel, Delivery, Preference, Webhook
from notices.outbox import News
from notices.sealing import seal
from notices.wire import NotSent
from notices.wording import Text
from tests.unit.notices.conftest import Clock
from tests.unit.notices.receiving import Killed, Network, ended, tell

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel(alice: User) -> Channel:
    row = Channel.objects.create(
        name="Family", address=seal("json://user:hush@127.0.0.1/{user}"), scheme="json"
    )
    Preference.objects.create(owner=alice, channel=row)
    return row


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Text]:
    """What channels were handed."""
    texts: list[Text] = []
    monkeypatch.setattr(channels, "send", lambda channel, text, *, user: texts.append(text))
    return texts


def test_a_channel_is_told_without_names_and_with_a_link(
    alice: User, channel: Channel, clock: Clock, outside: Outside, said: list[Text]
) -> None:
    tell(alice, clock)
    assert deliver(outside, clock) == 1
    assert said == [
        Text(
            title="5 files saved",
            body="Kept until 14:00.\nhttps://stories.example.org/jobs/1/",
        )
    ]


def test_with_names_where_the_member_wants_them(
    alice: User, channel: Channel, clock: Clock, outside: Outside, said: list[Text]
) -> None:
    Preference.objects.update(names=True)
    tell(alice, clock)
    deliver(outside, clock)
    assert said[0].title == "5 files saved from @cats"


def test_what_may_have_gone_to_a_channel_is_not_sent_twice(
    alice: User,
    channel: Channel,
    clock: Clock,
    outside: Outside,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Killed

    monkeypatch.setattr(channels, "send", die)
    tell(alice, clock)
    with pytest.raises(Killed):
        deliver(outside, clock)
    clock.forward(seconds=LEASE.total_seconds())
    assert deliver(outside, clock) == 0
    assert ended() == (DeliveryState.GIVEN_UP, Reason.INTERRUPTED)


@pytest.mark.django_db(transaction=True)
def test_what_a_database_error_keeps_from_a_channel_is_sent_later(
    alice: User, channel: Channel, clock: Clock, outside: Outside, said: list[Text]
) -> None:
    """Whichever statement it is: before the child, none of them leaves a claim."""
    tell(alice, clock)
    stopped_at = 0
    while not said:
        stopped_at += 1
        with suppress(OperationalError), stopping_at(stopped_at):
            deliver(outside, clock)
        if not said:
            row = Delivery.objects.get()
            assert (row.state, row.tries) == (DeliveryState.WAITING, 0)
    assert stopped_at > 4
    assert len(said) == 1


@contextmanager
def stopping_at(nth: int) -> Iterator[None]:
    """The database refuses this statement."""
    count = 0

    def refuse(execute: Callable[..., Any], *statement: Any) -> Any:
        nonlocal count
        count += 1
        if count == nth:
            raise OperationalError("deadlock detected")
        return execute(*statement)

    with connection.execute_wrapper(refuse):
        yield


@pytest.mark.parametrize("reason", [Reason.INTERRUPTED, Reason.TOO_SLOW])
def test_what_a_channel_may_have_sent_before_it_was_ended_is_not_sent_twice(
    alice: User,
    channel: Channel,
    clock: Clock,
    outside: Outside,
    monkeypatch: pytest.MonkeyPatch,
    reason: Reason,
) -> None:
    sent = []

    def send(_channel: Channel, text: Text, *, user: str) -> None:
        sent.append((user, text))
        raise NotSent(reason)

    monkeypatch.setattr(channels, "send", send)
    tell(alice, clock)
    for _ in range(12):
        deliver(outside, clock)
        clock.forward(hours=1)
    assert len(sent) == 1
    assert ended() == (DeliveryState.GIVEN_UP, Reason.INTERRUPTED)


def test_a_channel_of_another_secret_key_is_told_so(
    alice: User, channel: Channel, clock: Clock, outside: Outside, settings: Any
) -> None:
    tell(alice, clock)
    settings.SECRET_KEY = "another key, of more than thirty-two characters"
    deliver(outside, clock)
    assert ended() == (DeliveryState.GIVEN_UP, Reason.UNREADABLE)


def test_a_channel_that_was_removed_or_left_is_not_used(
    alice: User, channel: Channel, clock: Clock, outside: Outside, said: list[Text]
) -> None:
    tell(alice, clock)
    channel.delete()
    deliver(outside, clock)
    assert ended() == (DeliveryState.GIVEN_UP, Reason.NOT_SET_UP)
    assert said == []


@pytest.fixture
def webhook(alice: User) -> Webhook:
    Preference.objects.create(owner=alice)
    webhooks.put(alice.pk, "https://hooks.example.org/a", ())
    return Webhook.objects.get()


def test_a_webhook_gets_what_programs_need(
    alice: User, webhook: Webhook, clock: Clock, outside: Outside, network: Network
) -> None:
    tell(alice, clock)
    assert deliver(outside, clock) == 1
    content = json.loads(network.requests[0].body)
    assert content.pop("id") == Delivery.objects.get().pk.hex
    assert content == {
        "type": "storykeep.messages",
        "title": "5 files saved",
        "body": "Kept until 14:00.",
        "messages": [
            {
                "kind": "saved",
                "title": "5 files saved",
                "body": "Kept until 14:00.",
                "url": "https://stories.example.org/jobs/1/",
                "count": 5,
                "authors": None,
                "kept_until": "2026-11-30T14:00:00Z",
            }
        ],
    }


def test_a_webhook_is_given_the_account_that_has_a_new_name(
    alice: User, webhook: Webhook, clock: Clock, outside: Outside, network: Network
) -> None:
    Preference.objects.update(names=True)
    facts = {"old": "anna", "new": "anna.new"}
    outbox.add(News(owner_id=alice.pk, kind=Kind.WATCH_RENAMED, key="1", facts=facts))
    planning.plan(clock())
    deliver(outside, clock)
    [message] = json.loads(network.requests[0].body)["messages"]
    assert (message["authors"], message["title"]) == (["anna.new"], "@anna is @anna.new now")


def test_a_webhook_is_tried_three_times(
    alice: User, webhook: Webhook, clock: Clock, outside: Outside, network: Network
) -> None:
    network.answers = [404]
    tell(alice, clock)
    for _ in range(100):
        deliver(outside, clock)
        clock.forward(minutes=1)
    assert len(network.requests) == 3
    assert ended() == (DeliveryState.GIVEN_UP, Reason.REFUSED)
    assert len({request.headers["webhook-id"] for request in network.requests}) == 1
    assert len({request.headers["webhook-timestamp"] for request in network.requests}) == 3


def test_an_address_that_may_not_be_asked_is_not_tried_again(
    alice: User, webhook: Webhook, clock: Clock, outside: Outside, network: Network
) -> None:
    network.answers = [NotSent(Reason.NOT_ALLOWED)]
    tell(alice, clock)
    deliver(outside, clock)
    assert ended() == (DeliveryState.GIVEN_UP, Reason.NOT_ALLOWED)
