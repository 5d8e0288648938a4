"""Saved files in a real object store: no common disk, a worker killed, large files."""

from __future__ import annotations

import hashlib
import io
import os
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.http import StreamingHttpResponse
from django.test import RequestFactory
from django.utils import timezone

from jobs.files import bucket_mark, bucket_requests, disk, redirects, serving, store
from jobs.files.bucket_access import bucket
from jobs.files.bucket_address import address
from jobs.files.workspace import Workspace
from jobs.housekeeping import orphans, reaper, sweep
from jobs.models import Artifact, Item, Job, Package, PackageState, Role, StoryKind
from jobs.queue import claims, submission
from jobs.states import ItemState
from jobs.zips import packing
from jobs.zips.builder import build_carousel
from tests import buckets, seaweed
from tests.factories import make_artifact, make_item, make_story, make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import Start, eventually

MIB = 1024 * 1024

# One store for all of them: several that start at once are slow.
pytestmark = [pytest.mark.timeout(400), pytest.mark.xdist_group("bucket")]

if seaweed.binary() is None:
    pytest.skip("there is no weed (make stores)", allow_module_level=True)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A SeaweedFS."""
    with seaweed.running(tmp_path_factory.mktemp("weed")) as running:
        yield running


@pytest.fixture
def environment(endpoint: str, settings: Any, transactional_db: None) -> dict[str, str]:
    """The environment of workers that save there, as this process does."""
    prefix = uuid.uuid4().hex
    settings.STORYKEEP = django_settings.STORYKEEP.model_copy(
        update=buckets.settings_of(endpoint, prefix)
    )
    bucket_mark.looks.forget()
    disk.root()
    return {
        "STORYKEEP_ARTIFACT_STORE": f"s3://{buckets.BUCKET}/{prefix}",
        "STORYKEEP_ARTIFACT_STORE_ENDPOINT": endpoint,
        "STORYKEEP_ARTIFACT_STORE_KEY_ID": seaweed.KEY_ID,
        "STORYKEEP_ARTIFACT_STORE_SECRET_KEY": seaweed.SECRET_KEY,
    }


def settled(job: Job, within: float = 240) -> Job:
    """The job, once all its lines are settled."""

    def ask() -> bool:
        reaper.requeue_stalled(timezone.now())
        job.refresh_from_db()
        return job.settled_at is not None

    eventually(ask, within)
    return job


def check_store() -> None:
    """Every row has its file, whole; every file its row; and nothing unfinished lies about."""
    rows = {row.pk: row for row in Artifact.objects.filter(removed_at=None)}
    assert {file.id for folder in store.walk() for file in folder} == set(rows)
    for row in rows.values():
        with store.open_artifact(row.pk) as file:
            body = file.read()
        assert (len(body), hashlib.sha256(body).hexdigest()) == (row.size_bytes, row.sha256)
    assert bucket_requests.begun_uploads(address()) == []


def test_two_workers_without_a_common_disk_and_one_is_killed(
    start_worker: Start,
    tiktok: FakeTikTok,
    slowly: Callable[[float], None],
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    slowly(20_000)
    names = [f"corner.bakery{number}" for number in range(6)]
    authors = [tiktok.account(name) for name in names]
    for author in authors:
        author.video(seconds=1)
    authors[0].carousel(2)
    workers = [
        start_worker(
            threads=2,
            STORYKEEP_ARTIFACT_DIR=str(tmp_path / side),
            **environment,
        )
        for side in ("left", "right")
    ]
    for worker in workers:
        eventually(lambda worker=worker: " ready." in worker.output, 90)  # type: ignore[misc]
    job = submission.submit(make_user("alice"), [f"@{name}" for name in names])
    folders = [tmp_path / side for side in ("left", "right")]
    busy = eventually(lambda: next((at for at in folders if any(at.glob("work/*/*"))), None), 60)
    workers.pop(folders.index(busy)).kill()
    assert Item.objects.filter(state=ItemState.RUNNING).exists()
    slowly(0)
    job.items.filter(state=ItemState.RUNNING).update(heartbeat_at=timezone.now() - 2 * claims.LEASE)
    settled(job)
    assert set(job.items.values_list("state", flat=True)) == {ItemState.DONE}
    media = job.artifacts.filter(role=Role.MEDIA, removed_at=None)
    assert media.count() >= len(names)
    package = packing.request(job)

    def packed() -> bool:
        reaper.requeue_stalled(timezone.now())
        package.refresh_from_db()
        return package.state == PackageState.DONE

    eventually(packed, 60)
    artifact = Package.objects.get(pk=package.pk).artifact
    assert artifact is not None
    with store.open_artifact(artifact.pk) as file, zipfile.ZipFile(io.BytesIO(file.read())) as pack:
        assert pack.testzip() is None
        assert len([name for name in pack.namelist() if name.endswith(".mp4")]) == len(names)
    check_store()
    for folder in folders:
        assert {path.name for path in folder.iterdir()} == {disk.WORK}
    assert "Traceback" not in workers[0].output


def resident_peak_bytes() -> int:
    """The most memory this process had since the peak was last set back."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


