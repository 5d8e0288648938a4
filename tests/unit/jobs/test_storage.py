"""Saved files, workspaces, and the question whether there is room."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobs import storage
from jobs.errors import DiskFull
from tests.factories import make_artifact, make_job, make_story

pytestmark = pytest.mark.django_db

SetEnv = Callable[..., None]


def save(content: bytes, artifact_id: uuid.UUID | None = None) -> uuid.UUID:
    artifact_id = artifact_id or uuid.uuid4()
    with storage.Workspace(f"{uuid.uuid4()}.1") as workspace:
        key, file = workspace.create()
        file.write(content)
        workspace.keep(key, artifact_id)
        file.close()
    return artifact_id


# --- saved files ---


def test_a_kept_file_lies_under_its_id_and_nothing_else_is_left(artifacts: Path) -> None:
    artifact_id = save(b"hello")

    name = str(artifact_id)
    assert [path.relative_to(artifacts) for path in artifacts.rglob("*") if path.is_file()] == [
        Path(name[:2]) / name
    ]
    with storage.open_artifact(artifact_id) as file:
        assert file.read() == b"hello"
    assert storage.size(artifact_id) == 5
    assert list((artifacts / "work").iterdir()) == []


def test_folders_and_files_belong_to_us_alone(artifacts: Path) -> None:
    artifact_id = save(b"x")

    for folder in (artifacts, artifacts / "work", artifacts / str(artifact_id)[:2]):
        assert folder.stat().st_mode & 0o777 == 0o700
    file = artifacts / str(artifact_id)[:2] / str(artifact_id)
    assert file.stat().st_mode & 0o777 == 0o600


def test_removing_twice_is_harmless_and_a_reader_finishes() -> None:
    artifact_id = save(b"hello")
    with storage.open_artifact(artifact_id) as file:
        assert storage.remove(artifact_id)
        assert file.read() == b"hello"
    assert not storage.remove(artifact_id)
    assert storage.size(artifact_id) is None
    with pytest.raises(FileNotFoundError):
        storage.open_artifact(artifact_id)


@pytest.mark.parametrize("hostile", ["../../etc/passwd", "", "x", "..", "\0", "a/b"])
def test_only_ids_name_files(hostile: str) -> None:
    for act in (storage.open_artifact, storage.size, storage.remove):
        with pytest.raises(ValueError, match=r"\S"):
            act(hostile)


def test_an_id_in_another_spelling_is_the_same_file() -> None:
    artifact_id = save(b"hello")
    assert storage.size(str(artifact_id).upper()) == 5
    assert storage.size(artifact_id.hex) == 5


def test_no_link_is_followed_to_a_file(artifacts: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    artifact_id = save(b"hello")
    place = artifacts / str(artifact_id)[:2] / str(artifact_id)
    place.unlink()
    place.symlink_to(secret)

    with pytest.raises(FileNotFoundError):
        storage.open_artifact(artifact_id)
    assert storage.size(artifact_id) is None
    assert [found for folder in storage.stored() for found in folder] == []
    assert storage.remove(artifact_id)
    assert secret.read_bytes() == b"secret"


def test_no_link_is_followed_to_a_folder(artifacts: Path, tmp_path: Path) -> None:
    artifact_id = uuid.uuid4()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / str(artifact_id)).write_bytes(b"theirs")
    artifacts.mkdir()
    (artifacts / str(artifact_id)[:2]).symlink_to(elsewhere)

    with pytest.raises(FileNotFoundError):
        storage.open_artifact(artifact_id)
    assert storage.size(artifact_id) is None
    assert not storage.remove(artifact_id)
    with pytest.raises(OSError, match=r"\S"):
        save(b"ours", artifact_id)
    assert (elsewhere / str(artifact_id)).read_bytes() == b"theirs"


def test_a_folder_in_place_of_a_file_is_no_file(artifacts: Path) -> None:
    artifact_id = uuid.uuid4()
    (artifacts / str(artifact_id)[:2] / str(artifact_id)).mkdir(parents=True)
    with pytest.raises(FileNotFoundError):
        storage.open_artifact(artifact_id)
    assert storage.size(artifact_id) is None


def test_stored_lists_ours_and_skips_the_rest(artifacts: Path) -> None:
    ours = {save(bytes(10)) for _ in range(5)}
    (artifacts / "README").write_text("mine")
    shard = artifacts / str(next(iter(ours)))[:2]
    (shard / "notes.txt").write_text("mine")
    (shard / str(uuid.uuid4()).upper()).write_text("odd")
    (artifacts / "ab").mkdir(exist_ok=True)
    (artifacts / "ab" / f"cd{uuid.uuid4().hex[2:]}").write_text("wrong folder")

    found = [one for folder in storage.stored() for one in folder]

    assert {one.id for one in found} == ours
    assert {one.size_bytes for one in found} == {10}


# --- workspaces ---


def test_keys_count_up_and_discard_removes(artifacts: Path) -> None:
    with storage.Workspace("item.1") as workspace:
        first, _ = workspace.create()
        second, file = workspace.create()
        assert (first, second) == ("1.part", "2.part")
        file.write(b"x")
        workspace.discard(second)
        workspace.discard(second)
        assert file.closed
        assert [path.name for path in workspace.path.iterdir()] == ["1.part"]
    assert not workspace.path.exists()


def test_a_new_file_is_read_and_written_anywhere() -> None:
    with storage.Workspace("item.1") as workspace:
        key, file = workspace.create()
        file.write(b"hello world")
        file.seek(6)
        file.write(b"there")
        file.seek(0)
        assert file.read() == b"hello there"
        os.pwrite(file.fileno(), b"J", 0)
        with workspace.open(key) as again:
            assert again.read() == b"Jello there"


def test_what_a_dead_attempt_left_is_cleared_on_entering(artifacts: Path) -> None:
    left = artifacts / "work" / "item.1"
    left.mkdir(parents=True)
    (left / "1.part").write_bytes(b"old")
    with storage.Workspace("item.1") as workspace:
        assert list(workspace.path.iterdir()) == []
        assert workspace.create()[0] == "1.part"


def test_an_error_clears_the_workspace(artifacts: Path) -> None:
    files = []

    def crash() -> None:
        with storage.Workspace("item.1") as workspace:
            files.append(workspace.create()[1])
            files[0].write(b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crash()
    assert files[0].closed
    assert list((artifacts / "work").iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "x" * 200, "a\0b"])
def test_a_workspace_cannot_be_elsewhere(name: str) -> None:
    with pytest.raises(ValueError, match="workspace"):
        storage.Workspace(name)


@pytest.mark.parametrize("key", ["../1.part", "1", "1.part/..", "/etc/passwd", ""])
def test_a_key_cannot_be_elsewhere(key: str) -> None:
    with storage.Workspace("item.1") as workspace:
        for act in (workspace.discard, workspace.open):
            with pytest.raises(ValueError, match="key"):
                act(key)
        with pytest.raises(ValueError, match="key"):
            workspace.keep(key, uuid.uuid4())


def test_keep_flushes_a_file_somebody_still_reads() -> None:
    artifact_id = uuid.uuid4()
    with storage.Workspace("item.1") as workspace:
        key, file = workspace.create()
        file.write(b"hello")
        assert workspace.keep(key, artifact_id, durable=False) == 5
        file.seek(0)
        assert file.read() == b"hello"
        file.close()
    assert storage.size(artifact_id) == 5


def test_keep_from_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage.time, "monotonic", lambda: 1000.0)
    ids = [uuid.uuid4() for _ in range(50)]
    with storage.Workspace("item.1") as workspace:

        def make(artifact_id: uuid.UUID) -> None:
            key, file = workspace.create()
            with file:
                file.write(artifact_id.bytes)
            workspace.keep(key, artifact_id, durable=False)

        # The clock stands still, so the room is not counted again: no query in the threads.
        threads = [threading.Thread(target=make, args=(one,)) for one in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for one in ids:
        with storage.open_artifact(one) as file:
            assert file.read() == one.bytes


def test_old_workspaces_are_found_and_removed(artifacts: Path, tmp_path: Path) -> None:
    work = artifacts / "work"
    (work / "old.1").mkdir(parents=True)
    (work / "old.1" / "1.part").write_bytes(b"x")
    os.utime(work / "old.1", (0, 0))
    (work / "new.1").mkdir()
    target = tmp_path / "target"
    target.mkdir()
    (work / "link").symlink_to(target)
    os.utime(work / "link", (0, 0), follow_symlinks=False)

    assert list(storage.workspaces(older_than_s=60)) == ["link", "old.1"]
    for name in ("link", "old.1", "old.1"):
        if name != "old.1" or (work / name).exists():
            storage.remove_workspace(name)
    assert [path.name for path in work.iterdir()] == ["new.1"]
    assert target.exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_no_folder_but_a_workspace_is_removed(name: str) -> None:
    with pytest.raises(ValueError, match="workspace"):
        storage.remove_workspace(name)


# --- room ---


def test_the_limit_counts_stored_and_arriving_bytes(set_env: SetEnv) -> None:
    make_artifact(size_bytes=600)
    set_env(disk_max=1000)
    with storage.Workspace("a.1") as one, storage.Workspace("b.1") as two:
        key, file = one.create()
        one.admit(300)
        with pytest.raises(DiskFull):
            two.admit(101)
        two.admit(100)
        file.close()
        one.discard(key)
        two.admit(300)


def test_a_kept_file_counts_until_its_row_does(set_env: SetEnv) -> None:
    set_env(disk_max=1000)
    with storage.Workspace("a.1") as workspace:
        key, file = workspace.create()
        workspace.admit(700)
        with file:
            file.write(bytes(700))
        workspace.keep(key, uuid.uuid4(), durable=False)
        assert workspace.in_flight_bytes == 0
        with pytest.raises(DiskFull):
            workspace.admit(301)


def test_removed_files_do_not_count(set_env: SetEnv) -> None:
    artifact = make_artifact(size_bytes=5000)
    set_env(disk_max=1000)
    with pytest.raises(DiskFull):
        storage.check_room()
    artifact.removed_at = artifact.created_at
    artifact.save()
    storage.check_room()
    assert storage.used_bytes() == 0


def test_no_limit(set_env: SetEnv) -> None:
    make_artifact(size_bytes=10**15)
    set_env(disk_max=0)
    storage.check_room()
    with storage.Workspace("a.1") as workspace:
        workspace.admit(10**6)


def test_the_floor_of_free_space(set_env: SetEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        os, "statvfs", lambda path: SimpleNamespace(f_bavail=10, f_frsize=100, f_bsize=1)
    )
    set_env(disk_min_free=400)
    storage.check_room()
    with storage.Workspace("a.1") as workspace:
        workspace.create()
        workspace.admit(500)
        with pytest.raises(DiskFull):
            workspace.admit(200)
    set_env(disk_min_free=1000)
    with pytest.raises(DiskFull):
        storage.check_room()


def test_a_full_disk_says_when_the_first_file_goes(set_env: SetEnv) -> None:
    make_artifact(size_bytes=5000)
    set_env(disk_max=1000)
    with pytest.raises(DiskFull) as caught:
        storage.check_room()
    assert caught.value.retry_after_s is not None
    assert 7000 < caught.value.retry_after_s < 7400


def test_admitting_costs_at_most_one_query_a_second(
    django_assert_num_queries: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(storage.time, "monotonic", lambda: now)
    storage.recount()
    with storage.Workspace("a.1") as workspace:
        with django_assert_num_queries(0):  # type: ignore[attr-defined]
            for _ in range(100):
                workspace.admit(1)
        now += 2
        with django_assert_num_queries(1):  # type: ignore[attr-defined]
            for _ in range(100):
                workspace.admit(1)


def test_admitting_on_an_event_loop_asks_no_database(set_env: SetEnv) -> None:
    make_artifact(size_bytes=900)
    set_env(disk_max=1000)

    async def admit(workspace: storage.Workspace) -> None:
        storage.recount()
        workspace.admit(50)
        with pytest.raises(DiskFull):
            workspace.admit(100)

    with storage.Workspace("a.1") as workspace:
        asyncio.run(admit(workspace))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_while_writing(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: io.FileIO, data: bytes) -> int:
        raise OSError(code, "full")

    with storage.Workspace("a.1") as workspace:
        key, file = workspace.create()
        file.write(b"x")
        with monkeypatch.context() as patch:
            patch.setattr(storage._Raw, "_put", full)
            with pytest.raises(DiskFull):
                file.flush()
            with pytest.raises(DiskFull):
                workspace.keep(key, uuid.uuid4())
            workspace.discard(key)
        assert list(workspace.path.iterdir()) == []


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(PermissionError), storage.disk_errors():
        raise PermissionError(errno.EACCES, "no")


def test_disk_tells_the_whole_story(set_env: SetEnv) -> None:
    make_artifact(make_story(), size_bytes=7)
    make_artifact(job=make_job(), size_bytes=5)
    set_env(disk_max=12, disk_min_free=1)
    found = storage.disk()
    assert (found.used_bytes, found.max_bytes, found.min_free_bytes) == (12, 12, 1)
    assert found.free_bytes > 0
    assert found.full
