"""What a look found becomes a job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from jobs.errors import DiskFull, QuotaExceeded
from jobs.models import Item, Job
from jobs.queue.found import Found, submit_found
from tests.factories import make_job, make_user
from tests.unit.jobs.watching.making import ANNA, story

pytestmark = pytest.mark.django_db
SetEnv = Callable[..., None]


def found(count: int = 2) -> Found:
    stories = [story(number) for number in range(1, count + 1)]
    return Found(look_id=uuid4(), author=ANNA, stories=stories)


def test_it_is_an_ordinary_job_with_one_line() -> None:
    owner = make_user()
    make_job(owner, time_zone="Asia/Tokyo")
    make_job(owner)
    what = found()
    job = submit_found(owner, what, now=timezone.now(), note="why")
    assert (job.from_watch, job.note, job.time_zone) == (True, "why", "Asia/Tokyo")
    item = job.items.get()
    assert item.only_ids.split() == [each.id for each in what.stories]
    assert (item.position, item.line, item.key) == (1, "@anna", "user:anna")


def test_a_story_that_leaves_soon_makes_it_urgent() -> None:
    now = timezone.now()
    soon = story(age=timedelta(hours=23, minutes=30))
    what = Found(look_id=uuid4(), author=ANNA, stories=[story(2), soon])
    assert submit_found(make_user(), what, now=now).items.get().asked_at == now


def test_limits_hold_for_what_nobody_pasted(set_env: SetEnv) -> None:
    owner = make_user()
    set_env(quota_daily=1)
    submit_found(owner, found(), now=timezone.now())
    with pytest.raises(QuotaExceeded):
        submit_found(owner, found(), now=timezone.now())
    set_env(quota_daily=0, disk_min_free=10**18)
    with pytest.raises(DiskFull):
        submit_found(owner, found(), now=timezone.now())
    assert (Job.objects.count(), Item.objects.count()) == (1, 1)
