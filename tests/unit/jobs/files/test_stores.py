"""What holds for saved files whichever store they are in: the folder or a bucket."""

from __future__ import annotations

import hashlib
import io
import os
import uuid
import zipfile
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from jobs.errors import Expired
from jobs.files import capacity, damage, deletion, disk, serving, store, stores
from jobs.files.deletion import DeletionTally
from jobs.files.stores import StoredFile
from jobs.files.workspace import Workspace, remove_workspace, stale_workspaces
from jobs.housekeeping.orphans import ORPHAN_GRACE, Comparison, Orphans
from jobs.housekeeping.scrub import Scrub
from jobs.models import DAMAGED, Artifact, StoryKind
from jobs.zips.builder import build_carousel
from tests.factories import make_artifact, make_item, make_story
from tests.unit.jobs.files.making import save

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_store")]

CONTENT = bytes(range(256)) * 40


def walked() -> list[StoredFile]:
    """All saved files."""
    return [file for folder in store.walk() for file in folder]


def test_what_was_put_is_read_anywhere_in_it() -> None:
    artifact_id = save(CONTENT)
    with store.open_artifact(artifact_id) as file:
        assert stores.length(file) == len(CONTENT)
        assert file.read() == CONTENT
        assert file.seek(-10, os.SEEK_END) == len(CONTENT) - 10
        assert file.read(4) == CONTENT[-10:-6]
        assert file.seek(300) == 300
        assert file.read(100) == CONTENT[300:400]
        assert file.tell() == 400
        file.seek(len(CONTENT) + 5)
        assert file.read() == b""
    assert store.size(artifact_id) == len(CONTENT)


def test_an_empty_file_is_a_file() -> None:
    artifact_id = save(b"")
    assert store.size(artifact_id) == 0
    with store.open_artifact(artifact_id) as file:
        assert file.read() == b""


def test_a_large_file_arrives_whole_and_is_read_across_windows() -> None:
    content = os.urandom(17 * 1024 * 1024)
    artifact_id = save(content)
    with store.open_artifact(artifact_id) as file:
        digest = hashlib.sha256()
        while piece := file.read(1024 * 1024):
            digest.update(piece)
        assert digest.digest() == hashlib.sha256(content).digest()
        file.seek(2 * 1024 * 1024 - 3)
        assert file.read(6) == content[2 * 1024 * 1024 - 3 :][:6]


def test_a_file_that_is_not_there() -> None:
    missing = uuid.uuid4()
    with pytest.raises(FileNotFoundError):
        store.open_artifact(missing)
    assert store.size(missing) is None
    assert store.identity(missing) is None


@pytest.mark.parametrize("hostile", ["../../etc/passwd", "", "x", "..", "\0", "a/b"])
def test_only_ids_name_files(hostile: str) -> None:
    for act in (store.open_artifact, store.size, store.remove, store.identity):
        with pytest.raises(ValueError, match=r"\S"):
            act(hostile)


def test_a_removed_file_is_gone_and_twice_is_harmless() -> None:
    artifact_id = save(b"x")
    assert store.remove(artifact_id)
    assert store.size(artifact_id) is None
    store.remove(artifact_id)
    store.discard(artifact_id)


def test_files_are_listed_by_shard() -> None:
    ids = {save(bytes(10)) for _ in range(5)}
    assert {file.id for file in walked()} == ids
    assert {file.size_bytes for file in walked()} == {10}
    first = str(next(iter(ids)))[:2]
    of_shard = [file.id for folder in store.walk([first]) for file in folder]
    assert set(of_shard) == {artifact_id for artifact_id in ids if str(artifact_id)[:2] == first}
    assert all(abs(file.modified_at - timezone.now().timestamp()) < 60 for file in walked())


def test_work_in_progress_is_no_saved_file() -> None:
    with Workspace("item.1") as workspace:
        key, file = workspace.create()
        file.write(b"half")
        assert walked() == []
        workspace.commit(key, uuid.uuid4())
        assert len(walked()) == 1
        file.close()
    assert not workspace.path.exists()


def test_a_reused_file_is_read_committed_and_outlives_the_first() -> None:
    first = make_artifact(content=CONTENT)
    copy_id = uuid.uuid4()
    with Workspace("item.1") as workspace:
        key = workspace.link_existing(first)
        store.remove(first.pk)
        with workspace.open(key) as file:
            assert file.read() == CONTENT
        assert workspace.commit(key, copy_id) == len(CONTENT)
    with store.open_artifact(copy_id) as file:
        assert file.read() == CONTENT
    assert [file.id for file in walked()] == [copy_id]


def test_of_a_reused_file_that_is_not_wanted_nothing_is_left() -> None:
    first = make_artifact(content=CONTENT)
    with Workspace("item.1") as workspace:
        workspace.discard(workspace.link_existing(first))
        workspace.link_existing(first)
        assert workspace.in_flight_bytes
    assert [file.id for file in walked()] == [first.pk]
    assert list(stale_workspaces(older_than_s=-60)) == []


def test_a_reused_file_that_is_gone_is_missing_and_reserves_nothing() -> None:
    first = make_artifact(content=CONTENT)
    store.remove(first.pk)
    with Workspace("item.1") as workspace:
        with pytest.raises(FileNotFoundError):
            workspace.link_existing(first)
        assert not workspace.in_flight_bytes


def test_what_a_dead_workspace_reused_is_swept() -> None:
    first = make_artifact(content=CONTENT)
    name = f"{uuid.uuid4()}.1"
    workspace = Workspace(name)
    workspace.__enter__()
    workspace.link_existing(first)
    assert set(stale_workspaces(older_than_s=-60)) == {name}
    assert list(stale_workspaces(older_than_s=60)) == []
    remove_workspace(name)
    assert list(stale_workspaces(older_than_s=-60)) == []
    assert [file.id for file in walked()] == [first.pk]


