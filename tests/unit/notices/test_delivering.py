"""Deliveries: sent once, tried again, given up with a reason."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from notices import delivering, outbox, planning, vapid, webhooks
from notices.delivering import GIVEN_UP_AFTER, LEASE, Outside, deliver
from notices.kinds import DeliveryState, Kind, Reason, Way
from notices.models import Delivery, Message, Preference, PushSubscription
from notices.outbox import News
from notices.wire import NotSent
from tests.factories import make_user
from tests.unit.notices.conftest import NOON, Clock
from tests.unit.notices.receiving import Browser, Killed, Network, ended, tell

pytestmark = pytest.mark.django_db


def test_a_push_message_says_it_all_and_replaces_an_older_one(
    alice: User, browser: Browser, clock: Clock, outside: Outside, network: Network
) -> None:
    tell(alice, clock)
    assert deliver(outside, clock) == 1
    assert deliver(outside, clock) == 0
    [request] = network.requests
    assert browser.read(request) == {
        "title": "5 files saved from @cats",
        "body": "Kept until 14:00.",
        "navigate": "https://stories.example.org/jobs/1/",
        "lang": "en",
        "tag": "a" * 32,
    }
    assert request.headers["TTL"] == "7200"
    assert request.headers["Topic"] == "a" * 32
    assert ended() == (DeliveryState.SENT, "")
    assert PushSubscription.objects.get().last_ok_at == NOON


def test_once_it_was_sent_nobody_can_read_off_who_it_was_about(
    alice: User, browser: Browser, clock: Clock, outside: Outside
) -> None:
    tell(alice, clock)
    deliver(outside, clock)
    row = Message.objects.get()
    assert (row.facts, row.path, row.topic) == ({}, "", "")
    tell(alice, clock)  # the same job once more
    assert deliver(outside, clock) == 0


def test_a_process_that_ends_before_it_forgets_who_it_was_about_has_not_noted_it_as_sent(
    alice: User,
    browser: Browser,
    clock: Clock,
    outside: Outside,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(_batch: object) -> None:
        raise Killed

    tell(alice, clock)
    with monkeypatch.context() as killed:
        killed.setattr(delivering, "_forget_what_was_said", die)
        with pytest.raises(Killed):
            deliver(outside, clock)
    assert ended() == (DeliveryState.WAITING, "")
    clock.forward(seconds=LEASE.total_seconds())
    deliver(outside, clock)
    assert ended() == (DeliveryState.SENT, "")
    assert Message.objects.get().facts == {}


@pytest.mark.parametrize(
    ("days", "seconds"),
    [([3], 3 * 86400), ([None], 86400), ([3, None], 3 * 86400), ([0.5, None], 86400)],
)
def test_a_push_service_keeps_it_until_the_last_copy_goes(
    alice: User,
    browser: Browser,
    clock: Clock,
    outside: Outside,
    network: Network,
    days: list[float | None],
    seconds: int,
) -> None:
    for number, day in enumerate(days):
        until = None if day is None else clock() + timedelta(days=day)
        news = News(owner_id=alice.pk, kind=Kind.FOUND, key=f"{number}", kept_until=until)
        outbox.add(news)
    planning.plan(clock())
    deliver(outside, clock)
    [request] = network.requests
    assert request.headers["TTL"] == str(seconds)


def test_what_happened_to_a_watch_does_not_push_aside_what_happened_before(
    alice: User, browser: Browser, clock: Clock, outside: Outside, network: Network
) -> None:
    for kind in (Kind.WATCH_RENAMED, Kind.WATCH_ENDED):
        outbox.add(News(owner_id=alice.pk, kind=kind, key=kind.value, topic="a" * 32))
        planning.plan(clock.forward(minutes=15))
        deliver(outside, clock)
    topics = {request.headers["Topic"] for request in network.requests}
    assert len(topics) == 2
    assert all(len(topic) == 32 for topic in topics)


@pytest.mark.parametrize("status", [404, 410])
def test_a_device_that_is_gone_is_removed(
    alice: User, browser: Browser, clock: Clock, outside: Outside, network: Network, status: int
) -> None:
    network.answers = [status]
    tell(alice, clock)
    deliver(outside, clock)
    assert not PushSubscription.objects.exists()
    assert ended() == (DeliveryState.GIVEN_UP, Reason.GONE)


@pytest.mark.parametrize("status", [400, 401, 403, 413, 301, 307])
def test_what_is_refused_is_given_up_and_no_redirect_followed(
    alice: User, browser: Browser, clock: Clock, outside: Outside, network: Network, status: int
) -> None:
    network.answers = [status]
    tell(alice, clock)
    deliver(outside, clock)
    assert deliver(outside, lambda: clock.forward(hours=20)) == 0
    assert ended() == (DeliveryState.GIVEN_UP, Reason.REFUSED)
    assert len(network.requests) == 1


@pytest.mark.parametrize("answer", [429, 500, 503, NotSent(Reason.NO_ANSWER)])
def test_what_may_work_later_is_tried_again_ever_more_rarely(
    alice: User,
    browser: Browser,
    clock: Clock,
    outside: Outside,
    network: Network,
    answer: int | Exception,
) -> None:
    network.answers = [answer]
    tell(alice, clock)
    times = []
    while Delivery.objects.get().state == DeliveryState.WAITING:
        before = len(network.requests)
        deliver(outside, clock)
        if len(network.requests) > before:
            times.append(clock() - NOON)
        clock.forward(seconds=30)
    assert [round(at.total_seconds() / 60) for at in times] == [0, 1, 6, 26, 86, 266]
    reason = Reason.NO_ANSWER if isinstance(answer, NotSent) else Reason.BUSY
    assert ended() == (DeliveryState.GIVEN_UP, reason)


@pytest.mark.parametrize(("retry_after_s", "tries"), [(None, 2), (5, 2), (1800, 1)])
def test_a_test_fails_while_somebody_looks_on(
    alice: User,
    browser: Browser,
    clock: Clock,
    outside: Outside,
    network: Network,
    retry_after_s: float | None,
    tries: int,
) -> None:
    Preference.objects.update(quiet_from=NOON.hour, quiet_until=NOON.hour + 2, time_zone="UTC")
    network.answers, network.retry_after_s = [503], retry_after_s
    outbox.add(News(owner_id=alice.pk, kind=Kind.TEST, key="test", facts={"way": Way.PUSH}))
    planning.plan(clock())
    for _ in range(10):
        deliver(outside, clock)
        clock.forward(seconds=5)
    assert ended() == (DeliveryState.GIVEN_UP, Reason.BUSY)
    assert len(network.requests) == tries


def test_a_push_service_says_when_to_come_again(
    alice: User, browser: Browser, clock: Clock, outside: Outside, network: Network
) -> None:
    network.answers, network.retry_after_s = [429, 201], 1800
    tell(alice, clock)
    deliver(outside, clock)
    clock.forward(minutes=29)
    assert deliver(outside, clock) == 0
    clock.forward(minutes=1)
    assert deliver(outside, clock) == 1


def test_no_try_wakes_anybody_at_night(
    alice: User, browser: Browser, clock: Clock, outside: Outside, network: Network
) -> None:
    network.answers = [500]
    tell(alice, clock)
    Preference.objects.update(quiet_from=12, quiet_until=18, time_zone="UTC")
    deliver(outside, clock)
    assert Delivery.objects.get().not_before == NOON.replace(hour=18)


def test_of_two_workers_one_sends(
    alice: User, browser: Browser, clock: Clock, outside: Outside, network: Network
) -> None:
    tell(alice, clock)
    row = Delivery.objects.get()
    assert delivering._try(row, outside, clock)
    assert not delivering._try(row, outside, clock)
    assert len(network.requests) == 1


def test_while_one_sends_another_does_not(
    alice: User, browser: Browser, clock: Clock, network: Network
) -> None:
    sent = []

    def post(request: Any) -> Any:
        sent.append(deliver(Outside(post=network.post, contact="me@example.org"), clock))
        return network.post(request)

    tell(alice, clock)
    assert deliver(Outside(post=post, contact="me@example.org"), clock) == 1
    assert sent == [0]


@pytest.mark.parametrize("way", [Way.PUSH, Way.WEBHOOK])
def test_after_a_crash_between_sending_and_noting_it_comes_again_as_the_same(
    alice: User, clock: Clock, outside: Outside, network: Network, way: Way
) -> None:
    Preference.objects.create(owner=alice)
    if way == Way.PUSH:
        Browser().subscribe(alice)
    else:
        webhooks.put(alice.pk, "https://hooks.example.org/a", ())
    tell(alice, clock)

    def post_and_die(request: Any) -> Any:
        network.post(request)
        raise Killed

    with pytest.raises(Killed):
        deliver(Outside(post=post_and_die, contact="me@example.org"), clock)
    assert deliver(outside, clock) == 0  # it may still be at it
    clock.forward(seconds=LEASE.total_seconds())
    assert deliver(outside, clock) == 1
    known_by = "Topic" if way == Way.PUSH else "webhook-id"
    assert len(network.requests) == 2
    assert len({request.headers[known_by] for request in network.requests}) == 1


def test_what_workers_die_of_is_given_up_in_the_end(
    alice: User, browser: Browser, clock: Clock
) -> None:
    def die(_request: Any) -> Any:
        raise Killed

    tell(alice, clock)
    for _ in range(20):
        with suppress(Killed):
            deliver(Outside(post=die, contact="me@example.org"), clock)
        clock.forward(seconds=LEASE.total_seconds())
    assert ended() == (DeliveryState.GIVEN_UP, Reason.INTERRUPTED)


def test_a_bug_in_one_message_holds_up_no_other(
    alice: User, browser: Browser, clock: Clock, network: Network, caplog: Any
) -> None:
    bob, bobs = make_user("bob"), Browser("https://web.push.apple.com/bob")
    bobs.subscribe(bob)

    def post(request: Any) -> Any:
        if "fcm" in request.url:
            raise ZeroDivisionError
        return network.post(request)

    tell(alice, clock)
    tell(bob, clock, key="job:2")
    assert deliver(Outside(post=post, contact="me@example.org"), clock) == 1
    waiting = Delivery.objects.get(state=DeliveryState.WAITING)
    assert (waiting.owner, waiting.reason) == (alice, Reason.FAULT)
    assert "crashed" in caplog.text


def test_one_way_that_fails_does_not_hold_up_the_others_nor_repeat_them(
    alice: User, browser: Browser, clock: Clock, outside: Outside, network: Network
) -> None:
    webhooks.put(alice.pk, "https://hooks.example.org/a", ())

    def post(request: Any) -> Any:
        network.answers = [500 if "hooks" in request.url else 201]
        return network.post(request)

    tell(alice, clock)
    outside = Outside(post=post, contact="me@example.org")
    for _ in range(40):
        deliver(outside, clock)
        clock.forward(minutes=1)
    asked = [request.url.split("/")[2] for request in network.requests]
    assert sorted(asked) == ["fcm.googleapis.com", *["hooks.example.org"] * 3]
    assert Message.objects.get().facts  # for the page to say what was given up


def test_a_job_that_is_forgotten_meanwhile_is_not_told_of(
    alice: User, browser: Browser, clock: Clock, outside: Outside, network: Network
) -> None:
    tell(alice, clock)
    outbox.forget(["a" * 32])
    assert deliver(outside, clock) == 0
    assert network.requests == []
    assert not Delivery.objects.exists()


def test_without_a_contact_there_is_no_push(
    alice: User, browser: Browser, clock: Clock, network: Network
) -> None:
    tell(alice, clock)
    deliver(Outside(post=network.post), clock)
    assert ended() == (DeliveryState.GIVEN_UP, Reason.NOT_SET_UP)


def test_a_device_of_another_key_has_to_be_set_up_again(
    alice: User, browser: Browser, clock: Clock, outside: Outside, network: Network
) -> None:
    PushSubscription.objects.update(server_key="B" * 87)
    tell(alice, clock)
    deliver(outside, clock)
    assert ended() == (DeliveryState.GIVEN_UP, Reason.OTHER_KEY)
    assert network.requests == []


def test_an_endpoint_is_looked_at_again_when_something_is_sent(
    alice: User, browser: Browser, clock: Clock, outside: Outside, network: Network
) -> None:
    PushSubscription.objects.update(endpoint="https://127.0.0.1/a")
    tell(alice, clock)
    deliver(outside, clock)
    assert ended() == (DeliveryState.GIVEN_UP, Reason.NOT_ALLOWED)
    assert network.requests == []


def test_a_worker_without_the_key_leaves_push_to_another(
    alice: User, browser: Browser, clock: Clock, outside: Outside, tmp_path: Any
) -> None:
    tell(alice, clock)
    (tmp_path / vapid.KEY_FILE).rename(tmp_path / "elsewhere")
    assert deliver(outside, clock) == 0
    assert Delivery.objects.get().tries == 0
    (tmp_path / "elsewhere").rename(tmp_path / vapid.KEY_FILE)
    assert deliver(outside, clock) == 1


def test_push_without_a_key_is_given_up_after_a_day_and_shown_for_a_week(
    alice: User, browser: Browser, clock: Clock, outside: Outside, tmp_path: Any
) -> None:
    webhooks.put(alice.pk, "https://hooks.example.org/a", ())
    tell(alice, clock)
    Delivery.objects.filter(way=Way.WEBHOOK).update(not_before=NOON + GIVEN_UP_AFTER)
    push = Delivery.objects.filter(way=Way.PUSH)
    delivering.give_up_old(clock.forward(days=2))
    assert push.get().state == DeliveryState.WAITING  # a turn that was late, no more
    (tmp_path / vapid.KEY_FILE).unlink()
    clock.now = NOON
    while Delivery.objects.get(way=Way.PUSH).ended_at is None:
        clock.forward(hours=1)
        delivering.give_up_old(clock())
        planning.prune(clock())
    assert clock() - NOON == GIVEN_UP_AFTER + timedelta(hours=1)
    assert (push.get().state, push.get().reason) == (DeliveryState.GIVEN_UP, Reason.TOO_LATE)
    assert Delivery.objects.get(way=Way.WEBHOOK).state == DeliveryState.WAITING
    planning.prune(clock.forward(days=7))
    assert push.exists()
    assert Message.objects.get().facts


def test_what_nobody_sends_for_a_week_is_given_up_unless_it_is_in_hand(
    alice: User, browser: Browser, clock: Clock
) -> None:
    tell(alice, clock)
    clock.forward(days=8)
    Delivery.objects.update(leased_until=clock() + LEASE, tries=1)
    delivering.give_up_old(clock())
    assert ended() == (DeliveryState.WAITING, "")
    delivering.give_up_old(clock.forward(seconds=LEASE.total_seconds()))
    assert ended() == (DeliveryState.GIVEN_UP, Reason.TOO_LATE)


@pytest.mark.parametrize("years", [-3, 3])
def test_a_clock_that_was_wrong_holds_nothing_up(
    alice: User, browser: Browser, clock: Clock, outside: Outside, network: Network, years: int
) -> None:
    network.answers = [500, 201]
    clock.now = datetime(2026 + years, 1, 1, tzinfo=UTC)
    tell(alice, clock)
    deliver(outside, clock)
    Delivery.objects.update(leased_until=clock() + LEASE)
    clock.now = NOON
    assert deliver(outside, clock) == 1


def test_a_worker_that_is_to_end_begins_nothing_more(
    alice: User, browser: Browser, clock: Clock, network: Network
) -> None:
    tell(alice, clock)
    deliver(Outside(post=network.post, contact="me@example.org", stop=lambda: True), clock)
    assert network.requests == []
    assert Delivery.objects.get().tries == 0
