"""Which files go when some are deleted, and that their rows stay."""

from __future__ import annotations

import pytest
from django.utils import timezone

from jobs.files import deletion, store
from jobs.models import Artifact, Job, Role
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story

pytestmark = pytest.mark.django_db


def test_deleting_a_picture_takes_every_copy_of_it() -> None:
    story = make_story()
    first = make_artifact(story, content=b"1")
    second = make_artifact(story, content=b"2")
    deleted = [
        first,
        make_artifact(story, content=b"p", role=Role.POSTER, position=1),
        make_artifact(story, content=b"j", role=Role.CONVERTED, position=1),
        make_artifact(story, content=b"z", role=Role.ZIP, position=0),
        make_artifact(job=story.item.job, content=b"b"),
    ]
    kept = [
        second,
        make_artifact(story, content=b"p", role=Role.POSTER, position=2),
        make_artifact(content=b"other job"),
    ]

    assert len(deletion.delete(Artifact.objects.filter(pk=first.pk))) == len(deleted)

    for file in deleted:
        file.refresh_from_db()
        assert file.removed_at
        assert store.size(file.pk) is None
    for file in kept:
        file.refresh_from_db()
        assert file.removed_at is None
    assert len(deletion.delete(Artifact.objects.filter(pk=first.pk))) == 0


def test_deleting_a_zip_takes_the_zip_alone() -> None:
    story = make_story()
    media = make_artifact(story, content=b"1")
    zipped = make_artifact(story, content=b"z", role=Role.ZIP, position=0)
    bundle = make_artifact(job=story.item.job, content=b"b")
    assert len(deletion.delete(Artifact.objects.filter(pk=zipped.pk))) == 1
    assert len(deletion.delete(Artifact.objects.filter(pk=bundle.pk))) == 1
    assert store.size(media.pk) == 1


def test_what_goes_with_a_file_is_known_before() -> None:
    """For the question that is asked first; however many are chosen, each is counted once."""
    story = make_story()
    first, second = (make_artifact(story, size_bytes=10) for _ in range(2))
    poster = make_artifact(story, role=Role.POSTER, position=1)
    zipped = make_artifact(story, role=Role.ZIP, position=0)
    bundle = make_artifact(job=story.item.job)
    make_artifact(story, role=Role.AUDIO_TRACK, position=1, removed_at=timezone.now())
    make_artifact()
    files = Artifact.objects.all()

    def goes(*chosen: Artifact) -> set[Artifact]:
        return set(deletion.dependents(files.filter(pk__in=[artifact.pk for artifact in chosen])))

    assert goes(poster) == {poster}
    assert goes(zipped, bundle) == {zipped, bundle}
    assert goes(first) == {first, poster, zipped, bundle}
    assert goes(first, poster, second, bundle) == {first, second, poster, zipped, bundle}
    assert set(deletion.delete(files.filter(pk=first.pk))) == {
        first.pk, poster.pk, zipped.pk, bundle.pk,
    }  # fmt: skip
    assert deletion.delete(files.filter(pk__in=[first.pk, poster.pk])) == []


def test_deleting_a_lines_files_takes_the_zips_that_hold_them() -> None:
    job = make_job()
    story, other = (make_story(make_item(job, state=ItemState.DONE)) for _ in range(2))
    file, kept = make_artifact(story), make_artifact(other)
    bundle = make_artifact(job=job)
    assert set(deletion.delete(Artifact.objects.filter(item=story.item))) == {file.pk, bundle.pk}
    kept.refresh_from_db()
    assert kept.removed_at is None


def test_deleting_all_files_keeps_the_record() -> None:
    story = make_story()
    make_artifact(story, content=b"1")
    make_artifact(job=story.item.job, content=b"b")
    assert deletion.delete_job_files(story.item.job) == 2
    assert Artifact.objects.filter(removed_at=None).count() == 0
    assert Job.objects.filter(pk=story.item.job_id).exists()
