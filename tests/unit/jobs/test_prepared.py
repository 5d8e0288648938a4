"""Queries that are compiled once: other arguments, the same values as the ORM's."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone

from jobs.models import Artifact, Item, Job
from jobs.prepared import (
    PreparedQuery,
    Row,
    id_slot,
    ids_slot,
    number_slot,
    padded,
    text_slot,
    time_slot,
)
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
            Artifact.objects.filter(job_id=id_slot(0)).order_by("position").values_list(*COLUMNS)
        )
    )
    files = Artifact.objects.filter(job_id=story.item.job_id).order_by("position")
    rows = list(files.values_list(*COLUMNS))
    assert of_job.rows(story.item.job_id) == rows
    assert of_job.first(story.item.job_id) == rows[0]
    assert of_job.rows(uuid.uuid4()) == []
    assert of_job.first(uuid.uuid4()) is None


def test_it_is_built_once_for_each_number_of_arguments() -> None:
    built = []

    def build(arguments: int) -> QuerySet[Job, Row]:
        built.append(arguments)
        jobs = Job.objects.filter(id__in=ids_slot(0, arguments))
        return jobs.order_by("note").values_list("note")

    by_ids = PreparedQuery(build)
    jobs = [make_job(note=note) for note in "abc"]
    assert by_ids.rows(jobs[0].pk) == [("a",)]
    assert by_ids.rows(jobs[1].pk) == [("b",)]
    assert by_ids.rows(jobs[1].pk, jobs[2].pk) == [("b",), ("c",)]
    assert built == [1, 2]


def test_a_list_of_ids_has_its_place_beside_other_arguments() -> None:
    items = [make_item(attempt=attempt) for attempt in (3, 4, 5)]
    below = PreparedQuery(
        lambda count: (
            Item.objects.filter(attempt__lt=number_slot(0), job_id__in=ids_slot(1, count - 1))
            .order_by("attempt")
            .values_list("attempt")
        )
    )
    jobs = [item.job_id for item in items]
    assert below.rows(5, *jobs) == [(3,), (4,)]
    assert below.rows(5, jobs[1]) == [(4,)]
    assert below.rows(9, jobs[2], jobs[0]) == [(3,), (5,)]


def test_arguments_of_other_types_take_their_places() -> None:
    now = timezone.now()
    mine = make_item(make_job(make_user("alice")), not_before=now)
    make_item(make_job(make_user("bob")), not_before=now)
    due = PreparedQuery(
        lambda _: Item.objects.filter(
            owner_id=number_slot(0), not_before__lte=time_slot(1)
        ).values_list("id")
    )
    assert due.rows(mine.owner_id, now) == [(mine.pk,)]
    assert due.rows(mine.owner_id, now - timedelta(microseconds=1)) == []


def _attempts(_: int) -> QuerySet[Item, Row]:
    """An item's attempt below a number, and whether one of its files has a name that starts so."""
    named = Artifact.objects.filter(item=OuterRef("pk"), name__istartswith=text_slot(0))
    items = Item.objects.filter(pk=id_slot(1), attempt__lt=number_slot(2))
    return items.values_list("attempt", Exists(named))


def test_a_text_that_others_start_with_is_taken_letter_by_letter() -> None:
    row, job = PreparedQuery(_attempts), make_job()
    items = [make_item(job, attempt=attempt) for attempt in (3, 4)]
    make_artifact(make_story(items[1]), name="100%_Sure\\.jpg")
    assert row.first("100%_", items[0].pk, 9) == (3, False)
    for start in ("100%_", "100%_sURE", "100%_sure\\", ""):
        assert row.first(start, items[1].pk, 9) == (4, True)
    for start in ("100%%", "100__", "1_0%", "%", "00%_", "100%_sure\\\\"):
        assert row.first(start, items[1].pk, 9) == (4, False)
    assert row.first("100%_", items[1].pk, 4) is None
    assert row.first("", uuid.uuid4(), 9) is None


def test_a_query_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    row, item = PreparedQuery(_attempts), make_item()
    row.first("a", item.pk, 9)
    compiled = []
    monkeypatch.setattr(SQLCompiler, "as_sql", lambda self: compiled.append(self))
    assert row.first("b", item.pk, 9) == (0, False)
    assert row.rows("b", item.pk, 9) == [(0, False)]
    assert compiled == []


def test_an_argument_equal_to_a_constant_of_the_query_takes_only_its_own_place() -> None:
    of_attempt_one = PreparedQuery(
        lambda _: Item.objects.filter(attempt=1, tries=number_slot(0)).values_list("tries")
    )
    make_item(attempt=1, tries=2)
    assert of_attempt_one.rows(1) == []
    assert of_attempt_one.rows(2) == [(2,)]


@pytest.mark.parametrize("arguments", [1, 3])
def test_an_argument_without_a_slot_is_refused_and_so_is_a_slot_without_one(arguments: int) -> None:
    by_two = PreparedQuery(
        lambda _: Item.objects.filter(attempt=number_slot(0), tries=number_slot(1)).values_list(
            "pk"
        )
    )
    for read in (by_two.rows, by_two.first):
        with pytest.raises(ValueError, match="need a slot each"):
            read(*range(arguments))


@pytest.mark.parametrize(("count", "length"), [(1, 1), (3, 5), (6, 10), (50, 50), (70, 70)])
def test_few_numbers_of_ids_are_compiled(count: int, length: int) -> None:
    ids = [uuid.uuid4() for _ in range(count)]
    passed = padded(ids)
    assert (len(passed), list(dict.fromkeys(passed))) == (length, ids)
