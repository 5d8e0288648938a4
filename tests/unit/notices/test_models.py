"""The tables: what the database itself holds to."""

from __future__ import annotations

import uuid

import pytest
from django.db import IntegrityError

from notices.kinds import Kind, Way
from notices.models import Channel, Delivery, Message, Preference, PushSubscription, Webhook
from tests.factories import make_user
from tests.unit.notices.receiving import Browser

pytestmark = pytest.mark.django_db


def test_a_key_is_one_message() -> None:
    Message.objects.create(owner=make_user(), kind=Kind.SAVED, key="job:1")
    with pytest.raises(IntegrityError):
        Message.objects.create(owner=make_user("bob"), kind=Kind.SAVED, key="job:1")


def test_a_batch_goes_each_way_once() -> None:
    facts = {"owner": make_user(), "batch": uuid.uuid4(), "way": Way.PUSH, "target": "1"}
    Delivery.objects.create(**facts)
    Delivery.objects.create(**facts | {"target": "2"})
    with pytest.raises(IntegrityError):
        Delivery.objects.create(**facts)


def test_all_of_it_goes_with_its_member() -> None:
    alice = make_user()
    Browser().subscribe(alice)
    Webhook.objects.create(owner=alice, host="a", address="", secret="")
    Message.objects.create(owner=alice, kind=Kind.SAVED, key="job:1")
    Delivery.objects.create(owner=alice, batch=uuid.uuid4(), way=Way.PUSH)
    alice.delete()
    for model in (Message, Delivery, Preference, PushSubscription, Webhook):
        assert not model._default_manager.exists()


def test_a_channel_goes_and_its_members_stay() -> None:
    channel = Channel.objects.create(name="Family", address="", scheme="ntfy")
    Preference.objects.create(owner=make_user(), channel=channel)
    channel.delete()
    assert Preference.objects.get().channel is None


def test_no_name_of_a_row_says_an_address() -> None:
    row = Channel(name="Family", address="hush", scheme="ntfy")
    hook = Webhook(host="hooks.example.org", address="hush", secret="hush")
    assert "hush" not in f"{row} {row!r} {hook} {hook!r}"