def set_peak_back() -> int:
    """Begin the peak anew; what it is now."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident_peak_bytes()


def test_a_zip_of_many_files_and_a_large_download_take_no_more_memory(
    environment: dict[str, str],
) -> None:
    story = make_story(make_item(), kind=StoryKind.CAROUSEL, media_count=12)
    content = os.urandom(8 * MIB)
    files = [make_artifact(story, content=content) for _ in range(12)]
    before = set_peak_back()
    with Workspace("item.1") as workspace:
        packed = build_carousel(story, files, workspace)
    assert packed.size_bytes > 12 * 8 * MIB
    assert resident_peak_bytes() - before < 60 * MIB
    packed.save(force_insert=True)

    before = set_peak_back()
    digest = hashlib.sha256()
    response = serving.file_response(RequestFactory().get("/"), packed.owner, packed.pk)
    assert isinstance(response, StreamingHttpResponse)
    for chunk in response:
        digest.update(chunk)
    assert digest.hexdigest() == packed.sha256
    assert resident_peak_bytes() - before < 30 * MIB
    request = RequestFactory().get("/", headers={"Range": "bytes=90000000-90000009"})
    part = serving.file_response(request, packed.owner, packed.pk)
    assert isinstance(part, StreamingHttpResponse)
    with store.open_artifact(packed.pk) as file:
        file.seek(90_000_000)
        assert b"".join(part) == file.read(10)
    check_store()


def test_a_signed_address_of_a_real_store(environment: dict[str, str]) -> None:
    import urllib.error
    import urllib.request

    file = make_artifact(content=b"hello", name="é ann.mp4", content_type="video/mp4")
    disposition = serving.disposition(file.name, attachment=True)
    response = redirects.redirect(file, disposition=disposition)
    assert response is not None
    url = response.headers["Location"]
    with urllib.request.urlopen(url, timeout=20) as arrived:
        assert arrived.read() == b"hello"
        assert arrived.headers["Content-Type"] == "video/mp4"
        assert arrived.headers["Content-Disposition"] == disposition
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url.replace(str(file.pk), str(uuid.uuid4())), timeout=20)


def test_a_few_folders_at_a_time_all_files_are_listed(environment: dict[str, str]) -> None:
    ids = {uuid.UUID(f"{shard}{uuid.uuid4().hex[2:]}") for shard in disk.SHARDS for _ in range(2)}
    for file_id in ids:
        bucket().write(f"{str(file_id)[:2]}/{file_id}", b"x")
    step = orphans.SHARDS_A_SWEEP
    groups = [disk.SHARDS[first : first + step] for first in range(0, len(disk.SHARDS), step)]
    found = [file.id for few in groups for folder in store.walk(few) for file in folder]
    assert len(found) == len(set(found))
    assert set(found) == ids
    assert {file.id for folder in store.walk() for file in folder} == ids


def test_the_sweep_ends_uploads_that_were_never_ended(environment: dict[str, str]) -> None:
    kept = make_artifact(content=b"kept")
    where = address()
    asking = seaweed.client(where.endpoint)
    key = f"{where.prefix}/ab/{uuid.uuid4()}"
    asking.create_multipart_upload(Bucket=where.bucket, Key=key)
    (upload,) = bucket_requests.begun_uploads(where)
    assert store.abort_stale_uploads(timezone.now()) == 0
    sweep.sweep(timezone.now(), whole=True)
    assert bucket_requests.begun_uploads(where) == [upload]
    bucket_requests.abort_upload(where, upload)
    check_store()
    assert store.size(kept.pk) == 4
