"""What goes, when, and that one failure stops nothing else."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils import timezone

from jobs.ephemeral import progress
from jobs.files import deletion, lifetime, store
from jobs.housekeeping import sweep
from jobs.models import Artifact, Item, Job, Package, PackageState, Role, Story
from jobs.queue import actions, erasure
from jobs.queue.claims import Claim, is_held
from jobs.states import ItemState
from jobs.zips import claims
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db

SetEnv = Callable[..., None]
HOUR = timedelta(hours=1)


def age(artifacts: Path, artifact_id: uuid.UUID, by: timedelta) -> None:
    then = (timezone.now() - by).timestamp()
    os.utime(artifacts / str(artifact_id)[:2] / str(artifact_id), (then, then))


def test_nothing_to_do() -> None:
    make_artifact(content=b"x")
    report = sweep.sweep(timezone.now())
    assert report.idle
    assert str(report).startswith("expired 0, orphan_files 0")


def test_expired_files_go_and_their_rows_say_when() -> None:
    old, fresh = make_artifact(content=b"old!"), make_artifact(content=b"fresh")
    now = old.expires_at + timedelta(seconds=1)
    Artifact.objects.filter(pk=fresh.pk).update(expires_at=now + HOUR)

    report = sweep.sweep(now)

    assert (report.expired, report.freed_bytes, report.failed) == (1, 4, 0)
    old.refresh_from_db()
    assert old.removed_at == now
    assert store.size(old.pk) is None
    assert store.size(fresh.pk) == 5
    assert sweep.sweep(now).idle


def test_sessions_that_ended_go() -> None:
    now = timezone.now()
    for key, left in (("ended", -HOUR), ("open", HOUR)):
        Session.objects.create(session_key=key, session_data="", expire_date=now + left)
    assert sweep.sweep(now).sessions == 1
    assert Session.objects.get().pk == "open"
    assert sweep.sweep(now).idle


def test_many_expire_at_once() -> None:
    story = make_story()
    Artifact.objects.bulk_create(
        Artifact(
            owner=story.owner,
            job=story.item.job,
            item=story.item,
            story=story,
            role=Role.MEDIA,
            position=place,
            name="x",
            size_bytes=1,
            expires_at=timezone.now(),
        )
        for place in range(deletion.BATCH * 2 + 1)
    )
    assert sweep.sweep(timezone.now()).expired == deletion.BATCH * 2 + 1


def test_one_file_that_resists_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, artifacts: Path
) -> None:
    story = make_story()
    files = [make_artifact(story, content=b"x") for _ in range(3)]
    now = files[0].expires_at + HOUR
    remove = store.remove

    def resist(artifact_id: uuid.UUID) -> bool:
        if artifact_id == files[0].pk:
            raise PermissionError(errno.EACCES, "no")
        return remove(artifact_id)

    with monkeypatch.context() as patch:
        patch.setattr(store, "remove", resist)
        report = sweep.sweep(now)
    # Tried as expired, and once more as the orphan it then was.
    assert (report.expired, report.failed, report.freed_bytes) == (3, 2, 2)
    assert Artifact.objects.filter(removed_at=None).count() == 0

    report = sweep.sweep(now)
    assert (report.orphan_files, report.failed) == (1, 0)
    assert not [path for path in artifacts.glob("*/*") if path.is_file()]


def test_files_without_a_row_get_some_grace(artifacts: Path) -> None:
    orphan = make_artifact(content=b"x")
    wanted = make_artifact(content=b"x")
    Artifact.objects.filter(pk=orphan.pk).delete()

    assert sweep.sweep(timezone.now()).idle
    age(artifacts, orphan.pk, sweep.ORPHAN_GRACE * 2)
    age(artifacts, wanted.pk, sweep.ORPHAN_GRACE * 2)
    assert sweep.sweep(timezone.now()).orphan_files == 1
    assert store.size(orphan.pk) is None
    assert store.size(wanted.pk) == 1


def test_what_is_not_ours_stays(artifacts: Path) -> None:
    (artifacts / "precious").write_text("mine")
    (artifacts / "ab").mkdir()
    (artifacts / "ab" / "notes.txt").write_text("mine")
    for path in artifacts.rglob("*"):
        os.utime(path, (0, 0))
    assert sweep.sweep(timezone.now()).idle
    assert (artifacts / "ab" / "notes.txt").exists()


def test_files_on_a_disk_that_is_away_are_not_given_up(
    artifacts: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Unmounted, an empty folder is left in its place; then it comes back."""
    kept, over = make_artifact(content=b"kept"), make_artifact(content=b"over")
    Artifact.objects.filter(pk=over.pk).update(expires_at=timezone.now())
    elsewhere = tmp_path / "elsewhere"
    artifacts.rename(elsewhere)
    artifacts.mkdir()
    report = sweep.sweep(timezone.now())
    assert (report.expired, report.orphan_rows) == (1, 0)
    assert "is away" in caplog.text
    assert not list(artifacts.iterdir())

    artifacts.rmdir()
    elsewhere.rename(artifacts)
    report = sweep.sweep(timezone.now())
    assert (report.orphan_rows, report.orphan_files) == (0, 1)
    assert store.size(kept.pk) == 4
    assert store.size(over.pk) is None


