"""What the clock has done about messages to people."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from jobs.ephemeral.clock import ClockWatch
from jobs.ephemeral.connection import RedisUnavailable
from notices import delivering, outbox, planning, webhooks
from notices.kinds import DeliveryState, Kind, Way
from notices.models import Delivery, Message, Preference
from notices.outbox import News
from tests.factories import make_user
from tests.receivers import receiving
from webapp import notices_due

pytestmark = pytest.mark.django_db


class Leases:
    """What is due, while Redis is there."""

    def __init__(self) -> None:
        self.due = True
        self.away = False

    def acquire(self, _name: str, _holder: str, *, seconds: float) -> bool:
        if self.away:
            raise RedisUnavailable
        return self.due and seconds > 0


@pytest.fixture(autouse=True)
def leases(monkeypatch: pytest.MonkeyPatch) -> Leases:
    leases = Leases()
    monkeypatch.setattr("webapp.notices_due.leases.acquire", leases.acquire)
    return leases


def test_from_the_outbox_to_a_webhook(tmp_path: Path, set_env: Callable[..., None]) -> None:
    alice = make_user()
    Preference.objects.create(owner=alice)
    with receiving() as receiver:
        hosts = (f"127.0.0.1:{receiver.port}",)
        set_env(
            data_dir=tmp_path, webhook_hosts=hosts, public_url="https://stories.example.org/sub"
        )
        webhooks.put(alice.pk, f"http://{hosts[0]}/a", hosts)
        outbox.add(News(owner_id=alice.pk, kind=Kind.SAVED, key="job:1", path="jobs/1/"))
        assert notices_due.run(timezone.now()) == 1
        assert notices_due.run(timezone.now()) == 0
    assert b'"url":"https://stories.example.org/sub/jobs/1/"' in receiver.taken[0].body
    assert Delivery.objects.get().state == DeliveryState.SENT


def test_while_there_is_nothing_to_send_there_is_no_http_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "webapp.sending", raising=False)
    notices_due.run(timezone.now())
    assert "webapp.sending" not in sys.modules


def test_old_ones_are_removed_in_the_end(leases: Leases) -> None:
    alice = make_user()
    at = timezone.now() - timedelta(days=8)
    Message.objects.create(owner=alice, kind=Kind.SAVED, key="1", created_at=at, not_before=at)
    Preference.objects.create(owner=alice)
    leases.due = False
    notices_due.run(timezone.now())
    assert Message.objects.exists()
    leases.due = True
    notices_due.run(timezone.now())
    assert not Message.objects.exists()


def test_what_nobody_can_send_is_given_up_before_old_ones_are_removed(
    tmp_path: Path, set_env: Callable[..., None]
) -> None:
    set_env(data_dir=tmp_path)  # without a key
    alice, at = make_user(), timezone.now() - timedelta(days=8)
    Preference.objects.create(owner=alice)
    Delivery.objects.create(owner=alice, batch=uuid4(), way=Way.PUSH, created_at=at, not_before=at)
    notices_due.run(timezone.now())
    assert Delivery.objects.get().state == DeliveryState.GIVEN_UP


def test_a_clock_that_was_set_forward_makes_nothing_late(
    tmp_path: Path, set_env: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be set back: then all of it is sent, and known to have been told."""
    system_s = ahead_s = time.time()
    watch = ClockWatch(lambda: ahead_s)
    monkeypatch.setattr("webapp.notices_due.clock.watch", watch)
    alice = make_user()
    Preference.objects.create(owner=alice)
    Message.objects.create(owner=alice, kind=Kind.SAVED, key="job:0", batch=uuid4())
    ahead_s += timedelta(days=8).total_seconds()
    with receiving() as receiver:
        receiver.statuses = [503]
        hosts = (f"127.0.0.1:{receiver.port}",)
        set_env(data_dir=tmp_path, webhook_hosts=hosts)
        webhooks.put(alice.pk, f"http://{hosts[0]}/a", hosts)
        outbox.add(News(owner_id=alice.pk, kind=Kind.SAVED, key="job:1"))
        planning.plan(timezone.now())
        then = datetime.fromtimestamp(ahead_s, tz=UTC)
        with monkeypatch.context() as ahead:
            deliver = partial(delivering.deliver, clock=lambda: then)
            ahead.setattr("notices.delivering.deliver", deliver)
            assert notices_due.run(then) == 0
        assert Delivery.objects.get().state == DeliveryState.WAITING
        assert Message.objects.count() == 2
        receiver.statuses, ahead_s = [200], system_s
        assert notices_due.run(timezone.now()) == 1
    assert Delivery.objects.get().state == DeliveryState.SENT


def test_without_redis_messages_are_sent_all_the_same(leases: Leases, monkeypatch: Any) -> None:
    leases.away = True
    alice = make_user()
    Preference.objects.create(owner=alice)
    webhooks.put(alice.pk, "https://hooks.example.org/a", ())
    outbox.add(News(owner_id=alice.pk, kind=Kind.SAVED, key="job:1"))
    monkeypatch.setattr("notices.delivering.deliver", lambda _outside: 7)
    assert notices_due.run(timezone.now()) == 7
    assert Delivery.objects.count() == 1
