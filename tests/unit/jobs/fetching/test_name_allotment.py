"""Names within a job: unlike each other, and mostly without asking the database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.fetching import name_allotment, recorder
from jobs.fetching.file_rows import FileRows
from jobs.files import names
from jobs.files.workspace import Workspace
from jobs.models import Artifact, Item, Job
from jobs.queue.claims import Claim
from jobs.states import ItemState
from stories.events import FileReady
from tests.factories import make_item, make_job, make_story
from tests.unit.jobs.fetching.stage import (
    AUTHOR,
    PICTURE,
    Stage,
    a_story,
    ended,
    files,
    listed,
    run,
)

pytestmark = pytest.mark.django_db
S = ItemState


def test_names_are_unique_in_their_job(stage: Stage) -> None:
    photo = a_story()
    job = make_job(links=2)
    for item in job.items.all():
        run(stage, item, listed(photo), stage.file(photo), ended(photo))
    assert sorted(job.artifacts.values_list("name", flat=True)) == [
        "sample.user_2026-11-20_1401.jpg",
        "sample.user_2026-11-20_1401_2.jpg",
    ]


def test_an_author_whose_name_begins_another_ones_has_names_of_its_own(stage: Stage) -> None:
    job = make_job(links=2)
    for item, name in zip(job.items.all(), ("corner.bakery", "corner.bakery2"), strict=True):
        photo = a_story(author=replace(AUTHOR, name=name))
        list_ = replace(listed(photo), author=photo.author)
        run(stage, item, list_, stage.file(photo), ended(photo))
    assert sorted(job.artifacts.values_list("name", flat=True)) == [
        "corner.bakery2_2026-11-20_1401.jpg",
        "corner.bakery_2026-11-20_1401.jpg",
    ]


def test_a_retried_line_remembers_the_names_of_its_files(stage: Stage) -> None:
    photo = a_story()
    item = make_item()
    run(stage, item, listed(photo), stage.file(photo), ended(photo))
    again = timezone.now()
    item.artifacts.update(removed_at=again, expires_at=again)
    Item.objects.filter(pk=item.pk).update(state=S.QUEUED)
    run(stage, item, listed(photo), stage.file(photo), ended(photo))
    names = item.artifacts.order_by("created_at").values_list("name", flat=True)
    assert list(names) == [
        "sample.user_2026-11-20_1401.jpg",
        "sample.user_2026-11-20_1401_2.jpg",
    ]


def test_names_of_a_line_that_shares_its_author_with_no_other_are_not_looked_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "SAVE_AFTER_S", 0)  # each file by itself
    photos = [a_story(number) for number in (1, 2)]
    item = make_item()
    with CaptureQueriesContext(connection) as queries:
        run(stage, item, listed(*photos), *map(stage.file, photos), *map(ended, photos))
    assert len(files(item)) == 2
    asked = [query["sql"] for query in queries if query["sql"].startswith("SELECT ")]
    assert not [sql for sql in asked if sql.startswith('SELECT "jobs_artifact"."name"')]


def test_a_retried_line_looks_its_names_up_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "SAVE_AFTER_S", 0)  # each file by itself
    photos = [a_story(number) for number in (1, 2, 3)]
    item = make_item(attempt=1)
    make_story(item, tiktok_id=photos[0].id, state=S.QUEUED)
    with CaptureQueriesContext(connection) as queries:
        script = (*map(ended, photos[:1], [0]), *map(stage.file, photos), *map(ended, photos))
        run(stage, item, listed(*photos), *script)
    assert len(files(item)) == 3
    asked = [query["sql"] for query in queries]
    assert sum(sql.startswith('SELECT "jobs_artifact"."name"') for sql in asked) == 1


@pytest.mark.django_db(transaction=True)
def test_lines_of_one_author_that_are_saved_at_once_share_no_name() -> None:
    """In processes of their own: no memory is shared, only the job's row is locked."""
    job = make_job()
    lines = [make_item(job, state=S.RUNNING, attempt=1, author_name="sample.user") for _ in "abcd"]
    start = threading.Barrier(len(lines))

    def save(item: Item) -> None:
        photos = [a_story(number) for number in (1, 2, 3)]
        stories = {photo.id: make_story(item, tiktok_id=photo.id, posted_at=photo.posted_at)
                   for photo in photos}  # fmt: skip
        try:
            with Workspace(f"{item.pk}.1") as workspace:
                rows = FileRows(Claim(item.pk, 1), item, workspace)
                start.wait(20)
                for photo in photos:
                    key, file = workspace.create()
                    file.close()
                    ready = FileReady(
                        story_id=photo.id, position=1, role="media", key=key, size_bytes=0,
                        sha256="", verified=PICTURE,
                    )  # fmt: skip
                    rows.save([ready], stories)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(lines)) as pool:
        list(pool.map(save, lines))
    names = list(job.artifacts.values_list("name", flat=True))
    assert len(names) == len(set(names)) == 12


# --- who waits for whom ---------------------------------------------------------------------------


def a_file(name: str) -> Artifact:
    return Artifact(name=name)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_lines_of_a_job_wait_only_for_those_that_name_files_alike() -> None:
    job, other_job = make_job(), make_job()
    locked, over = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            name_allotment.lock(
                job.pk, [a_file("corner_2026-11-20_1401.jpg"), a_file("corner_2026-11-20_1401.zip")]
            )
            locked.set()
            over.wait(20)
        connections.close_all()

    def waits_for_it(job_id: UUID, name: str) -> bool:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '50ms'")
                name_allotment.lock(job_id, [a_file(name)])
        except OperationalError:
            return True
        return False

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        assert locked.wait(20)
        assert waits_for_it(job.pk, "corner_2026-11-20_1401.jpg")
        assert waits_for_it(job.pk, "Corner_2026-11-20_1401_2.png")
        assert not waits_for_it(job.pk, "harbour_2026-11-20_1401.jpg")
        assert not waits_for_it(other_job.pk, "corner_2026-11-20_1401.jpg")
        of_job = Job.objects.select_for_update(skip_locked=True).filter(pk=job.pk)
        with transaction.atomic():
            assert not of_job.exists()  # nor is the job erased meanwhile
    finally:
        over.set()
        holding.join()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.parametrize(
    "name",
    ["corner_2026-11-20_1401.jpg", "x.jpg", "x_2.jpg", "x_2_3.jpg", "ä" * 98 + ".jpg", "_1.jpg"],
)
def test_a_name_that_was_given_a_number_is_locked_as_the_one_without(name: str) -> None:
    """Two lines whose files end up with one name have waited for each other before."""
    first = names.unique_name(name, {names.collision_key(name)})
    second = names.unique_name(name, {names.collision_key(name), names.collision_key(first)})
    job = make_job()
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        name_allotment.lock(job.pk, [a_file(name), a_file(first), a_file(second)])
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = "
                "pg_backend_pid()"
            )
            assert cursor.fetchone() == (1,)
    assert sum("pg_advisory" in query["sql"] for query in queries) == 1
