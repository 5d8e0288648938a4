"""Asking for a ZIP, and packing it while its files come and go."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs.ephemeral import progress
from jobs.errors import DiskFull, NothingToPack, QuotaExceeded
from jobs.files import deletion, store
from jobs.files.capacity import reservations
from jobs.models import DAMAGED, Artifact, Job, Package, PackageState, Quota, Role, Story
from jobs.queue import shutdown
from jobs.states import ItemState
from jobs.zips import builder, claims, packing
from tests.factories import make_artifact, make_job
from tests.unit.jobs.zips.making import bundle_of, make_full_job, opened, work

pytestmark = pytest.mark.django_db


# --- asking for one ---


def test_two_taps_make_one_package() -> None:
    job = make_full_job()
    first = packing.request(job)
    assert packing.request(job) == first
    claim = claims.claim(first.pk)
    assert claim
    assert packing.request(job) == first
    assert packing.run(claim)
    again = packing.request(job)
    assert again == first
    assert again.state == PackageState.DONE
    job.refresh_from_db()
    assert job.bundle == first


def test_a_request_tells_the_broker(
    broker: Any, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        package = packing.request(make_full_job())
    assert broker.sent == [package.pk]


def test_a_file_saved_since_makes_a_new_bundle_and_retires_the_old_one() -> None:
    job = make_full_job()
    old = bundle_of(job)
    story = Story.objects.filter(item__job=job).first()
    assert story
    make_artifact(story, content=b"late", position=7, name="late.jpg")

    fresh = packing.request(job)
    assert fresh.state == PackageState.QUEUED
    old.refresh_from_db()
    assert old.expires_at > timezone.now()
    assert work(fresh)

    old.refresh_from_db()
    assert old.expires_at <= timezone.now()
    fresh.refresh_from_db()
    assert fresh.artifact
    with opened(fresh.artifact) as archive:
        assert [name for name in archive.namelist() if name.endswith("/late.jpg")]


@pytest.mark.parametrize("end", ["removed", "expired", "failed"])
def test_a_bundle_that_cannot_be_taken_is_made_again(end: str) -> None:
    job = make_full_job()
    first = packing.request(job)
    claim = claims.claim(first.pk)
    assert claim
    if end == "failed":
        claims.fail(claim, DiskFull())
    else:
        packing.run(claim)
        field = "removed_at" if end == "removed" else "expires_at"
        Artifact.objects.filter(role=Role.BUNDLE).update(**{field: timezone.now()})
    assert packing.request(job) != first


def test_a_selection_holds_what_was_chosen() -> None:
    job = make_full_job()
    media = list(job.artifacts.filter(role=Role.MEDIA).order_by("name"))
    poster = job.artifacts.filter(role=Role.POSTER).first()
    theirs = make_artifact(content=b"theirs")
    assert poster
    chosen = [media[2].pk, media[0].pk]

    package = packing.request(job, [*chosen, poster.pk, theirs.pk, "no id"])
    assert package.selection == sorted(map(str, chosen))
    assert packing.request(job, chosen[::-1]) == package
    assert work(package)
    package.refresh_from_db()
    assert package.artifact
    assert package.artifact.role == Role.SELECTION
    assert package.artifact.name.endswith("_selection.zip")
    with opened(package.artifact) as archive:
        members = [name for name in archive.namelist() if name.endswith(".jpg")]
    assert members == [f"ann/{media[0].name}", f"bea/{media[2].name}"]
    job.refresh_from_db()
    assert (job.selection, job.bundle) == (package, None)


def test_nothing_to_ask_for() -> None:
    job = make_job(links=1, state=ItemState.EMPTY)
    for chosen in ((), [uuid.uuid4()], ["x"]):
        with pytest.raises(NothingToPack):
            packing.request(job, chosen)
    full = make_full_job()
    with pytest.raises(NothingToPack):
        packing.request(full, ["not an id"])
    assert Package.objects.count() == 0


def test_no_room(set_env: Callable[..., None]) -> None:
    job = make_full_job()
    set_env(disk_max=10)
    with pytest.raises(DiskFull):
        packing.request(job)
    set_env(disk_max=1000)
    package = packing.request(job)
    claim = claims.claim(package.pk)
    assert claim
    with pytest.raises(DiskFull):
        packing.run(claim)


def test_no_zip_for_a_job_that_is_gone() -> None:
    job = make_full_job()
    Job.objects.filter(pk=job.pk).delete()
    with pytest.raises(NothingToPack):
        packing.request(job)


# --- packing it ---


def files_on_disk(artifacts: Path) -> set[str]:
    return {path.name for path in artifacts.glob("*/*") if path.is_file()}


def test_files_that_went_while_it_waited() -> None:
    job = make_full_job()
    package = packing.request(job)
    claim = claims.claim(package.pk)
    assert claim
    job.artifacts.update(removed_at=timezone.now())
    with pytest.raises(NothingToPack):
        packing.run(claim)


def test_a_lost_claim_leaves_nothing(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_full_job()
    package = packing.request(job)
    claim = claims.claim(package.pk)
    assert claim
    before = files_on_disk(artifacts)
    Package.objects.filter(pk=package.pk).update(attempt=9)
    assert not packing.run(claim)
    assert files_on_disk(artifacts) == before
    assert not Artifact.objects.filter(role=Role.BUNDLE).exists()

    # … and one noticed in the middle of copying.
    monkeypatch.setattr(packing, "HEARTBEAT_EVERY_S", -1.0)
    assert not packing.run(claim)
    assert files_on_disk(artifacts) == before


def test_a_forgotten_job_leaves_nothing(artifacts: Path) -> None:
    job = make_full_job()
    package = packing.request(job)
    claim = claims.claim(package.pk)
    assert claim
    job.delete()
    before = files_on_disk(artifacts)
    assert not packing.run(claim)
    assert files_on_disk(artifacts) == before


def test_a_job_forgotten_at_the_last_moment(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_full_job()
    package = packing.request(job)
    claim = claims.claim(package.pk)
    assert claim
    before = files_on_disk(artifacts)
    settle = packing._settle

    def late(*args: Any) -> bool:
        job.delete()
        return settle(*args)

    monkeypatch.setattr(packing, "_settle", late)
    assert not packing.run(claim)
    assert files_on_disk(artifacts) == before


def test_what_is_deleted_while_it_is_packed_does_not_come_back(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_full_job()
    package = packing.request(job)
    claim = claims.claim(package.pk)
    assert claim
    unwanted = job.artifacts.filter(role=Role.MEDIA).first()
    assert unwanted
    build = builder.build_bundle

    def late(*args: Any, **options: Any) -> Artifact:
        artifact = build(*args, **options)
        deletion.delete(Artifact.objects.filter(pk=unwanted.pk))
        return artifact

    with monkeypatch.context() as patch:
        patch.setattr(packing, "build_bundle", late)
        assert not packing.run(claim)
    assert not Artifact.objects.filter(role=Role.BUNDLE).exists()
    package.refresh_from_db()
    assert package.state == PackageState.QUEUED

    again = claims.claim(package.pk)
    assert again
    assert packing.run(again)
    package.refresh_from_db()
    assert package.artifact
    with opened(package.artifact) as archive:
        assert not [name for name in archive.namelist() if name.endswith(unwanted.name)]


def spoil(artifacts: Path, file: Artifact, *, cut: bool = False) -> None:
    """Flip a bit of a saved file, or cut it to half."""
    path = artifacts / str(file.pk)[:2] / str(file.pk)
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content[: len(content) // 2] if cut else content)


@pytest.mark.parametrize("how", ["bit", "cut", "gone"])
@pytest.mark.parametrize("chosen", [False, True])
def test_a_damaged_file_is_left_out_and_named(artifacts: Path, how: str, chosen: bool) -> None:
    job = make_full_job()
    for number, story in enumerate(Story.objects.all()):
        Story.objects.filter(pk=story.pk).update(tiktok_id=str(number))
    media = list(job.artifacts.filter(role=Role.MEDIA).order_by("story__posted_at", "pk"))
    package = packing.request(job, [file.pk for file in media] if chosen else ())
    spoil(artifacts, media[0], cut=how == "cut")
    if how == "gone":
        store.remove(media[0].pk)
    before = files_on_disk(artifacts) - {str(media[0].pk)}
    assert not work(package), "it begins anew"
    package.refresh_from_db()
    assert package.state == PackageState.QUEUED
    assert files_on_disk(artifacts) == before, "neither the damaged file nor half a ZIP is left"
    media[0].refresh_from_db()
    assert media[0].labels == ["hevc", DAMAGED]
    assert work(package)
    package.refresh_from_db()
    assert package.artifact
    with opened(package.artifact) as archive:
        rows = read_manifest(archive)
        for row in rows:
            if row["file"]:
                content = archive.read(row["file"])
                assert hashlib.sha256(content).hexdigest() == row["sha256"].removeprefix("'")
    missing = [row for row in rows if not row["file"]]
    assert [(row["what"], row["left_out"], row["reason"]) for row in missing] == [
        ("missing", "1", DAMAGED)
    ]
    assert media[0].story
    assert missing[0]["story_id"].removeprefix("'") == media[0].story.tiktok_id
    assert len(rows) == len(media)


def test_a_zip_of_damaged_files_alone_is_none(artifacts: Path) -> None:
    job = make_full_job()
    media = list(job.artifacts.filter(role=Role.MEDIA))
    package = packing.request(job)
    for file in media:
        spoil(artifacts, file)
    assert not work(package)
    with pytest.raises(NothingToPack):
        work(package)


def read_manifest(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    text = archive.read("manifest.csv").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_worker_that_stops_lets_go(artifacts: Path) -> None:
    job = make_full_job()
    package = packing.request(job)
    claim = claims.claim(package.pk)
    assert claim
    before = files_on_disk(artifacts)
    shutdown.shutdown_requested.set()
    with pytest.raises(shutdown.ShutdownRequested):
        packing.run(claim)
    assert files_on_disk(artifacts) == before


def test_packing_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_full_job()
    told: list[float] = []
    monkeypatch.setattr(progress, "WRITE_EVERY_S", 0.0)
    monkeypatch.setattr(progress, "_put_for_a_while", _noting(told))
    monkeypatch.setattr(progress, "execute", lambda command: command(None))
    package = packing.request(job)
    assert work(package)
    assert told == sorted(told)
    assert len(set(told)) > 3
    assert 0 < told[0] < 0.5
    assert told[-1] == progress.ALL_PACKED


def _noting(told: list[float]) -> Callable[[object, str, str, str], None]:
    return lambda _server, _key, _field, text: told.append(json.loads(text)["share"])


def test_what_was_told_goes_with_a_job_that_was_erased_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = make_full_job()
    package = packing.request(job)
    claim = claims.claim(package.pk)
    assert claim
    erased: list[object] = []
    monkeypatch.setattr(progress, "erase", erased.append)

    def lost(_claim: object) -> bool:
        Job.objects.filter(pk=job.pk).delete()
        return False

    monkeypatch.setattr(claims, "heartbeat", lost)
    monkeypatch.setattr(packing, "HEARTBEAT_EVERY_S", -1.0)
    assert not packing.run(claim)
    assert erased == [job.pk]


def test_packing_renews_the_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_full_job()
    package = packing.request(job)
    claim = claims.claim(package.pk)
    assert claim
    long_ago = timezone.now() - timedelta(hours=1)
    Package.objects.filter(pk=package.pk).update(heartbeat_at=long_ago)
    monkeypatch.setattr(packing, "HEARTBEAT_EVERY_S", -1.0)
    assert packing.run(claim)
    package.refresh_from_db()
    assert package.heartbeat_at
    assert package.heartbeat_at > long_ago


@pytest.mark.parametrize("limit", ["quota", "instance"])
def test_another_worker_took_the_room_while_it_was_packed(
    limit: str, monkeypatch: pytest.MonkeyPatch, artifacts: Path, set_env: Callable[..., None]
) -> None:
    monkeypatch.setattr(reservations, "reserve", lambda *_, **__: None)  # as if there was room
    job = make_full_job()
    before = {path.name for path in artifacts.glob("??/*")}
    package = packing.request(job)
    if limit == "quota":
        Quota.objects.create(owner=job.owner, stored_bytes=50)
    else:
        set_env(disk_max=50)
    with pytest.raises(QuotaExceeded if limit == "quota" else DiskFull):
        work(package)
    package.refresh_from_db()
    assert package.state == PackageState.RUNNING, "its claim is for the task to fail"
    assert {path.name for path in artifacts.glob("??/*")} == before
    assert not Artifact.objects.filter(role=Role.BUNDLE).exists()
