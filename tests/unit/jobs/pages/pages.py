"""What tests of pages need."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import Job, StoryKind
from jobs.pages import presenter
from jobs.pages.presenter import JobPage
from jobs.queries.snapshot import load_snapshot
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story


def shown(response: Any) -> str:
    """The page, one space between words."""
    assert response.status_code < 500
    return " ".join(response.content.decode().split())


def saved(owner: User | None = None, *, kind: StoryKind = StoryKind.PHOTO, **facts: Any) -> Job:
    """A settled job with one story and its file."""
    job = make_job(owner, settled_at=timezone.now())
    item = make_item(job, name="nora", state=ItemState.DONE, author_id="1", author_name="nora")
    posted = timezone.now() - timedelta(hours=3)
    story = make_story(
        item, kind=kind, posted_at=posted, leaves_at=posted + timedelta(hours=24), **facts
    )
    make_artifact(story, content=b"bytes")
    return job


def page_of(job: Job) -> JobPage:
    """The page of a job, for its owner."""
    snapshot = load_snapshot(job.pk, job.owner)
    assert snapshot
    return presenter.present(snapshot)
