"""An admin's browser, and a job to look at."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Job, Package
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user


@pytest.fixture
def boss() -> User:
    """Runs the instance."""
    return make_user("boss", is_staff=True, is_superuser=True)


@pytest.fixture
def browser(boss: User) -> Client:
    """The admin's browser."""
    client = Client()
    client.force_login(boss)
    return client


@pytest.fixture
def job() -> Job:
    """Alice's, with one of everything."""
    job = make_job(make_user("alice"))
    story = make_story(make_item(job, state=ItemState.FAILED, error_code="upstream_down"))
    make_artifact(story, size_bytes=2_500_000, content=b"x" * 9)
    make_item(job)
    Package.objects.create(job=job, owner=job.owner)
    return job
