"""Saved files, and workspaces."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.files import capacity, store, workspace
from jobs.files.workspace import Workspace

pytestmark = pytest.mark.django_db

SetEnv = Callable[..., None]


def save(content: bytes, artifact_id: uuid.UUID | None = None) -> uuid.UUID:
    artifact_id = artifact_id or uuid.uuid4()
    with Workspace(f"{uuid.uuid4()}.1") as workspace:
        key, file = workspace.create()
        file.write(content)
        workspace.commit(key, artifact_id)
        file.close()
    return artifact_id


# --- saved files ---


def test_a_kept_file_lies_under_its_id_and_nothing_else_is_left(artifacts: Path) -> None:
    artifact_id = save(b"hello")

    name = str(artifact_id)
    assert [path.relative_to(artifacts) for path in artifacts.glob("*/*") if path.is_file()] == [
        Path(name[:2]) / name
    ]
    with store.open_artifact(artifact_id) as file:
        assert file.read() == b"hello"
    assert store.size(artifact_id) == 5
    assert list((artifacts / "work").iterdir()) == []


def test_folders_and_files_belong_to_us_alone(artifacts: Path) -> None:
    artifact_id = save(b"x")

    for folder in (artifacts, artifacts / "work", artifacts / str(artifact_id)[:2]):
        assert folder.stat().st_mode & 0o777 == 0o700
    file = artifacts / str(artifact_id)[:2] / str(artifact_id)
    assert file.stat().st_mode & 0o777 == 0o600


def test_removing_twice_is_harmless_and_a_reader_finishes() -> None:
    artifact_id = save(b"hello")
    with store.open_artifact(artifact_id) as file:
        assert store.remove(artifact_id)
        assert file.read() == b"hello"
    assert not store.remove(artifact_id)
    assert store.size(artifact_id) is None
    with pytest.raises(FileNotFoundError):
        store.open_artifact(artifact_id)


@pytest.mark.parametrize("hostile", ["../../etc/passwd", "", "x", "..", "\0", "a/b"])
def test_only_ids_name_files(hostile: str) -> None:
    for act in (store.open_artifact, store.size, store.remove):
        with pytest.raises(ValueError, match=r"\S"):
            act(hostile)


def test_an_id_in_another_spelling_is_the_same_file() -> None:
    artifact_id = save(b"hello")
    assert store.size(str(artifact_id).upper()) == 5
    assert store.size(artifact_id.hex) == 5


def test_no_link_is_followed_to_a_file(artifacts: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    artifact_id = save(b"hello")
    place = artifacts / str(artifact_id)[:2] / str(artifact_id)
    place.unlink()
    place.symlink_to(secret)

    with pytest.raises(FileNotFoundError):
        store.open_artifact(artifact_id)
    assert store.size(artifact_id) is None
    assert [found for folder in store.walk() for found in folder] == []
    assert store.remove(artifact_id)
    assert secret.read_bytes() == b"secret"


def test_no_link_is_followed_to_a_folder(artifacts: Path, tmp_path: Path) -> None:
    artifact_id = uuid.uuid4()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / str(artifact_id)).write_bytes(b"theirs")
    (artifacts / str(artifact_id)[:2]).symlink_to(elsewhere)

    with pytest.raises(FileNotFoundError):
        store.open_artifact(artifact_id)
    assert store.size(artifact_id) is None
    assert not store.remove(artifact_id)
    with pytest.raises(OSError, match=r"\S"):
        save(b"ours", artifact_id)
    assert (elsewhere / str(artifact_id)).read_bytes() == b"theirs"


def test_a_folder_in_place_of_a_file_is_no_file(artifacts: Path) -> None:
    artifact_id = uuid.uuid4()
    (artifacts / str(artifact_id)[:2] / str(artifact_id)).mkdir(parents=True)
    with pytest.raises(FileNotFoundError):
        store.open_artifact(artifact_id)
    assert store.size(artifact_id) is None


def test_stored_lists_ours_and_skips_the_rest(artifacts: Path) -> None:
    ours = {save(bytes(10)) for _ in range(5)}
    (artifacts / "README").write_text("mine")
    shard = artifacts / str(next(iter(ours)))[:2]
    (shard / "notes.txt").write_text("mine")
    (shard / str(uuid.uuid4()).upper()).write_text("odd")
    (artifacts / "ab").mkdir(exist_ok=True)
    (artifacts / "ab" / f"cd{uuid.uuid4().hex[2:]}").write_text("wrong folder")

    found = [one for folder in store.walk() for one in folder]

    assert {one.id for one in found} == ours
    assert {one.size_bytes for one in found} == {10}


# --- workspaces ---


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
        with workspace.open(key) as again:
            assert again.read() == b"Jello there"


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
    monkeypatch.setattr(capacity.time, "monotonic", lambda: 1000.0)
    ids = [uuid.uuid4() for _ in range(50)]
    with Workspace("item.1") as workspace:

        def make(artifact_id: uuid.UUID) -> None:
            key, file = workspace.create()
            with file:
                file.write(artifact_id.bytes)
            workspace.commit(key, artifact_id, durable=False)

        # The clock stands still, so the room is not counted again: no query in the threads.
        threads = [threading.Thread(target=make, args=(one,)) for one in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for one in ids:
        with store.open_artifact(one) as file:
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
