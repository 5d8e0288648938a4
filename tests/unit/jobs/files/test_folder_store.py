"""The folder of saved files: where they lie, who may read them, and what names them."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from jobs.files import store
from tests.unit.jobs.files.making import save

pytestmark = pytest.mark.django_db


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
    assert [file for folder in store.walk() for file in folder] == []
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

    files = [file for folder in store.walk() for file in folder]

    assert {file.id for file in files} == ours
    assert {file.size_bytes for file in files} == {10}


def test_a_file_the_disk_keeps_is_left_to_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    artifact_id = save(b"x")
    monkeypatch.setattr(os, "unlink", refuse)
    store.discard(artifact_id)
    assert store.size(artifact_id) == 1
