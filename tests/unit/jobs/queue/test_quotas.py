"""Quotas: a user's limits, their use, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.errors import NeverFits, QuotaExceeded, explain
from jobs.files import deletion, workspace
from jobs.models import Artifact, Job, Quota
from jobs.queue import actions, erasure, idempotency, quotas
from jobs.queue.quotas import Use
from jobs.queue.submission import submit
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db
S = ItemState
SetEnv = Callable[..., None]


def test_without_limits_everything_is_counted_and_nothing_refused() -> None:
    alice = make_user("alice")
    job = submit(alice, ["@one", "@two", "???"])
    story = make_story(make_item(job, state=S.DONE))
    make_artifact(story, size_bytes=70)
    make_artifact(story, size_bytes=30, removed_at=timezone.now())
    make_job(make_user("bob"), links=5)
    usage = quotas.usage(alice)
    assert not usage.limited
    assert usage.active_items == Use(2, None)
    assert usage.items_per_day == Use(3, None)  # the refused line is not counted
    assert usage.stored_bytes == Use(70, None)
    assert usage.active_items.left is None


def test_a_users_own_limit_goes_before_the_instances(set_env: SetEnv) -> None:
    set_env(quota_active=5, quota_daily=6, quota_bytes=7)
    alice, bob = make_user("alice"), make_user("bob")
    Quota.objects.create(owner=alice, active_items=50, items_per_day=0)
    usage = quotas.usages([alice.pk, bob.pk])
    assert usage[alice.pk].active_items == Use(0, 50)
    assert usage[alice.pk].items_per_day == Use(0, None)  # 0: no limit
    assert usage[alice.pk].stored_bytes == Use(0, 7)
    assert [
        usage[bob.pk].active_items.limit,
        usage[bob.pk].items_per_day.limit,
        usage[bob.pk].stored_bytes.limit,
    ] == [5, 6, 7]
    assert usage[bob.pk].limited


def test_as_many_queries_for_many_as_for_one(django_assert_num_queries: Any) -> None:
    users = [make_user(name) for name in ("alice", "bob", "carol")]
    with django_assert_num_queries(4):
        quotas.usages([user.pk for user in users])


def test_too_many_at_once(set_env: SetEnv) -> None:
    set_env(quota_active=3)
    alice = make_user("alice")
    submit(alice, ["@one", "@two"])
    with pytest.raises(QuotaExceeded, match="active_items: 2 of 3") as refused:
        submit(alice, ["@three", "@four", "???"])
    assert Job.objects.count() == 1
    message, hint = explain(refused.value)
    assert "3 lines in the works at once" in message
    assert "room for 1 more" in message
    assert "cancel" in hint
    assert refused.value.retry_after_s
    submit(alice, ["@three", "???"])  # a refused line takes no room
    submit(make_user("bob"), ["@one", "@two"])  # nor does somebody else's


@pytest.mark.parametrize("limit", ["quota_active", "quota_daily"])
def test_what_never_fits_is_not_said_to_fit_later(set_env: SetEnv, limit: str) -> None:
    set_env(**{limit: 3})
    with pytest.raises(NeverFits) as refused:
        submit(make_user("alice"), ["@one", "@two", "@three", "@four"])
    assert not refused.value.retryable
    assert refused.value.retry_after_s is None
    message, hint = explain(refused.value)
    assert "3 lines" in message
    assert "You sent 4." in message
    assert "parts" in hint


def failed(count: int, **facts: Any) -> Job:
    job = make_job(make_user("alice"), settled_at=timezone.now())
    for _ in range(count):
        make_item(job, state=S.FAILED, error_code="timed_out", **facts)
    return job


def test_a_retry_takes_as_many_as_there_is_room_for(set_env: SetEnv) -> None:
    job = failed(5)
    submit(job.owner, ["@one"])
    set_env(quota_active=3, quota_daily=1)  # they count for the day they were sent
    assert actions.retry(job) == 2
    first = job.items.order_by("position").values_list("state", flat=True)
    assert list(first) == [S.QUEUED, S.QUEUED, S.FAILED, S.FAILED, S.FAILED]
    item = job.items.filter(state=S.FAILED)[0]
    with pytest.raises(QuotaExceeded, match="active_items: 3 of 3"):
        actions.retry(job)
    with pytest.raises(QuotaExceeded, match="active_items: 3 of 3"):
        actions.retry_item(item)
    assert job.items.filter(state=S.FAILED).count() == 3
    assert actions.retry(job, unlimited=True) == 3


def test_no_retry_while_the_files_fill_the_quota(set_env: SetEnv) -> None:
    set_env(quota_bytes=1000)
    job = failed(1)
    make_artifact(make_story(make_item(job, state=S.DONE)), size_bytes=1000)
    with pytest.raises(QuotaExceeded, match="stored_bytes"):
        actions.retry(job)
    assert job.items.filter(state=S.QUEUED).count() == 0


def test_nothing_to_retry_is_no_matter_of_limits(set_env: SetEnv) -> None:
    set_env(quota_active=1)
    submit(make_user("alice"), ["@one"])
    assert actions.retry(make_job(make_user("alice"))) == 0


def test_the_same_request_again_is_no_more(set_env: SetEnv) -> None:
    set_env(quota_active=1)
    alice = make_user("alice")
    first = submit(alice, ["@one"], idempotency_key="k")
    assert submit(alice, ["@one"], idempotency_key="k") == first


def test_the_other_request_with_this_key_took_the_last_place(
    set_env: SetEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_env(quota_active=1)
    alice = make_user("alice")
    first = submit(alice, ["@one"], idempotency_key="k")
    answers = iter([None, first, None, None])
    monkeypatch.setattr(idempotency, "earlier_job", lambda *_: next(answers))
    assert submit(alice, ["@one"], idempotency_key="k") == first
    with pytest.raises(QuotaExceeded):
        submit(alice, ["@one"], idempotency_key="other")


def test_too_many_today_until_midnight(set_env: SetEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    set_env(quota_daily=2)
    alice = make_user("alice")
    now = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    old = submit(alice, ["@one"])
    old.items.update(created_at=now - timedelta(hours=23))
    submit(alice, ["@one"]).items.update(state=S.DONE)
    with pytest.raises(QuotaExceeded, match="items_per_day: 1 of 2") as refused:
        submit(alice, ["@two", "@three"])
    assert refused.value.retry_after_s == 90 * 60
    assert "1 is left today" in explain(refused.value)[0]
    now += timedelta(minutes=90)
    submit(alice, ["@two", "@three"])


def test_forgetting_gives_no_day_back(set_env: SetEnv) -> None:
    set_env(quota_daily=3)
    alice = make_user("alice")
    for _ in range(3):
        erasure.erase(submit(alice, ["@one"]))
    assert quotas.usage(alice).items_per_day == Use(3, 3)
    with pytest.raises(QuotaExceeded):
        submit(alice, ["@one"])
    Quota.objects.update(forgotten_on=timezone.now().astimezone(UTC).date() - timedelta(days=1))
    assert quotas.usage(alice).items_per_day == Use(0, 3)
    erasure.erase(submit(alice, ["@one"]))
    assert quotas.usage(alice).items_per_day == Use(1, 3)


def test_no_new_work_while_the_files_fill_the_quota(set_env: SetEnv) -> None:
    set_env(quota_bytes=1000)
    alice = make_user("alice")
    story = make_story(make_item(make_job(alice), state=S.DONE))
    first = make_artifact(story, size_bytes=400, expires_at=timezone.now() + timedelta(hours=1))
    submit(alice, ["@one"])
    make_artifact(story, size_bytes=600)
    with pytest.raises(QuotaExceeded, match="stored_bytes: 1000 of 1000") as refused:
        submit(alice, ["@two"])
    assert 3600 <= (refused.value.retry_after_s or 0) <= 3700
    assert "1\u00a0kB" in explain(refused.value)[0]
    submit(make_user("bob"), ["@two"])
    deletion.delete(Artifact.objects.filter(pk=first.pk))
    submit(alice, ["@two"])


def test_arriving_bytes_stay_within_the_owners_quota(set_env: SetEnv) -> None:
    alice, bob = make_user("alice"), make_user("bob")
    make_artifact(make_story(make_item(make_job(alice), state=S.DONE)), size_bytes=500)
    assert quotas.max_stored_bytes(alice.pk) is None
    with (
        workspace.Workspace("a.1", owner_id=alice.pk, max_bytes=1000) as first,
        workspace.Workspace("a.2", owner_id=alice.pk, max_bytes=1000) as second,
        workspace.Workspace("b.1", owner_id=bob.pk, max_bytes=1000) as other,
    ):
        first.reserve(300)
        with pytest.raises(QuotaExceeded):
            second.reserve(201)
        second.reserve(200)
        with pytest.raises(QuotaExceeded):
            first.reserve(1)
        other.reserve(1000)
