"""A job's fingerprint changes with everything its reader is shown, and with nothing else."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from jobs.ephemeral.progress import ItemProgress
from jobs.models import Artifact, AuthorPicture, Item, Job, Package, PackageState, Role, Story
from jobs.queries import fingerprint, job_rows
from jobs.queries.fingerprint import Fingerprint
from jobs.queries.snapshot import load_snapshot, load_snapshots
from jobs.queue import erasure
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db

S = ItemState
HOUR = timedelta(hours=1)
Report = Callable[[Mapping[str, ItemProgress]], None]


def take(job: Job, **facts: Any) -> Fingerprint:
    """The fingerprint of a job for its owner."""
    taken = fingerprint.take(job.pk, job.owner, **facts)
    assert taken
    return taken


def make_small_job() -> Job:
    """Two settled lines with a story and a file each, and a bundle."""
    job = make_job(make_user("alice"))
    for name in ("ann", "bea"):
        make_artifact(make_story(make_item(job, name=name, state=S.DONE)), position=1)
    job.bundle = Package.objects.create(
        job=job,
        owner=job.owner,
        state=PackageState.DONE,
        artifact=make_artifact(job=job, role=Role.BUNDLE),
    )
    job.save()
    return job


def another_value(field: Any, old: Any) -> Any:
    """A value of the field's type that differs from `old`."""
    if isinstance(field, models.BooleanField):
        return not old
    if isinstance(field, models.DateTimeField):
        # The next moment any of our databases can tell from this one.
        return (old or timezone.now()) + timedelta(microseconds=1)
    if isinstance(field, models.UUIDField):
        return uuid.uuid4()
    if isinstance(field, models.JSONField):
        return ["hevc"] if isinstance(old, list) else {"private": 1}
    if isinstance(field, models.IntegerField):
        return (old or 0) + 1
    if isinstance(field, models.FloatField):
        return 7.5
    return "empty" if field.choices else f"x{old}"[: field.max_length]


SHOWN: Mapping[type[models.Model], tuple[str, ...]] = {
    Job: job_rows.JOB,
    Package: job_rows.PACKAGE,
    Item: job_rows.LINE,
    Story: job_rows.STORY,
    Artifact: job_rows.FILE,
}


@pytest.mark.parametrize(
    ("model", "column"),
    [(model, column) for model, columns in SHOWN.items() for column in columns if column != "id"],
)
def test_every_column_a_snapshot_reads_changes_it(model: Any, column: str) -> None:
    job = make_small_job()
    before = take(job)
    first = Item.objects.get(job=job, position=1)
    changed_rows: dict[Any, dict[str, Any]] = {
        Job: {"pk": job.pk},
        Package: {"pk": job.bundle_id},
        Item: {"pk": first.pk},
        Story: {"item": first},
        Artifact: {"item": first},
    }
    row = model.objects.filter(**changed_rows[model])
    field = model._meta.get_field(column)
    other = another_value(field, row.values_list(column, flat=True)[0])
    row.update(**{column: 99 if column == "position" else other})
    after = take(job)
    assert after.etag != before.etag
    assert after.revision != before.revision
    changed = {item_id for item_id in before.lines if before.lines[item_id] != after.lines[item_id]}
    assert changed == (set() if model in {Job, Package} else {first.pk})
    in_head = model in {Job, Package} or (model, column) == (Item, "state")
    assert (after.head != before.head) == in_head


def test_an_authors_picture_changes_it() -> None:
    job = make_small_job()
    first = Item.objects.get(job=job, position=1)
    tags = [take(job)]
    AuthorPicture.objects.create(item=first, digest="one", picture=b"1")
    tags.append(take(job))
    AuthorPicture.objects.update(digest="two", picture=b"2")
    tags.append(take(job))
    assert len({tag.etag for tag in tags}) == 3
    assert len({tag.lines[first.pk] for tag in tags}) == 3
    (other,) = tags[0].lines.keys() - {first.pk}
    assert len({tag.lines[other] for tag in tags}) == 1


def test_no_query_reads_the_bytes_of_a_picture() -> None:
    job = make_small_job()
    with CaptureQueriesContext(connection) as queries:
        assert load_snapshot(job.pk, job.owner)
        load_snapshots([job.pk], job.owner)
    sent = [query["sql"] for query in queries if "jobs_authorpicture" in query["sql"]]
    assert len(sent) == 3  # the fingerprint, and the lines of each
    assert not [sql for sql in sent if '"picture"' in sql]


def test_a_row_more_or_less_changes_it() -> None:
    job = make_small_job()
    story = Story.objects.filter(item__job=job).earliest("posted_at")
    etags = [take(job).etag]
    file = make_artifact(story, position=2)
    etags.append(take(job).etag)
    other = make_story(story.item)
    etags.append(take(job).etag)
    make_item(job, state=S.EMPTY)
    etags.append(take(job).etag)
    file.delete()
    etags.append(take(job).etag)
    other.delete()
    etags.append(take(job).etag)
    assert len(set(etags)) == len(etags)


def test_two_changes_within_one_tick_of_the_clock_are_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job, now = make_small_job(), timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    item = Item.objects.filter(job=job, position=1)
    etags = []
    for state, code in ((S.FAILED, "gone"), (S.FAILED, "refused"), (S.DONE, "")):
        item.update(state=state, error_code=code, settled_at=now)
        etags.append(take(job).etag)
    assert len(set(etags)) == 3


def test_a_line_that_was_tried_again_and_waits_as_before_is_another() -> None:
    job = make_job(links=1)
    before = take(job)
    Item.objects.update(attempt=1)
    assert take(job).revision != before.revision


