"""What gets into the outbox."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notices import outbox, webhooks
from notices.kinds import Kind
from notices.models import Channel, Message, Preference
from notices.outbox import News
from tests.factories import make_user
from tests.unit.notices.receiving import Browser

pytestmark = pytest.mark.django_db


def news(owner_id: int, **facts: Any) -> News:
    """Five saved files."""
    told: dict[str, Any] = {"owner_id": owner_id, "kind": Kind.SAVED, "key": "job:1"} | facts
    return News(**told)


def test_whoever_has_nowhere_to_be_told_costs_one_query_and_nothing_is_kept() -> None:
    alice = make_user()
    Preference.objects.create(owner=alice)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert not outbox.add(news(alice.pk))
    assert len(queries) == 1
    assert not Message.objects.exists()


def test_one_event_is_one_message_however_often_it_is_told() -> None:
    alice = make_user()
    Browser().subscribe(alice)
    assert outbox.add(news(alice.pk, facts={"count": 5}))
    outbox.add(news(alice.pk, facts={"count": 6}))
    assert Message.objects.get().facts == {"count": 5}


@pytest.mark.parametrize("way", ["push", "channel", "webhook"])
def test_each_way_counts(way: str) -> None:
    alice = make_user()
    preference, _ = Preference.objects.get_or_create(owner=alice)
    if way == "push":
        Browser().subscribe(alice)
    elif way == "channel":
        preference.channel = Channel.objects.create(name="Family", address="", scheme="ntfy")
        preference.save()
    else:
        webhooks.put(alice.pk, "https://hooks.example.org/a", ())
    assert outbox.add(news(alice.pk))


def test_a_blocked_member_is_told_nothing() -> None:
    alice = make_user(is_active=False)
    Browser().subscribe(alice)
    assert not outbox.add(news(alice.pk))


def test_who_wants_to_hear_of_watches_alone_hears_of_those() -> None:
    alice = make_user()
    Browser().subscribe(alice)
    Preference.objects.update(own=False)
    assert not outbox.add(news(alice.pk))
    assert not outbox.add(news(alice.pk, kind=Kind.FAILED))
    assert outbox.add(news(alice.pk, kind=Kind.FOUND))
    assert outbox.add(news(alice.pk, kind=Kind.BACKUP, key="backup"))


def test_what_is_forgotten_is_told_no_more() -> None:
    alice = make_user()
    Browser().subscribe(alice)
    outbox.add(news(alice.pk, topic="a" * 32))
    outbox.add(news(alice.pk, topic="b" * 32, key="job:2"))
    outbox.forget(["a" * 32])
    assert Message.objects.get().topic == "b" * 32


def test_nothing_of_nobody() -> None:
    assert outbox.add_all([]) == 0
    assert not outbox.is_used()
