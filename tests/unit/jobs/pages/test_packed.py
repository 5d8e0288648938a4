"""What a ZIP would hold, counted from a snapshot as it is packed from rows."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import Artifact, Role
from jobs.pages.packed import packed
from jobs.zips.contents import package_files
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.pages.pages import page_of

pytestmark = pytest.mark.django_db


def test_the_page_and_the_zip_count_the_same(alice: User) -> None:
    job = make_job(alice)
    for _ in range(2):  # one story by two lines is one file
        story = make_story(make_item(job), tiktok_id="70")
        make_artifact(story, sha256="a" * 64)
    make_artifact(story, role=Role.CONVERTED, sha256="b" * 64)
    make_artifact(story, role=Role.POSTER)
    gone = make_artifact(make_story(make_item(job)))
    Artifact.objects.filter(pk=gone.pk).update(removed_at=timezone.now())
    # Of two copies of one file either will do.
    found = sorted(file.sha256 for file in packed(page_of(job).job.stories))
    assert found == sorted(file.sha256 for file in package_files(job.pk))
    assert found == ["a" * 64, "b" * 64]
