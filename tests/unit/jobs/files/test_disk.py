"""The folder saved files are in, and how it is told from an empty place where it should be."""

from __future__ import annotations

import asyncio
import errno
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from accounts import tokens
from jobs.errors import StorageUnavailable
from jobs.files import capacity, disk, marks, store, workspace
from jobs.models import Artifact
from jobs.ops import readiness
from tests.factories import make_artifact, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def away(artifacts: Path) -> Path:
    """A file was saved, and its disk is not mounted: the place is empty."""
    make_artifact(content=b"x")
    shutil.rmtree(artifacts)
    artifacts.mkdir()
    return artifacts


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("there", [True, False])
def test_a_new_folder_is_made_and_marked(there: bool, artifacts: Path) -> None:
    shutil.rmtree(artifacts)
    if there:
        artifacts.mkdir()
    assert not disk.is_unmounted()
    assert disk.root() == artifacts
    assert [path.name for path in artifacts.iterdir()] == [marks.SENTINEL]
    assert there or artifacts.stat().st_mode & 0o777 == 0o700
    make_artifact()
    assert not disk.is_unmounted()


@pytest.mark.django_db(transaction=True)
def test_an_unmarked_folder_with_our_files_in_it_is_ours(artifacts: Path) -> None:
    make_artifact(content=b"x")
    make_artifact()
    (artifacts / marks.SENTINEL).unlink()
    assert not disk.is_unmounted()
    assert disk.root() == artifacts
    assert (artifacts / marks.SENTINEL).exists()


def test_nothing_is_written_where_the_disk_should_be(away: Path) -> None:
    with pytest.raises(StorageUnavailable), workspace.Workspace("one.1"):
        pass
    with pytest.raises(StorageUnavailable) as refused:
        capacity.require_room()
    assert refused.value.retry_after_s
    assert readiness.artifact_disk() == "not_mounted"
    assert not list(away.iterdir())


def test_a_file_that_is_away_is_not_called_expired(away: Path, client: Client) -> None:
    artifact = make_artifact()
    client.force_login(make_user())
    client.raise_request_exception = False
    assert client.get(f"/files/{artifact.pk}/{artifact.name}").status_code == 503
    token = {"Authorization": f"Bearer {tokens.create(make_user(), 'phone')}"}
    asked = client.get(f"/api/v1/files/{artifact.pk}", headers=token)
    assert (asked.status_code, asked.json()["error"]["code"]) == (503, "storage_unavailable")
    assert asked.headers["Retry-After"]
    with pytest.raises(disk.StorageNotMounted):
        store.size(artifact.pk)


def test_whoever_emptied_it_says_so_with_the_mark(away: Path) -> None:
    (away / marks.SENTINEL).touch()
    assert not disk.is_unmounted()
    capacity.require_room()


def test_when_everything_expired_any_folder_will_do(
    away: Path, set_env: Callable[..., None]
) -> None:
    Artifact.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert disk.root() == away
    assert not disk.is_unmounted()


def test_asking_for_free_space_asks_no_database(away: Path) -> None:
    async def ask() -> int:
        return disk.free_bytes()

    assert asyncio.run(ask()) > 0


@pytest.mark.django_db(transaction=True)
def test_whoever_may_only_read_reads(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = make_artifact(content=b"x")
    (artifacts / marks.SENTINEL).unlink()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    with store.open_artifact(artifact.pk) as file:
        assert file.read() == b"x"


def test_other_errors_stay_what_they_are() -> None:
    for number in (errno.EMFILE, errno.ENOENT):
        with pytest.raises(OSError, match="no"), disk.translate_disk_errors():
            raise OSError(number, "no")


def test_where_our_own_file_is_missing_the_folder_was_exchanged() -> None:
    with pytest.raises(StorageUnavailable), disk.translate_disk_errors(missing=True):
        raise FileNotFoundError(errno.ENOENT, "no")


def test_a_disk_is_tried_before_new_work_once_it_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probed: list[bool] = []
    monkeypatch.setattr(disk, "probe_write", lambda: probed.append(True))
    disk.require_usable()
    assert probed == []
    with pytest.raises(StorageUnavailable), disk.translate_disk_errors():
        raise OSError(errno.EIO, "no")
    disk.require_usable()
    disk.require_usable()
    assert probed == [True]


def test_free_space_of_a_folder_that_is_not_there_makes_none(artifacts: Path) -> None:
    shutil.rmtree(artifacts)
    assert disk.free_bytes() > 0
    assert not artifacts.exists()
