"""Queries that are compiled once: other arguments, the same values as the ORM's."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db.models import DateTimeField, IntegerField, QuerySet
from django.utils import timezone

from jobs.models import Artifact, Item, Job
from jobs.queries.prepared import PreparedQuery, Row, Slot, id_slots, padded
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db

COLUMNS = (
    "id", "job_id", "owner_id", "story_id", "role", "size_bytes", "duration_s", "has_audio",
    "checked", "labels", "created_at", "expires_at", "removed_at", "content_id",
)  # fmt: skip


def test_values_are_those_of_the_orm() -> None:
    story = make_story()
    now = timezone.now()
    make_artifact(story, labels=["hevc"], duration_s=7.53, has_audio=True, removed_at=now)
    make_artifact(story, expires_at=now.replace(microsecond=0), content_id=uuid.uuid4())
    of_job = PreparedQuery(
        lambda _: (
            Artifact.objects.filter(job_id=id_slots(1)[0])
            .order_by("position")
            .values_list(*COLUMNS)
        )
    )
    files = Artifact.objects.filter(job_id=story.item.job_id).order_by("position")
    assert of_job.rows(story.item.job_id) == list(files.values_list(*COLUMNS))
    assert of_job.rows(uuid.uuid4()) == []


def test_it_is_built_once_for_each_number_of_arguments() -> None:
    built = []

    def build(arguments: int) -> QuerySet[Job, Row]:
        built.append(arguments)
        return Job.objects.filter(id__in=id_slots(arguments)).order_by("note").values_list("note")

    by_ids = PreparedQuery(build)
    jobs = [make_job(note=note) for note in "abc"]
    assert by_ids.rows(jobs[0].pk) == [("a",)]
    assert by_ids.rows(jobs[1].pk) == [("b",)]
    assert by_ids.rows(jobs[1].pk, jobs[2].pk) == [("b",), ("c",)]
    assert built == [1, 2]


def test_arguments_of_other_types_take_their_places() -> None:
    now = timezone.now()
    mine = make_item(make_job(make_user("alice")), not_before=now)
    make_item(make_job(make_user("bob")), not_before=now)
    owner, before = Slot(0, IntegerField()), Slot(1, DateTimeField())
    due = PreparedQuery(
        lambda _: Item.objects.filter(owner_id=owner, not_before__lte=before).values_list("id")
    )
    assert due.rows(mine.owner_id, now) == [(mine.pk,)]
    assert due.rows(mine.owner_id, now - timedelta(microseconds=1)) == []


@pytest.mark.parametrize(("count", "length"), [(1, 1), (3, 5), (6, 10), (50, 50), (70, 70)])
def test_few_numbers_of_ids_are_compiled(count: int, length: int) -> None:
    ids = [uuid.uuid4() for _ in range(count)]
    passed = padded(ids)
    assert (len(passed), list(dict.fromkeys(passed))) == (length, ids)