@pytest.mark.parametrize("fault", ["missing", "cut short"])
def test_rows_whose_file_is_not_there_whole_promise_nothing(fault: str, artifacts: Path) -> None:
    artifact, good = make_artifact(content=b"hello"), make_artifact(content=b"good")
    if fault == "missing":
        store.remove(artifact.pk)
    else:
        os.truncate(artifacts / str(artifact.pk)[:2] / str(artifact.pk), 2)

    report = sweep.sweep(timezone.now())

    assert report.orphan_rows == 1
    artifact.refresh_from_db()
    good.refresh_from_db()
    assert artifact.removed_at
    assert good.removed_at is None
    assert store.size(artifact.pk) is None


def test_a_disk_that_does_not_answer_condemns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    make_artifact(content=b"x")

    def broken(artifact_id: uuid.UUID) -> int:
        raise OSError(errno.EIO, "no answer")

    monkeypatch.setattr(store, "size", broken)
    assert sweep.sweep(timezone.now()).orphan_rows == 0


def test_workspaces_go_when_their_claim_is_over(artifacts: Path) -> None:
    running = make_item(state=ItemState.RUNNING)
    package = Package.objects.create(
        job=running.job, owner=running.owner, state=PackageState.RUNNING, attempt=2
    )
    names = {
        "live": f"{running.pk}.{running.attempt}",
        "earlier": f"{running.pk}.{running.attempt - 1}",
        "packing": f"{package.pk}.2",
        "dead": f"{uuid.uuid4()}.1",
        "odd": "whatever",
    }
    work = artifacts / "work"
    for name in names.values():
        (work / name).mkdir(parents=True)
        (work / name / "1.part").write_bytes(b"x")
        os.utime(work / name, (0, 0))
    young = work / f"{uuid.uuid4()}.1"
    young.mkdir()

    assert sweep.sweep(timezone.now()).workspaces == 3
    left = {path.name for path in work.iterdir()}
    assert left == {names["live"], names["packing"], young.name}


def test_abandoned_packages() -> None:
    now = timezone.now()
    job = make_job(links=1, state=ItemState.DONE)
    long_ago = now - claims.MAX_PACKING_WAIT - HOUR

    def make(state: PackageState, **facts: object) -> Package:
        return Package.objects.create(job=job, owner=job.owner, state=state, **facts)

    stuck = make(PackageState.QUEUED, created_at=long_ago)
    busy = make(PackageState.RUNNING, created_at=long_ago, heartbeat_at=now)
    waiting = make(PackageState.QUEUED)
    zip_gone = make_artifact(job=job, removed_at=now)
    gone = make(PackageState.DONE, artifact=zip_gone)
    ready = make(PackageState.DONE, artifact=make_artifact(job=job, content=b"zip"))
    very_old = make(PackageState.FAILED, created_at=now - timedelta(days=3))

    assert sweep.sweep(now).packages == 3

    stuck.refresh_from_db()
    assert (stuck.state, stuck.error_code) == (PackageState.FAILED, "internal")
    assert set(Package.objects.all()) == {stuck, busy, waiting, ready}
    assert not Package.objects.filter(pk__in=[gone.pk, very_old.pk]).exists()


