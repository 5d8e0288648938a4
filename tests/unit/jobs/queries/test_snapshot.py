"""One job, read at once: from rows, from Redis, and from rows alone when Redis forgot."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db.models.sql.compiler import SQLCompiler
from django.test import Client
from django.utils import timezone

from jobs.ephemeral.progress import ItemProgress
from jobs.models import Artifact, Item, Job, Package, PackageState, Role
from jobs.queries import fingerprint, job_view, snapshot
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.queries.snapshots import load

pytestmark = pytest.mark.django_db

S = ItemState
HOUR = timedelta(hours=1)


# --- whose, and how many queries ---


@pytest.mark.usefixtures("redis_reports")
def test_five_queries_whatever_is_in_it(django_assert_num_queries: Callable[..., Any]) -> None:
    job = make_job(links=2)
    for _ in range(3):
        item = make_item(job, state=S.DONE, author_name="a", author_id="1")
        for _ in range(3):
            story = make_story(item)
            for place in (1, 2):
                make_artifact(story, position=place)
    with django_assert_num_queries(5):
        seen = snapshot.load_snapshot(job.pk, job.owner)
    assert seen
    assert [len(item.stories) for item in seen.items] == [0, 0, 3, 3, 3]
    assert len(seen.present) == 18


def test_somebody_elses_is_not_there() -> None:
    job = make_job(make_user("alice"), links=1)
    assert snapshot.load_snapshot(job.pk, make_user("alice"))
    assert snapshot.load_snapshot(job.pk, make_user("bob")) is None
    assert snapshot.load_snapshot(job.pk, make_user("admin", is_staff=True)) is None
    assert snapshot.load_snapshot(job.pk, AnonymousUser()) is None
    assert snapshot.load_snapshot(uuid.uuid4(), make_user("alice")) is None


def test_nothing_is_compiled_for_another_job(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [make_job(make_user(name), links=2) for name in ("alice", "bob")]
    load(jobs[0])
    compiled = []
    monkeypatch.setattr(SQLCompiler, "as_sql", lambda self: compiled.append(self))
    assert load(jobs[1]).id == jobs[1].pk
    assert compiled == []


def test_a_snapshot_is_of_the_moment_and_progress_of_its_fingerprint(
    redis_reports: Callable[[Mapping[str, ItemProgress]], None],
) -> None:
    job = make_job(links=1, state=S.RUNNING)
    item = job.items.get()
    file = make_artifact(make_story(item, state=S.QUEUED))
    redis_reports({str(item.pk): ItemProgress(phase="checking", found=7)})
    taken = fingerprint.take(job.pk, job.owner, file.expires_at)
    assert taken
    redis_reports({str(item.pk): ItemProgress(phase="saving", found=8)})
    found = snapshot.load_snapshot(job.pk, job.owner, fingerprint=taken)
    assert found
    assert (found.etag, found.items[0].found, found.present) == (taken.etag, 7, ())


def test_a_job_that_waits_its_turn_costs_one_query_more(
    django_assert_num_queries: Callable[..., Any],
) -> None:
    job = make_job(links=2)
    with django_assert_num_queries(6):
        assert snapshot.load_snapshot(job.pk, job.owner)


def test_a_poll_of_the_page_costs_seven_queries_and_an_unchanged_one_three(
    client: Client, django_assert_num_queries: Callable[..., Any]
) -> None:
    job = make_job(make_user("alice"))
    make_artifact(make_story(make_item(job, state=S.RUNNING)), content=b"x")
    client.force_login(job.owner)
    url = f"/jobs/{job.pk}/progress/"
    with django_assert_num_queries(7):
        first = client.get(url)
    assert first.status_code == 200
    with django_assert_num_queries(3):  # nothing of the job is loaded
        second = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert second.status_code == 304


def test_several_jobs_cost_four_queries_and_keep_their_order(
    django_assert_num_queries: Callable[..., Any],
) -> None:
    alice = make_user("alice")
    jobs = [make_job(alice, links=2) for _ in range(3)]
    theirs = make_job(make_user("bob"), links=1)
    wanted = [jobs[2].pk, jobs[0].pk, theirs.pk, jobs[1].pk]
    with django_assert_num_queries(4):
        found = snapshot.load_snapshots(wanted, alice)
    assert [one.id for one in found] == [jobs[2].pk, jobs[0].pk, jobs[1].pk]


def test_bundles_for_another_languages_spreadsheets_cost_one_query_more_for_all_jobs(
    django_assert_num_queries: Callable[..., Any],
) -> None:
    alice = make_user("alice")
    jobs = [make_job(alice, links=1) for _ in range(3)]
    for job in jobs:
        for language in ("en", "de"):
            zipped = make_artifact(job=job, role=Role.BUNDLE, name=f"{language}.zip")
            job.bundle = Package.objects.create(
                job=job,
                owner=alice,
                state=PackageState.DONE,
                artifact=zipped,
                language=language,
            )
        job.save()
    with django_assert_num_queries(5):
        shown = snapshot.load_snapshots([job.pk for job in jobs], alice)
    assert [view.bundle and view.bundle.name for view in shown] == ["en.zip"] * 3


# --- state and progress ---


def test_a_new_job_waits_its_turn() -> None:
    seen = load(make_job(links=2, note="why"))
    assert (seen.state, seen.progress.phase, seen.note) == (S.QUEUED, "queued", "why")
    assert not seen.settled
    assert seen.queue_position == 1
    assert seen.items[0].name == "author1"
    assert seen.items[0].found is None
    assert [item.state for item in seen.items] == [S.QUEUED, S.QUEUED]


def test_the_place_in_the_queue_counts_turns_not_lines() -> None:
    now = timezone.now()

    def waiting(owner: str, minutes: int, links: int = 1) -> Job:
        job = make_job(make_user(owner), links=links)
        Item.objects.filter(job=job).update(asked_at=now - timedelta(minutes=minutes))
        return job

    forty = waiting("bob", 30, links=40)
    mine = waiting("alice", 20)
    second = waiting("alice", 10, links=2)
    later = waiting("carol", 5)
    waiting("dave", 1)

    assert load(forty).queue_position == 1
    assert load(mine).queue_position == 2
    assert load(second).queue_position == 3
    assert load(later).queue_position == 3
    Item.objects.filter(job=forty).update(not_before=now + HOUR)
    assert load(mine).queue_position == 1


@pytest.mark.usefixtures("redis_reports")
def test_without_redis_everything_comes_from_rows() -> None:
    job = make_job()
    item = make_item(job, state=S.RUNNING)
    seen = load(job)
    assert (seen.state, seen.progress.phase) == (S.RUNNING, "looking_up")
    assert seen.queue_position is None

    item.author_id, item.author_name = "1", "ann"
    item.save()
    story = make_story(item, state=S.QUEUED, media_count=3, kind="carousel")
    make_artifact(story, size_bytes=10)
    make_artifact(story, size_bytes=10, role=Role.POSTER, position=1)
    make_artifact(story, size_bytes=20)
    done = load(job)
    assert done.progress == job_view.ProgressView(
        phase="saving",
        files_done=2,
        files_total=3,
        bytes_done=30,
        bytes_total=30,
        share=done.progress.share,
    )
    assert done.progress.share == pytest.approx(0.1 + 0.87 * 2 / 3)
    assert done.items[0].found == 1
    assert done.stories[0].missing == (3,)


def test_redis_knows_more(redis_reports: Callable[[Mapping[str, ItemProgress]], None]) -> None:
    job = make_job()
    first = make_item(job, state=S.RUNNING, author_name="ann", author_id="1")
    second = make_item(job, state=S.RUNNING)
    story = make_story(first, state=S.QUEUED, media_count=5, kind="carousel")
    make_artifact(story, size_bytes=100)
    redis_reports(
        {
            str(first.pk): ItemProgress(
                phase="checking",
                found=5,
                files_done=1,
                files_total=5,
                bytes_done=250,
                bytes_total=500,
                eta_s=7.2,
            ),
            str(second.pk): ItemProgress(phase="saving", found=1, files_total=1, eta_s=2.0),
        }
    )
    seen = load(job)
    assert seen.progress == job_view.ProgressView(
        phase="saving",
        files_done=1,
        files_total=6,
        bytes_done=250,
        bytes_total=500,
        eta_s=8,
        share=seen.progress.share,
    )
    assert seen.progress.share == pytest.approx((0.1 + 0.87 / 5 + 0.1 / 3) / 2)
    assert [item.progress.phase for item in seen.items] == ["checking", "saving"]
    assert [item.found for item in seen.items] == [5, 1]


def test_what_redis_says_of_a_settled_line_is_stale(
    redis_reports: Callable[[Mapping[str, ItemProgress]], None],
) -> None:
    job = make_job()
    item = make_item(job, state=S.DONE)
    make_item(job, state=S.RUNNING)
    redis_reports(
        {str(item.pk): ItemProgress(phase="saving", files_done=1, files_total=9, eta_s=99)}
    )
    assert load(job).items[0].progress.phase == "ready"
    assert load(job).progress.files_total == 0


def test_a_line_that_works_again_has_no_error() -> None:
    job = make_job()
    make_item(job, state=S.RUNNING, error_code="challenged")
    assert load(job).items[0].error is None


# --- files ---


def test_a_removed_file_leaves_its_tile_and_says_when() -> None:
    now = timezone.now()
    story = make_story()
    gone = make_artifact(story, removed_at=now - HOUR)
    seen = load(story.item.job)
    media = seen.stories[0].media[0]
    assert media.file
    assert (media.file.id, media.file.present) == (gone.pk, False)
    assert media.file.removed_at == now - HOUR
    assert seen.present == seen.stories[0].present == ()
    assert seen.files_expire_at is None


def test_an_expired_file_counts_as_removed_before_the_sweep_comes() -> None:
    story = make_story()
    file = make_artifact(story, expires_at=timezone.now() - HOUR)
    media = load(story.item.job).stories[0].media[0]
    assert media.file
    assert media.file.removed_at == file.expires_at


def test_a_file_fetched_again_replaces_the_one_that_went() -> None:
    now = timezone.now()
    story = make_story()
    make_artifact(story, position=1, removed_at=now, created_at=now - HOUR)
    here = make_artifact(story, position=1, created_at=now - 2 * HOUR)
    make_artifact(story, position=1, removed_at=now, created_at=now)
    view = load(story.item.job).stories[0]
    assert [file.id for file in view.files] == [here.pk]
    assert view.saved == 1


def test_when_the_first_file_goes() -> None:
    now = timezone.now()
    story = make_story()
    make_artifact(story, expires_at=now + 2 * HOUR)
    make_artifact(story, expires_at=now + HOUR)
    make_artifact(story, expires_at=now + HOUR / 2, role=Role.POSTER, position=1)
    assert load(story.item.job).files_expire_at == now + HOUR


# --- packages ---


@pytest.mark.parametrize("which", ["bundle", "selection"])
def test_a_package_from_asked_for_to_gone(which: str) -> None:
    job = make_job(links=1, state=S.DONE)
    package = Package.objects.create(job=job, owner=job.owner)
    setattr(job, which, package)
    job.save()
    seen = load(job)
    assert (seen.packing, seen.settled, seen.progress.phase) == (True, False, "packing")

    package.artifact = make_artifact(job=job)
    package.state = PackageState.DONE
    package.save()
    seen = load(job)
    ready = getattr(seen, which)
    assert ready.id == package.artifact.pk
    assert (seen.packing, seen.settled, seen.progress.phase) == (False, True, "ready")

    Artifact.objects.update(removed_at=timezone.now())
    assert getattr(load(job), which) is None

    package.state, package.error_code = PackageState.FAILED, "disk_full"
    package.save()
    assert getattr(load(job), f"{which}_error").code == "disk_full"
