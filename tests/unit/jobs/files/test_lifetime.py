"""How long files are kept, and for how much longer they can be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.files import lifetime
from jobs.models import Artifact
from tests.factories import make_artifact, make_job, make_story, make_user

pytestmark = pytest.mark.django_db
SetEnv = Callable[..., None]
HOUR = timedelta(hours=1)


def test_extending_keeps_files_longer_up_to_the_maximum_and_never_shortens(
    set_env: SetEnv,
) -> None:
    set_env(artifact_ttl=2 * HOUR, artifact_ttl_max=24 * HOUR)
    now = timezone.now()
    story = make_story()

    def make(saved: timedelta, left: timedelta, **facts: Any) -> Artifact:
        return make_artifact(story, created_at=now - saved, expires_at=now + left, **facts)

    fresh = make(HOUR, HOUR)
    at_the_limit = make(23 * HOUR, HOUR / 2)
    longer = make(HOUR, 5 * HOUR)
    removed = make(HOUR, HOUR, removed_at=now)
    expired = make(3 * HOUR, -HOUR)

    extension = lifetime.extend(story.item.job)

    def left(file: Artifact) -> float:
        file.refresh_from_db()
        return round((file.expires_at - now) / HOUR, 2)

    assert left(fresh) == 3
    assert left(at_the_limit) == 1
    assert left(longer) == 7
    assert left(removed) == 1
    assert left(expired) == -1
    assert extension == lifetime.Extension(until=at_the_limit.expires_at, longest=True)


def test_extending_tells_whether_more_is_possible(set_env: SetEnv) -> None:
    set_env(artifact_ttl=2 * HOUR, artifact_ttl_max=24 * HOUR)
    now = timezone.now()
    story = make_story()
    make_artifact(story, created_at=now - HOUR, expires_at=now + HOUR)
    extension = lifetime.extend(story.item.job)
    assert extension
    assert not extension.longest
    assert round((extension.until - now) / HOUR, 2) == 3
    extension = lifetime.extend(story.item.job)
    assert extension
    assert round((extension.until - now) / HOUR, 2) == 5
    set_env(artifact_ttl=2 * HOUR, artifact_ttl_max=2 * HOUR)
    unchanged = lifetime.extend(story.item.job)
    assert unchanged == lifetime.Extension(until=extension.until, longest=True)


def test_extending_right_after_saving_adds_a_whole_lifetime(set_env: SetEnv) -> None:
    set_env(artifact_ttl=2 * HOUR, artifact_ttl_max=5 * HOUR)
    now = timezone.now()
    story = make_story()
    file = make_artifact(story, created_at=now, expires_at=now + 2 * HOUR)
    for hours in (4, 5, 5):
        extension = lifetime.extend(story.item.job)
        file.refresh_from_db()
        assert extension == lifetime.Extension(until=now + hours * HOUR, longest=hours == 5)
        assert file.expires_at == now + hours * HOUR


def test_a_gain_of_seconds_is_none(set_env: SetEnv) -> None:
    """A file's row is made a moment before or after its time is counted from."""
    set_env(artifact_ttl=2 * HOUR, artifact_ttl_max=2 * HOUR)
    now = timezone.now()
    until = now + 2 * HOUR - timedelta(seconds=5)
    assert lifetime.extended(until, now) == until
    assert lifetime.extended(until - HOUR, now) == now + 2 * HOUR


def test_a_bundle_is_not_kept_longer_than_what_it_holds(set_env: SetEnv) -> None:
    set_env(artifact_ttl=2 * HOUR, artifact_ttl_max=24 * HOUR)
    now = timezone.now()
    story = make_story()
    make_artifact(story, created_at=now - 23.5 * HOUR, expires_at=now + HOUR / 4)
    bundle = make_artifact(job=story.item.job, created_at=now, expires_at=now + HOUR / 4)
    lifetime.extend(story.item.job)
    bundle.refresh_from_db()
    assert round((bundle.expires_at - now) / HOUR, 2) == 0.5


def test_nothing_to_extend() -> None:
    assert lifetime.extend(make_job(make_user())) is None


def test_times_of_files_saved_by_a_wrong_clock_are_put_right() -> None:
    now = timezone.now()

    def make(saved_at: datetime, **facts: Any) -> Artifact:
        return make_artifact(created_at=saved_at, expires_at=saved_at + HOUR, **facts)

    earlier, wrong, later = (make(now + n * HOUR) for n in (-3, 0, 3))
    removed = make(now, removed_at=now)
    times = (now - HOUR, now + HOUR)
    assert lifetime.put_right(24 * HOUR, *times) == 1
    wrong.refresh_from_db()
    assert (wrong.created_at, wrong.expires_at) == (now + 24 * HOUR, now + 25 * HOUR)
    for file in (earlier, later, removed):
        saved_at = file.created_at
        file.refresh_from_db()
        assert file.created_at == saved_at

    assert lifetime.put_right(-24 * HOUR, now + 20 * HOUR, None) == 1
    wrong.refresh_from_db()
    assert (wrong.created_at, wrong.expires_at) == (now, now + HOUR)


def test_jobs_that_were_over_then_are_kept_as_long_as_others() -> None:
    now = timezone.now()
    jobs = [make_job(settled_at=now + n * HOUR) for n in (-3, 0, 3)]
    open_job = make_job()
    lifetime.put_right(24 * HOUR, now - HOUR, now + HOUR)
    for job in (*jobs, open_job):
        job.refresh_from_db()
    assert [job.settled_at for job in jobs] == [now - 3 * HOUR, now + 24 * HOUR, now + 3 * HOUR]
    assert open_job.settled_at is None


def test_what_a_watch_found_is_kept_until_it_is_collected(set_env: SetEnv) -> None:
    now = timezone.now()
    assert lifetime.first_expires_at(now, from_watch=True) == now + timedelta(days=3)
    assert lifetime.first_expires_at(now, from_watch=False) == now + timedelta(hours=2)
    set_env(watch_keep=timedelta(hours=1))
    assert lifetime.first_expires_at(now, from_watch=True) == now + timedelta(hours=2)


def test_a_zip_somebody_asked_for_is_not_kept_as_long_as_what_waits_in_it() -> None:
    now = timezone.now()
    until = now + timedelta(days=3)
    old = make_artifact(created_at=now - timedelta(days=2), expires_at=until)
    assert lifetime.zip_expires_at([old], now) == until
    asked_for = lifetime.zip_expires_at([old], now, on_demand=True)
    assert asked_for == now + timedelta(hours=2)


def test_the_usual_life_of_a_collected_file_can_be_extended() -> None:
    now = timezone.now()
    old = make_artifact(
        created_at=now - timedelta(days=2), collected_at=now, expires_at=now + timedelta(hours=2)
    )
    extension = lifetime.extend(old.job)
    assert extension is not None
    assert extension.until == old.expires_at + timedelta(hours=2)
