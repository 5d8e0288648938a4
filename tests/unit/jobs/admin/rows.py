"""A job with lines in every state that matters to the actions on it."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from jobs.models import Job
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

S = ItemState


def make_varied_job() -> Job:
    """A line in every state that matters, and a file."""
    job = make_job(make_user("alice"))
    make_item(job, name="one", state=S.QUEUED, not_before=timezone.now() + timedelta(hours=1))
    make_item(job, name="two", state=S.RUNNING)
    done = make_item(job, name="three", state=S.DONE)
    make_item(job, name="four", state=S.FAILED, error_code="upstream_down")
    make_item(job, name="five", state=S.FAILED, error_code="upstream_changed")
    make_item(job, name="six", state=S.FAILED, error_code="not_understood", key="", target={})
    make_artifact(make_story(done), size_bytes=2_500_000, content=b"x")
    return job


def states(job: Job) -> list[str]:
    """The states of its lines, in their order."""
    return list(job.items.order_by("position").values_list("state", flat=True))