def test_a_copy_within_a_bucket_counts_and_a_link_in_a_folder_does_not(each_store: str) -> None:
    first = make_artifact(content=CONTENT)
    with Workspace("item.1") as workspace:
        key = workspace.link_existing(first)
        content_id = workspace.content_id(key)
        make_artifact(size_bytes=len(CONTENT), content_id=content_id)
    assert content_id == (first.pk if each_store == "folder" else None)
    times = 1 if each_store == "folder" else 2
    assert capacity.used_bytes() == times * len(CONTENT)


def test_many_files_are_deleted_together() -> None:
    story = make_story()
    files = [make_artifact(story, content=CONTENT) for _ in range(5)]
    kept = make_artifact(content=CONTENT)
    tally = DeletionTally()
    gone = [(file.pk, file.size_bytes) for file in files]
    assert deletion.remove(gone, timezone.now(), tally) == 5
    assert tally.freed_bytes == 5 * len(CONTENT)
    assert [file.id for file in walked()] == [kept.pk]


def test_a_row_without_its_file_is_marked_and_a_file_without_a_row_goes() -> None:
    kept, lost = make_artifact(content=CONTENT), make_artifact(content=CONTENT)
    store.remove(lost.pk)
    unknown = save(CONTENT)
    now, tally = timezone.now(), DeletionTally()
    assert Comparison().run(now, tally, whole=True) == Orphans(rows=1, files=0)
    lost.refresh_from_db()
    assert lost.removed_at
    later = now + ORPHAN_GRACE + timedelta(minutes=5)
    assert Comparison().run(later, tally, whole=True) == Orphans(rows=0, files=1)
    assert store.size(unknown) is None
    assert store.size(kept.pk) == len(CONTENT)


def test_a_file_with_other_bytes_is_given_up_by_the_scrub() -> None:
    good, bad = make_artifact(content=CONTENT), make_artifact(content=CONTENT)
    save(CONTENT[::-1], bad.pk)
    later = timezone.now().timestamp() + 13 * 3600
    assert Scrub(now_s=lambda: later, sleep=lambda _s: None)._read_due(None) >= 0
    given_up = damage.give_up([good, bad])
    assert given_up in ([], [bad.pk])
    bad.refresh_from_db()
    good.refresh_from_db()
    assert DAMAGED in bad.labels
    assert DAMAGED not in good.labels
    assert store.size(bad.pk) is None


def test_a_carousel_is_packed_from_saved_pictures() -> None:
    story = make_story(make_item(), kind=StoryKind.CAROUSEL, media_count=2)
    files = [make_artifact(story, content=bytes([n]) * 5000) for n in range(2)]
    with Workspace("item.1") as workspace:
        packed = build_carousel(story, files, workspace)
    with store.open_artifact(packed.pk) as file, zipfile.ZipFile(io.BytesIO(file.read())) as pack:
        assert pack.testzip() is None
        assert sorted(pack.namelist()) == sorted([*(row.name for row in files), "story.json"])


# --- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture
def _database_stays_open() -> Iterator[None]:
    request_finished.disconnect(close_old_connections)
    yield
    request_finished.connect(close_old_connections)


def get(artifact: Artifact, method: str = "GET", **headers: str) -> tuple[int, bytes, HttpResponse]:
    """Status, body and the response itself."""
    request: HttpRequest = RequestFactory().generic(
        method, "/", headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    response = serving.file_response(request, artifact.owner, artifact.pk)
    body = b"".join(response)
    response.close()
    return response.status_code, body, response  # type: ignore[return-value]


@pytest.mark.usefixtures("_database_stays_open")
class TestOverHttp:
    """Downloads."""

    def test_whole_in_parts_and_by_its_head(self) -> None:
        file = make_artifact(content=CONTENT)
        status, body, response = get(file)
        assert (status, body) == (200, CONTENT)
        assert response.headers["Content-Length"] == str(len(CONTENT))
        status, body, response = get(file, Range="bytes=300-309")
        assert (status, body) == (206, CONTENT[300:310])
        assert response.headers["Content-Range"] == f"bytes 300-309/{len(CONTENT)}"
        assert get(file, Range="bytes=-5")[1] == CONTENT[-5:]
        assert get(file, Range=f"bytes={len(CONTENT)}-")[0] == 416
        status, body, response = get(file, method="HEAD")
        assert (status, body) == (200, b"")
        assert response.headers["Content-Length"] == str(len(CONTENT))

    def test_conditions_and_dates(self) -> None:
        file = make_artifact(content=CONTENT)
        response = get(file)[2]
        etag, modified = response.headers["ETag"], response.headers["Last-Modified"]
        assert get(file, If_None_Match=etag)[0] == 304
        assert get(file, If_Modified_Since=modified)[0] == 304
        assert get(file, If_Match='"other"')[0] == 412
        assert get(file, Range="bytes=0-3", If_Range=etag)[1] == CONTENT[:4]

    def test_a_file_deleted_meanwhile_is_expired(self) -> None:
        file = make_artifact(content=CONTENT)
        deletion.delete(Artifact.objects.filter(pk=file.pk))
        with pytest.raises(Expired):
            get(file)


def test_room_and_the_disk_are_looked_at() -> None:
    save(CONTENT)
    disk.probe_write()
    assert not disk.is_away(again=True)
    assert capacity.measure().free_bytes > 0
