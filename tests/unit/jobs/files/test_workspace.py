"""Workspaces: files that arrive, are linked and are committed, and what is left of them."""

from __future__ import annotations

import errno
import io
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import DiskFull, StorageUnavailable
from jobs.files import disk, store, workspace
from jobs.files.workspace import Workspace
from jobs.models import Artifact
from tests.factories import make_artifact

pytestmark = pytest.mark.django_db


def test_keys_count_up_and_discard_removes(artifacts: Path) -> None:
    with Workspace("item.1") as workspace:
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
    with Workspace("item.1") as workspace:
        key, file = workspace.create()
        file.write(b"hello world")
        file.seek(6)
        file.write(b"there")
        file.seek(0)
        assert file.read() == b"hello there"
        os.pwrite(file.fileno(), b"J", 0)
        with workspace.open(key) as reopened:
            assert reopened.read() == b"Jello there"


def test_what_a_dead_attempt_left_is_cleared_on_entering(artifacts: Path) -> None:
    left = artifacts / "work" / "item.1"
    left.mkdir(parents=True)
    (left / "1.part").write_bytes(b"old")
    with Workspace("item.1") as workspace:
        assert list(workspace.path.iterdir()) == []
        assert workspace.create()[0] == "1.part"


def test_an_error_clears_the_workspace(artifacts: Path) -> None:
    files = []

    def crash() -> None:
        with Workspace("item.1") as workspace:
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
        workspace.Workspace(name)


@pytest.mark.parametrize("key", ["../1.part", "1", "1.part/..", "/etc/passwd", ""])
def test_a_key_cannot_be_elsewhere(key: str) -> None:
    with Workspace("item.1") as workspace:
        for act in (workspace.discard, workspace.open):
            with pytest.raises(ValueError, match="key"):
                act(key)
        with pytest.raises(ValueError, match="key"):
            workspace.commit(key, uuid.uuid4())


def test_keep_flushes_a_file_somebody_still_reads() -> None:
    artifact_id = uuid.uuid4()
    with Workspace("item.1") as workspace:
        key, file = workspace.create()
        file.write(b"hello")
        assert workspace.commit(key, artifact_id, durable=False) == 5
        file.seek(0)
        assert file.read() == b"hello"
        file.close()
    assert store.size(artifact_id) == 5


def test_keep_from_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    ids = [uuid.uuid4() for _ in range(50)]
    with Workspace("item.1") as workspace:

        def make(artifact_id: uuid.UUID) -> None:
            key, file = workspace.create()
            with file:
                file.write(artifact_id.bytes)
            workspace.commit(key, artifact_id, durable=False)

        # The clock stands still, so the room is not counted again: no query in the threads.
        threads = [threading.Thread(target=make, args=(artifact_id,)) for artifact_id in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for artifact_id in ids:
        with store.open_artifact(artifact_id) as file:
            assert file.read() == artifact_id.bytes


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_while_writing(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: io.FileIO, data: bytes) -> int:
        raise OSError(code, "full")

    with Workspace("a.1") as workspace:
        key, file = workspace.create()
        file.write(b"x")
        with monkeypatch.context() as patch:
            patch.setattr(disk._RawFile, "_put", full)
            with pytest.raises(DiskFull):
                file.flush()
            with pytest.raises(DiskFull):
                workspace.commit(key, uuid.uuid4())
            workspace.discard(key)
        assert list(workspace.path.iterdir()) == []


# --- linking what is saved already ---


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda space, _key: space.create(), id="create"),
        pytest.param(lambda space, key: space.open(key), id="open"),
        pytest.param(lambda space, key: space.commit(key, uuid.uuid4()), id="commit"),
    ],
)
def test_a_folder_that_was_exchanged_is_a_fault_of_the_disk(
    use: Callable[[Workspace, str], object], artifacts: Path, tmp_path: Path
) -> None:
    with Workspace("item.1") as workspace:
        key, file = workspace.create()
        file.write(b"x")
        artifacts.rename(tmp_path / "elsewhere")
        artifacts.mkdir()
        with pytest.raises(StorageUnavailable):
            use(workspace, key)
        assert list(artifacts.rglob("*.part")) == []


def test_a_linked_file_is_young_and_lives_on_its_own(artifacts: Path) -> None:
    file = make_artifact(content=b"shared")
    path = artifacts / str(file.pk)[:2] / str(file.pk)
    assert path.stat().st_nlink == 1
    with Workspace("a.1") as workspace:
        key = workspace.link_existing(file)
        assert path.stat().st_nlink == 2
        with workspace.open(key) as opened:
            assert opened.read() == b"shared"
    assert path.stat().st_nlink == 1  # what was not kept is gone again
    with Workspace("a.1") as workspace, pytest.raises(FileNotFoundError):
        workspace.link_existing(Artifact(id=uuid.uuid4()))


def test_without_links_the_bytes_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    file = make_artifact(content=b"shared")
    other = "00000000-0000-4000-8000-000000000001"
    with Workspace("a.1") as workspace:
        assert workspace.commit(workspace.link_existing(file), other) == 6
    store.remove(file.pk)
    with store.open_artifact(other) as opened:
        assert opened.read() == b"shared"


def test_what_is_to_be_taken_over_is_away(artifacts: Path) -> None:
    artifact = make_artifact(content=b"x")
    with Workspace("one.1") as workspace:
        shutil.rmtree(artifacts)
        with pytest.raises(DiskFull):
            workspace.link_existing(artifact)


# --- what is left ---


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

    assert list(workspace.stale_workspaces(older_than_s=60)) == ["link", "old.1"]
    for name in ("link", "old.1", "old.1"):
        if name != "old.1" or (work / name).exists():
            workspace.remove_workspace(name)
    assert [path.name for path in work.iterdir()] == ["new.1"]
    assert target.exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_no_folder_but_a_workspace_is_removed(name: str) -> None:
    with pytest.raises(ValueError, match="workspace"):
        workspace.remove_workspace(name)
