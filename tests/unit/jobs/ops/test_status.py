"""The status of the instance for a sensor: what it calls well, refused and a problem."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.files import capacity
from jobs.ops import status
from jobs.ops.status import Kept
from jobs.upstream.breaker import BreakerState
from tests.factories import make_item, make_job, make_user
from tests.memory import redis_stays_away
from tests.unit.jobs.ops.instances import stand_in_for_redis

pytestmark = pytest.mark.django_db


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Redis says; two workers are alive."""
    return stand_in_for_redis(monkeypatch)


@pytest.mark.usefixtures("redis")
def test_all_is_well() -> None:
    seen = status.read(timezone.now())
    assert (seen.state, seen.workers, seen.refused_until) == ("ok", 2, None)


def test_tiktok_refuses_until_then(redis: dict[str, Any]) -> None:
    now = timezone.now()
    redis["breaker"] = BreakerState(now + timedelta(minutes=5), "refused")
    seen = status.read(now)
    assert (seen.state, seen.refused_until) == ("refused", now + timedelta(minutes=5))
    redis["breaker"] = BreakerState(now - timedelta(seconds=1), "refused")
    assert status.read(now).state == "ok"


def test_nobody_works(redis: dict[str, Any]) -> None:
    redis["heard"] = {}
    redis["breaker"] = BreakerState(timezone.now() + timedelta(minutes=5), "refused")
    assert status.read(timezone.now()).state == "problem"


def test_redis_is_away() -> None:
    redis_stays_away()
    seen = status.read(timezone.now())
    assert (seen.state, seen.workers) == ("problem", None)


@pytest.mark.usefixtures("redis")
def test_there_is_no_room(set_env: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise FileNotFoundError

    set_env(disk_min_free=10**18)
    assert status.read(timezone.now()).state == "problem"
    set_env(disk_min_free=0)
    monkeypatch.setattr(capacity, "measure", away)
    assert status.read(timezone.now()).state == "problem"


@pytest.mark.usefixtures("redis")
def test_lines_that_nobody_takes() -> None:
    now = timezone.now()
    make_item(asked_at=now - timedelta(hours=1))
    assert status.read(now).state == "problem"
    make_item(state="running")
    assert status.read(now).state == "ok"


@pytest.mark.usefixtures("redis")
def test_when_something_was_saved_last() -> None:
    now = timezone.now()
    assert status.read(now).saved_at is None
    make_item(state="partial", settled_at=now - timedelta(minutes=3))
    make_item(state="done", settled_at=now - timedelta(minutes=9))
    make_item(state="failed", settled_at=now)
    assert status.read(now).saved_at == now - timedelta(minutes=3)


@pytest.mark.usefixtures("redis")
def test_it_is_read_once_for_many(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    kept = Kept()
    with django_assert_max_num_queries(6):
        first = kept.status()
    with django_assert_max_num_queries(0):
        assert kept.status() is first
    kept._read_at = float("-inf")
    assert kept.status() is not first


def test_a_persons_own(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    now = timezone.now()
    alice, bob = make_user("alice"), make_user("bob")
    job = make_job(alice)
    make_item(job, asked_at=now - timedelta(minutes=4))
    make_item(job, asked_at=now - timedelta(minutes=2), state="running")
    make_item(job, state="done", settled_at=now)
    make_item(make_job(alice, erased_at=now))
    make_item(make_job(bob), asked_at=now - timedelta(hours=1))
    with django_assert_max_num_queries(3):
        own = status.own(alice)
    assert (own.queued, own.running, own.saved_at) == (1, 1, now)
    assert own.oldest_since == now - timedelta(minutes=4)
    assert status.own(bob).saved_at is None
