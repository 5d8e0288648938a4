"""Erasing a job: rows, files and progress go at once."""

from __future__ import annotations

import errno
import uuid
from pathlib import Path

import pytest

from jobs.ephemeral import progress
from jobs.files import store
from jobs.models import Artifact, Item, Job, Package
from jobs.queue import erasure
from jobs.queue.claims import Claim, is_held
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story

pytestmark = pytest.mark.django_db


def test_forgetting_removes_everything_at_once(
    monkeypatch: pytest.MonkeyPatch, artifacts: Path
) -> None:
    forgotten: list[uuid.UUID] = []
    monkeypatch.setattr(progress, "erase", forgotten.append)
    job = make_job()
    item = make_item(job, state=ItemState.RUNNING)
    make_artifact(make_story(item), content=b"x")
    bundle = make_artifact(job=job, content=b"zip")
    job.bundle = Package.objects.create(job=job, owner=job.owner, artifact=bundle)
    job.save()
    other = make_artifact(content=b"other")

    erasure.erase(job)

    assert not Job.objects.filter(pk=job.pk).exists()
    assert not Item.objects.filter(pk=item.pk).exists()
    assert Package.objects.count() == 0
    assert list(Artifact.objects.all()) == [other]
    assert [path.name for path in artifacts.glob("*/*") if path.is_file()] == [str(other.pk)]
    assert forgotten == [job.pk]
    assert not is_held(Claim(item.pk, item.attempt))


def test_forgetting_goes_on_when_a_file_resists(monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = make_artifact(content=b"x")

    def resist(artifact_id: uuid.UUID) -> bool:
        raise PermissionError(errno.EACCES, "no")

    with monkeypatch.context() as patch:
        patch.setattr(store, "remove", resist)
        erasure.erase(artifact.job)
    assert Job.objects.count() == 0
