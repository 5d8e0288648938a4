"""The set-up link restores a backup into an empty instance, once, and tells what came of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadhandler import SkipFile
from django.db import connection
from django.http import HttpRequest
from django.test import Client

from accounts import setup
from tests.factories import make_user
from webapp import setup_restore
from webapp.backups import archive, databases, making, restoring, sqlite
from webapp.backups.failures import RestoreRefused
from webapp.server import uploads

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="made of SQLite"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, set_env: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder."""
    set_env(data_dir=tmp_path, secret_key=None)
    monkeypatch.setattr(settings, "SECRET_KEY", settings.SECRET_KEY)
    monkeypatch.setattr(sqlite, "migrate", lambda _url: None)
    monkeypatch.setattr(setup, "_seen_admin", False)
    return tmp_path


@pytest.fixture
def backup() -> bytes:
    """A backup of alice; she is gone since."""
    alice = make_user("alice", is_superuser=True)
    with making.opened("correct horse", datetime(2026, 11, 28, tzinfo=UTC)) as (_size, chunks):
        content = b"".join(chunks)
    alice.delete()
    return content


@pytest.fixture
def address() -> str:
    """The page of a new set-up link."""
    return f"/setup/{setup.create_link()}/restore/"


def send(address: str, content: bytes, **given: str) -> tuple[int, str]:
    file = io.BytesIO(content)
    file.name = "keep.tar"
    answer = Client().post(address, {"file": file, **given})
    return answer.status_code, answer.content.decode()


def test_the_set_up_page_leads_there_and_it_takes_large_files(address: str) -> None:
    page = Client().get(address.removesuffix("restore/")).content.decode()
    assert f'href="{address}"' in page
    assert not uploads.is_open(address)
    page = Client().get(address).content.decode()
    assert 'enctype="multipart/form-data"' in page
    assert uploads.is_open(address)


def test_a_made_up_link_opens_nothing() -> None:
    address = f"/setup/{'x' * 43}/restore/"
    assert Client().get(address).status_code == 404
    assert not uploads.is_open(address)
    assert send(address, b"x")[0] == 404


def test_everyone_is_back_and_the_link_is_gone(backup: bytes, address: str) -> None:
    Client().get(address)
    key = settings.SECRET_KEY
    settings.SECRET_KEY = "of the empty instance" * 3
    status, page = send(address, backup, passphrase="correct horse")
    assert status == 200, page
    assert "1 account is back. Everyone has to sign in again." in page
    assert "The secret key was not restored" not in page
    assert key == settings.SECRET_KEY
    assert setup.admin_exists()
    assert Client().get(address).status_code == 404
    assert not uploads.is_open(address)
    answer = Client().post("/login/", {"login": "alice", "password": "alicealice"})
    assert answer.status_code == 302


def test_what_is_wrong_is_said_and_nothing_is_changed(backup: bytes, address: str) -> None:
    damaged = bytearray(backup)
    damaged[-3000] ^= 1
    for content, given, words in (
        (backup, {}, "needs its passphrase"),
        (backup, {"passphrase": "wrong horse"}, "passphrase is wrong"),
        (backup[:-600], {"passphrase": "correct horse"}, "cut short"),
        (bytes(damaged), {"passphrase": "correct horse"}, "damaged"),
        (b"holiday", {}, "not a Storykeep backup"),
        (b"", {}, "empty"),
    ):
        status, page = send(address, content, **given)
        assert status == 422
        assert words in page
        assert "horse" not in page
        assert not setup.admin_exists()
    assert send(address, backup, without_keys="on")[0] == 200


def test_one_that_is_restored_but_not_up_to_date_is_not_called_refused(
    backup: bytes, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on PostgreSQL, where the upgrade comes after the restore."""
    Client().get(address)
    here = databases.current()
    monkeypatch.setattr(here, "kind", "postgresql", raising=False)
    monkeypatch.setattr(databases, "current", lambda: here)
    monkeypatch.setattr(restoring, "_checked", lambda file, _database: archive.Backup(file))

    def fail() -> None:
        raise RestoreRefused("database", 'relation "x" already exists')

    monkeypatch.setattr(restoring, "migrate", fail)
    status, page = send(address, backup, passphrase="correct horse")
    assert status == 200
    assert "relation &quot;x&quot; already exists" in page
    assert "Do not restore it again" in page
    assert "is back" not in page
    assert setup.admin_exists()
    assert not uploads.is_open(address)


def test_a_form_from_elsewhere_is_refused(address: str) -> None:
    assert Client(enforce_csrf_checks=True).post(address).status_code == 403


def test_an_upload_lies_in_the_data_folder_without_a_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = setup_restore.OnDisk(HttpRequest())
    handler.new_file("file", "keep.tar", "application/x-tar", 5)
    handler.receive_data_chunk(b"12345", 0)
    with handler.file_complete(5) as file:
        assert file.read() == b"12345"
    assert not list(folder.iterdir())
    handler.new_file("file", "keep.tar", "application/x-tar", 5)
    handler._file.close()
    monkeypatch.setattr(handler, "_file", Full())
    with pytest.raises(SkipFile):
        handler.receive_data_chunk(b"12345", 0)


class Full:
    """A file on a disk that is full."""

    def write(self, _piece: bytes) -> None:
        raise OSError(28, "No space left on device")

    def close(self) -> None:
        """Nothing."""
