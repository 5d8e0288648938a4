"""The sweep: what it removes, when, and that one failure stops nothing else."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.utils import timezone

from jobs.ephemeral.clock import ClockWatch, NoMemory, WrongTimes
from jobs.files import deletion, disk, lifetime, store
from jobs.housekeeping import orphans, sweep
from jobs.models import Artifact, Job, Package, PackageState, Role, Story
from jobs.queue import actions, erasure
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story

pytestmark = pytest.mark.django_db
SetEnv = Callable[..., None]
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _all_folders_at_each_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what a sweep finds does not depend on how many there were before."""
    monkeypatch.setattr(orphans, "SHARDS_A_SWEEP", len(disk.SHARDS))
    # One that stopped somewhere would go on from there to the last folder, and not begin anew.
    monkeypatch.setattr(sweep, "comparison", orphans.Comparison())


def age(artifacts: Path, artifact_id: uuid.UUID, by: timedelta) -> None:
    then = (timezone.now() - by).timestamp()
    os.utime(artifacts / str(artifact_id)[:2] / str(artifact_id), (then, then))


class Told(NoMemory):
    """Which times are wrong, as all processes know it."""

    wrong: WrongTimes | None = None

    def keep_wrong(self, wrong: WrongTimes | None) -> None:
        self.wrong = wrong

    def take_wrong(self) -> WrongTimes | None:
        taken, self.wrong = self.wrong, None
        return taken


def raise_locked(*_: object) -> int:
    raise OperationalError("database is locked")


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


def test_a_clock_set_forward_by_mistake_deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes for expired would not come back when the clock is put right."""
    saved = make_artifact(content=b"saved")
    system = [0.0]
    watch = ClockWatch(lambda: system[0], lambda: 0.0)
    monkeypatch.setattr(sweep, "watch", watch)
    now = timezone.now()
    assert sweep.sweep(now).idle
    system[0] += 48 * 60 * 60
    assert sweep.sweep(now + 48 * HOUR).idle
    system[0] -= 48 * 60 * 60
    assert sweep.sweep(now).idle
    assert store.size(saved.pk) == 5
    assert sweep.sweep(saved.expires_at + HOUR).expired == 1


def test_files_saved_while_the_clock_was_behind_live_as_long_as_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = timezone.now()
    day = 24 * HOUR
    before = make_artifact(content=b"before", created_at=now - 2 * day, expires_at=now - HOUR)
    behind = make_artifact(content=b"saved", created_at=now - day, expires_at=now - day + 12 * HOUR)
    wrong = WrongTimes(
        by_s=day.total_seconds(),
        since_s=(now - day - HOUR).timestamp(),
        until_s=(now - day + HOUR).timestamp(),
    )
    watch, told = ClockWatch(), [wrong]
    monkeypatch.setattr(watch, "take_wrong_times", lambda: told.pop() if told else None)
    monkeypatch.setattr(sweep, "watch", watch)
    assert sweep.sweep(now).expired == 1
    before.refresh_from_db()
    assert before.removed_at == now
    behind.refresh_from_db()
    assert behind.removed_at is None
    assert (behind.created_at, behind.expires_at) == (now, now + 12 * HOUR)
    assert sweep.sweep(now).idle


def test_times_that_could_not_be_put_right_are_put_right_by_the_next_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = timezone.now()
    day = 24 * HOUR
    saved = make_artifact(content=b"saved", created_at=now - day, expires_at=now - HOUR)
    since_s, told = (now - day - HOUR).timestamp(), Told()
    told.wrong = WrongTimes(by_s=day.total_seconds(), since_s=since_s)
    monkeypatch.setattr(sweep, "watch", ClockWatch(memory=told))
    with monkeypatch.context() as broken:
        broken.setattr(lifetime, "put_right", raise_locked)
        with pytest.raises(OperationalError):
            sweep.sweep(now)
    assert sweep.sweep(now).idle
    saved.refresh_from_db()
    assert (saved.removed_at, saved.expires_at) == (None, now - HOUR + day)


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
    age(artifacts, orphan.pk, orphans.ORPHAN_GRACE * 2)
    age(artifacts, wanted.pk, orphans.ORPHAN_GRACE * 2)
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
    remaining = {path.name for path in work.iterdir()}
    assert remaining == {names["live"], names["packing"], young.name}


# --- jobs ---


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


@pytest.mark.parametrize("left_over", ["open", "file", "packing"])
def test_an_old_job_stays_while_something_is_left(left_over: str, set_env: SetEnv) -> None:
    set_env(job_retention=timedelta())
    now = timezone.now()
    job = make_job(links=1, state=ItemState.QUEUED if left_over == "open" else ItemState.DONE)
    Job.objects.filter(pk=job.pk).update(settled_at=now - timedelta(days=31))
    if left_over == "file":
        make_artifact(job=job, content=b"x")
    if left_over == "packing":
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
    assert sweep.sweep(timezone.now() + orphans.ORPHAN_GRACE * 2).jobs == 1
    assert not Job.objects.filter(pk=job.pk).exists()


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


@pytest.mark.parametrize("call", ["is_unmounted", "walk"])
def test_a_disk_that_does_not_answer_keeps_nothing_else_from_its_end(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise OSError(5, "Input/output error")

    old = make_job(links=1, state=ItemState.DONE, settled_at=timezone.now() - 10_000 * HOUR)
    file = make_artifact(content=b"x")
    monkeypatch.setattr(disk if call == "is_unmounted" else store, call, fail)
    report = sweep.sweep(timezone.now())
    assert (report.jobs, report.orphan_rows, report.orphan_files) == (1, 0, 0)
    assert not Job.objects.filter(pk=old.pk).exists()
    file.refresh_from_db()
    assert file.removed_at is None