def test_old_jobs_go_with_all_their_rows(set_env: SetEnv) -> None:
    set_env(job_retention=timedelta(days=30))
    now = timezone.now()
    story = make_story()
    make_artifact(story, removed_at=now)
    old = story.item.job
    Job.objects.filter(pk=old.pk).update(settled_at=now - timedelta(days=31))
    young = make_job(links=1, state=ItemState.DONE)

    assert sweep.sweep(now).jobs == 1
    assert list(Job.objects.all()) == [young]
    assert Story.objects.count() == Artifact.objects.count() == 0


@pytest.mark.parametrize("what", ["open", "file", "packing"])
def test_an_old_job_stays_while_something_is_left(what: str, set_env: SetEnv) -> None:
    set_env(job_retention=timedelta())
    now = timezone.now()
    job = make_job(links=1, state=ItemState.QUEUED if what == "open" else ItemState.DONE)
    Job.objects.filter(pk=job.pk).update(settled_at=now - timedelta(days=31))
    if what == "file":
        make_artifact(job=job, content=b"x")
    if what == "packing":
        Package.objects.create(job=job, owner=job.owner)
    assert sweep.sweep(now).jobs == 0


def test_no_retention_means_a_job_goes_with_its_files(set_env: SetEnv) -> None:
    set_env(job_retention=timedelta())
    artifact = make_artifact(content=b"x")
    job = artifact.job
    settled = timezone.now() - HOUR
    Job.objects.filter(pk=job.pk).update(settled_at=settled)
    assert sweep.sweep(artifact.expires_at - HOUR).jobs == 0
    report = sweep.sweep(artifact.expires_at)
    assert (report.expired, report.jobs) == (1, 1)


def test_an_empty_result_is_seen_for_a_while_even_without_retention(set_env: SetEnv) -> None:
    set_env(job_retention=timedelta())
    job = make_job(links=1, state=ItemState.EMPTY)
    assert sweep.sweep(timezone.now()).jobs == 0
    assert sweep.sweep(timezone.now() + sweep.ORPHAN_GRACE * 2).jobs == 1
    assert not Job.objects.filter(pk=job.pk).exists()


def test_the_command_prints_the_report() -> None:
    make_artifact(content=b"x", expires_at=timezone.now())
    out = StringIO()
    call_command("sweep", stdout=out)
    assert out.getvalue().startswith("expired 1, orphan_files 0, ")


def test_the_command_says_when_something_resisted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "sweep", lambda now: sweep.SweepReport(failed=1))
    with pytest.raises(SystemExit) as caught:
        call_command("sweep", stdout=StringIO())
    assert caught.value.code == 1


# --- what people do ---


def test_a_job_retried_as_its_time_comes_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    item = make_item(state=ItemState.FAILED, error_code="upstream_down")
    Job.objects.update(settled_at=now - timedelta(days=31))
    erase = erasure.erase_rows_and_files

    def late(*args: Any, **more: Any) -> Any:
        actions.retry(item.job)
        return erase(*args, **more)

    monkeypatch.setattr(sweep, "erase_rows_and_files", late)
    assert sweep.sweep(now).jobs == 0
    item.refresh_from_db()
    assert item.state == ItemState.QUEUED


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


