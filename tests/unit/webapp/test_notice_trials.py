"""Tests of a way: each address its own, and what became of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from notices import planning, webhooks
from notices.kinds import DeliveryState, Reason, Way
from notices.models import Channel, Delivery, Message, Preference
from tests.factories import make_user
from tests.unit.notices.receiving import Browser
from tests.unit.webapp.test_notice_pages import PAGE, text
from webapp import notice_trials
from webapp.notice_trials import Trial

pytestmark = pytest.mark.django_db
WAITS = Trial(state=DeliveryState.WAITING)


@pytest.fixture
def alice(tmp_path: Path, set_env: Any) -> User:
    set_env(data_dir=tmp_path)
    user = make_user("alice")
    Preference.objects.create(owner=user)
    return user


@pytest.fixture(autouse=True)
def _one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a test happens within the seconds that count as one."""
    monkeypatch.setattr(notice_trials, "EVERY_S", 10**12)


def hook(user: User, path: str = "a") -> None:
    webhooks.put(user.pk, f"https://hooks.example.org/{path}", ())


def test_a_way_that_leads_nowhere_is_not_tested(alice: User) -> None:
    assert [notice_trials.send(alice.pk, way) for way in Way] == [False, False, False]
    assert not Message.objects.exists()


def test_a_second_test_is_the_same_one_and_that_of_another_address_is_not(alice: User) -> None:
    hook(alice)
    for _ in range(2):
        assert notice_trials.send(alice.pk, Way.WEBHOOK)
    assert Message.objects.count() == 1
    hook(alice, "b")
    assert notice_trials.last(alice.pk) == {}  # that of the old address says nothing of this one
    notice_trials.send(alice.pk, Way.WEBHOOK)
    assert Message.objects.count() == 2
    Preference.objects.update(channel=Channel.objects.create(name="A", address="1", scheme="x"))
    notice_trials.send(alice.pk, Way.CHANNEL)
    Channel.objects.update(address="2")
    notice_trials.send(alice.pk, Way.CHANNEL)
    Browser("https://web.push.apple.com/1").subscribe(alice)
    notice_trials.send(alice.pk, Way.PUSH)
    Browser("https://web.push.apple.com/2").subscribe(alice)
    notice_trials.send(alice.pk, Way.PUSH)
    assert Message.objects.count() == 6


def test_what_becomes_of_it(alice: User) -> None:
    now = timezone.now()
    hook(alice)
    notice_trials.send(alice.pk, Way.WEBHOOK)
    assert notice_trials.last(alice.pk) == {"webhook": [WAITS]}
    planning.plan(timezone.now())
    assert notice_trials.last(alice.pk) == {"webhook": [WAITS]}
    rows = Delivery.objects.all()
    rows.update(reason=Reason.NO_ANSWER)
    [trial] = notice_trials.last(alice.pk)["webhook"]
    assert (trial.is_waiting, trial.reason) == (True, "No answer came.")
    rows.update(state=DeliveryState.GIVEN_UP, ended_at=now)
    [trial] = notice_trials.last(alice.pk)["webhook"]
    assert (trial.state, trial.reason, trial.at) == ("given_up", "No answer came.", now)
    rows.update(state=DeliveryState.SENT, reason="")
    Message.objects.update(facts={})  # as is done once it was sent
    assert notice_trials.last(alice.pk) == {"webhook": [Trial(state=DeliveryState.SENT, at=now)]}
    Message.objects.update(created_at=now - timedelta(hours=2))
    assert notice_trials.last(alice.pk) == {}


def test_each_device_is_told_of_also_one_that_was_removed_for_it(alice: User) -> None:
    for number in range(2):
        browser = Browser(f"https://web.push.apple.com/{number}")
        row = browser.subscribe(alice, device=f"Phone {number}")
    notice_trials.send(alice.pk, Way.PUSH)
    planning.plan(timezone.now())
    Delivery.objects.filter(target=row.pk).update(
        state=DeliveryState.GIVEN_UP, reason=Reason.GONE, ended_at=timezone.now()
    )
    row.delete()
    trials = {one.label: one.state for one in notice_trials.last(alice.pk)["push"]}
    assert trials == {"Phone 0": DeliveryState.WAITING, "Phone 1": DeliveryState.GIVEN_UP}


def test_when_a_channel_last_took_something(alice: User) -> None:
    now = timezone.now()
    channel = Channel.objects.create(name="Family", address="1", scheme="ntfys")
    preference = Preference.objects.get()
    preference.channel = channel
    for owner, target, state, days in (
        (alice, channel.pk, DeliveryState.SENT, 3),
        (alice, channel.pk, DeliveryState.SENT, 2),
        (alice, channel.pk, DeliveryState.GIVEN_UP, 1),
        (alice, channel.pk + 1, DeliveryState.SENT, 1),
        (make_user("bob"), channel.pk, DeliveryState.SENT, 1),
    ):
        Delivery.objects.create(
            owner=owner,
            batch=Message().pk,
            way=Way.CHANNEL,
            target=str(target),
            state=state,
            ended_at=now - timedelta(days=days),
        )
    assert notice_trials.last_told(preference) == now - timedelta(days=2)


def test_what_became_of_a_test_stands_where_its_button_is(
    alice: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.notice_pages.broker.send_periodic", lambda _: None)
    client.force_login(alice)
    hook(alice)
    channel = Channel.objects.create(name="Family", address="hush", scheme="ntfy")
    Preference.objects.update(channel=channel)
    assert "nothing sent in the last 7 days" in text(client.get(PAGE))

    def said(way: str) -> str:
        return text(client.get(PAGE)).partition(f'id="test-{way}"')[2].partition("</div>")[0]

    for way in ("webhook", "channel"):
        response = client.post(PAGE, {"test": way})
        assert response["Location"] == f"{PAGE}#test-{way}"
        assert "The test is on its way." in said(way)
        assert "data-busy" in said(way)
    planning.plan(timezone.now())
    rows = Delivery.objects.all()
    rows.update(reason=Reason.NO_ANSWER)
    assert "No answer came. The test is tried once more." in said("webhook")
    rows.update(state=DeliveryState.GIVEN_UP, ended_at=timezone.now())
    assert "The test failed" in said("webhook")
    assert "No answer came." in said("webhook")
    page = text(client.get(PAGE))
    assert '<p class="title">Test message</p>' in page
    assert "It works" not in page
    rows.update(state=DeliveryState.SENT, reason="")
    assert "The test was sent" in said("channel")
    assert "data-busy" not in said("channel")
    assert "nothing sent" not in text(client.get(PAGE))