def test_what_nobody_is_shown_does_not_change_it() -> None:
    job = make_small_job()
    before = take(job)
    now = timezone.now()
    Item.objects.update(heartbeat_at=now, sent_at=now, claimed_at=now, fetch_key=None)
    Story.objects.update(captured_at=now)
    Artifact.objects.update(content_id=uuid.uuid4())
    Package.objects.update(heartbeat_at=now, tries=2)
    make_small_job()
    after = take(job)
    assert (after.etag, after.revision) == (before.etag, before.revision)


def test_a_file_whose_time_is_over_changes_its_line_and_a_clock_set_back_changes_it_back() -> None:
    job, now = make_small_job(), timezone.now()
    first = Item.objects.get(job=job, position=1)
    Artifact.objects.filter(item=first).update(expires_at=now + HOUR)
    Artifact.objects.filter(item__position=2).update(expires_at=now + HOUR, removed_at=now)
    before, at_once = take(job, now=now), take(job, now=now + HOUR - timedelta(microseconds=1))
    assert before.etag == at_once.etag
    over = take(job, now=now + HOUR)
    assert over.etag != before.etag
    assert {key for key in over.lines if over.lines[key] != before.lines[key]} == {first.pk}
    assert take(job, now=now).etag == before.etag


def test_languages_have_tags_of_their_own() -> None:
    job = make_small_job()
    before = take(job)
    with translation.override("de"):
        german = take(job)
    assert german.etag != before.etag
    assert not set(german.lines.values()) & set(before.lines.values())
    assert german.head != before.head


def test_a_turn_that_comes_nearer_changes_it() -> None:
    ahead = make_job(make_user("bob"), links=1)
    job = make_job(make_user("alice"), links=1)
    before = take(job)
    assert before.queue_position == 2
    Item.objects.filter(job=ahead).update(state=S.RUNNING)
    after = take(job)
    assert after.queue_position == 1
    assert (after.etag, after.lines) != (before.etag, before.lines)
    Item.objects.filter(job=job).update(state=S.RUNNING)
    assert take(job).queue_position is None


def test_progress_changes_its_line_and_seconds_left_the_revision_alone(
    redis_reports: Report,
) -> None:
    job = make_job(links=2, state=S.RUNNING)
    first, second = job.items.order_by("position")

    def report(**facts: Any) -> Fingerprint:
        """The fingerprint while Redis says this of the first line."""
        redis_reports({str(first.pk): ItemProgress(phase="saving", **facts)})
        return take(job)

    before = report(bytes_done=1, eta_s=9.0)
    later = report(bytes_done=1, eta_s=7.5)
    assert (later.etag, later.lines) == (before.etag, before.lines)
    assert later.revision != before.revision
    more = report(bytes_done=2, eta_s=7.5)
    assert more.lines[first.pk] != later.lines[first.pk]
    assert more.lines[second.pk] == later.lines[second.pk]
    assert more.etag != later.etag


def test_a_settled_line_stays_as_it_is_when_its_last_report_is_not_read_any_more(
    redis_reports: Report,
) -> None:
    job = make_small_job()
    settled = job.items.get(position=2)
    job.items.filter(position=1).update(state=S.RUNNING)
    redis_reports({str(settled.pk): ItemProgress(phase="saving", found=7)})
    before = take(job)
    redis_reports({})
    after = take(job)
    assert after.lines[settled.pk] == before.lines[settled.pk]
    assert after.etag != before.etag, "the API shows how many were found"


def test_nobody_else_has_one() -> None:
    job = make_small_job()
    for stranger in (make_user("bob"), make_user("admin", is_superuser=True), AnonymousUser()):
        assert fingerprint.take(job.pk, stranger) is None
    assert fingerprint.take(uuid.uuid4(), job.owner) is None


@pytest.mark.parametrize("large", [0, 200], ids=["marked", "gone"])
def test_a_forgotten_job_has_none(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "LARGE", large)
    job = make_small_job()
    Package.objects.all().delete()  # of such a job, nothing changes but the mark
    erasure.erase(job)
    assert fingerprint.take(job.pk, job.owner) is None


def test_it_costs_one_query_whatever_is_in_the_job() -> None:
    job = make_small_job()
    with CaptureQueriesContext(connection) as few:
        take(job)
    for _ in range(3):
        for story in Story.objects.filter(item__job=job):
            make_artifact(story)
        make_story(make_item(job, state=S.DONE))
    with CaptureQueriesContext(connection) as many:
        take(job)
    assert (len(few), len(many)) == (1, 1)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plan is SQLite's")
def test_it_reads_no_growing_table_whole() -> None:
    job = make_small_job()
    with CaptureQueriesContext(connection) as queries:
        take(job)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + queries[0]["sql"])
        plan = [row[3] for row in cursor.fetchall()]
    reads = [step for step in plan if step.startswith(("SCAN", "SEARCH"))]
    # The two are what the statement itself has found by then.
    tables = [step for step in reads if step not in {"SCAN stories", "SCAN files"}]
    assert len(tables) == 7
    found_by_id = re.compile(r"\((job_id|item_id|id)=\?\)( LEFT-JOIN)?$")
    assert not [step for step in tables if not found_by_id.search(step)]


@pytest.mark.django_db(transaction=True)
def test_every_connection_gives_the_same() -> None:
    job = make_small_job()
    taken = [take(job).etag]

    def take_there() -> None:
        """Take it on a connection of its own."""
        try:
            taken.append(take(job).etag)
        finally:
            connection.close()

    thread = Thread(target=take_there)
    thread.start()
    thread.join()
    assert taken[0] == taken[1]