def test_deleting_a_picture_takes_every_copy_of_it() -> None:
    story = make_story()
    first = make_artifact(story, content=b"1")
    second = make_artifact(story, content=b"2")
    taken = [
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

    assert len(deletion.delete(Artifact.objects.filter(pk=first.pk))) == len(taken)

    for file in taken:
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
        return set(deletion.dependents(files.filter(pk__in=[one.pk for one in chosen])))

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
    mine, other = (make_story(make_item(job, state=ItemState.DONE)) for _ in range(2))
    file, kept = make_artifact(mine), make_artifact(other)
    bundle = make_artifact(job=job)
    assert set(deletion.delete(Artifact.objects.filter(item=mine.item))) == {file.pk, bundle.pk}
    kept.refresh_from_db()
    assert kept.removed_at is None


def test_deleting_all_files_keeps_the_record() -> None:
    story = make_story()
    make_artifact(story, content=b"1")
    make_artifact(job=story.item.job, content=b"b")
    assert deletion.delete_job_files(story.item.job) == 2
    assert Artifact.objects.filter(removed_at=None).count() == 0
    assert Job.objects.filter(pk=story.item.job_id).exists()


def test_extending_keeps_files_longer_up_to_the_maximum_and_never_shortens(
    set_env: SetEnv,
) -> None:
    set_env(artifact_ttl=2 * HOUR, artifact_ttl_max=24 * HOUR)
    now = timezone.now()
    story = make_story()

    def make(saved: timedelta, left: timedelta, **facts: object) -> Artifact:
        return make_artifact(story, created_at=now - saved, expires_at=now + left, **facts)

    fresh = make(HOUR, HOUR)
    at_the_limit = make(23 * HOUR, HOUR / 2)
    longer = make(HOUR, 5 * HOUR)
    removed = make(HOUR, HOUR, removed_at=now)
    expired = make(3 * HOUR, -HOUR)

    first = lifetime.extend(story.item.job)

    def left(file: Artifact) -> float:
        file.refresh_from_db()
        return round((file.expires_at - now) / HOUR, 2)

    assert left(fresh) == 3
    assert left(at_the_limit) == 1
    assert left(longer) == 7
    assert left(removed) == 1
    assert left(expired) == -1
    assert first == lifetime.Extension(until=at_the_limit.expires_at, longest=True)


def test_extending_tells_whether_more_is_possible(set_env: SetEnv) -> None:
    set_env(artifact_ttl=2 * HOUR, artifact_ttl_max=24 * HOUR)
    now = timezone.now()
    story = make_story()
    make_artifact(story, created_at=now - HOUR, expires_at=now + HOUR)
    kept = lifetime.extend(story.item.job)
    assert kept
    assert not kept.longest
    assert round((kept.until - now) / HOUR, 2) == 3
    kept = lifetime.extend(story.item.job)
    assert kept
    assert round((kept.until - now) / HOUR, 2) == 5
    set_env(artifact_ttl=2 * HOUR, artifact_ttl_max=2 * HOUR)
    again = lifetime.extend(story.item.job)
    assert again == lifetime.Extension(until=kept.until, longest=True)


def test_extending_right_after_saving_adds_a_whole_lifetime(set_env: SetEnv) -> None:
    set_env(artifact_ttl=2 * HOUR, artifact_ttl_max=5 * HOUR)
    now = timezone.now()
    story = make_story()
    file = make_artifact(story, created_at=now, expires_at=now + 2 * HOUR)
    for hours in (4, 5, 5):
        kept = lifetime.extend(story.item.job)
        file.refresh_from_db()
        assert kept == lifetime.Extension(until=now + hours * HOUR, longest=hours == 5)
        assert file.expires_at == now + hours * HOUR


def test_a_gain_of_seconds_is_none(set_env: SetEnv) -> None:
    """A file's row is made a moment before or after its time is counted from."""
    set_env(artifact_ttl=2 * HOUR, artifact_ttl_max=2 * HOUR)
    now = timezone.now()
    until = now + 2 * HOUR - timedelta(seconds=5)
    assert lifetime.extended(until, now) == until
    assert lifetime.extended(until - HOUR, now) == now + 2 * HOUR


def test_a_bundle_is_not_kept_longer_than_what_it_holds(set_env: SetEnv) -> None:
    set_env(artifact_ttl=2 * HOUR, artifact_ttl_max=24 * HOUR)
    now = timezone.now()
    story = make_story()
    make_artifact(story, created_at=now - 23.5 * HOUR, expires_at=now + HOUR / 4)
    bundle = make_artifact(job=story.item.job, created_at=now, expires_at=now + HOUR / 4)
    lifetime.extend(story.item.job)
    bundle.refresh_from_db()
    assert round((bundle.expires_at - now) / HOUR, 2) == 0.5


def test_nothing_to_extend() -> None:
    assert lifetime.extend(make_job(make_user())) is None
