"""A restore is refused before anything is touched, or it brings everything back."""

from __future__ import annotations

import fcntl
import io
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest
from django.conf import settings
from django.db import connection

from jobs.ephemeral import heartbeats
from jobs.files import bucket_address, bucket_mark, disk, marks
from jobs.files.bucket_access import bucket
from jobs.ops import schema
from tests.factories import make_artifact, make_job, make_story, make_user
from webapp.backups import archive, databases, kept, making, restoring, sqlite
from webapp.backups.failures import BackupFailed, RestoreRefused

NOW = datetime(2026, 11, 28, 12, 5, tzinfo=UTC)
pytestmark = pytest.mark.django_db(transaction=True)


class Pretend:
    """A database that takes note of what is restored."""

    kind, server, is_there = "sqlite", 0, True
    restored: int

    def __init__(self, people: list[str], jobs: int = 0) -> None:
        self.people, self.jobs, self.restored, self.in_use = people, jobs, 0, False

    def counts(self) -> tuple[list[str], int]:
        return self.people, self.jobs

    def is_in_use(self) -> bool:
        return self.in_use

    def restore(
        self,
        copy: Callable[[Callable[[bytes], object]], None],
        size: int,
        last_look: Callable[[], None],
    ) -> None:
        last_look()
        pieces: list[bytes] = []
        copy(pieces.append)
        assert len(b"".join(pieces)) == size
        self.restored += 1


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, set_env: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder."""
    set_env(data_dir=tmp_path, secret_key=None)
    monkeypatch.setattr(settings, "SECRET_KEY", settings.SECRET_KEY)
    return tmp_path


@pytest.fixture
def backup(monkeypatch: pytest.MonkeyPatch) -> IO[bytes]:
    """A backup of alice and her job, with keys."""
    if connection.vendor != "sqlite":
        pytest.skip("made of SQLite")
    make_job(make_user("alice"), links=1)
    with making.opened("correct horse", NOW) as (_size, chunks):
        return io.BytesIO(b"".join(chunks))


def pretend(
    monkeypatch: pytest.MonkeyPatch, people: list[str] | None = None, jobs: int = 0
) -> Pretend:
    database = Pretend(people or [], jobs)
    monkeypatch.setattr(databases, "current", lambda: database)
    return database


PASSPHRASE = "correct horse"


def refusal(file: IO[bytes], passphrase: str = PASSPHRASE, **options: bool) -> RestoreRefused:
    file.seek(0)
    with pytest.raises(RestoreRefused) as refused:
        restoring.restore(file, passphrase, **options)
    return refused.value


def test_into_an_empty_instance_with_its_key(
    backup: IO[bytes], folder: Path, artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = pretend(monkeypatch)
    (artifacts / marks.SENTINEL).unlink()
    key = settings.SECRET_KEY
    monkeypatch.setattr(settings, "SECRET_KEY", "another one")
    restored = restoring.restore(backup, "correct horse")
    assert database.restored == 1
    assert (restored.at, restored.has_keys, restored.overruled) == (
        "2026-11-28T12:05:00Z",
        True,
        False,
    )
    assert (folder / "secret-key").read_text() == key == settings.SECRET_KEY
    assert (artifacts / marks.SENTINEL).exists(), "else nothing could be saved"


def test_a_key_that_cannot_be_written_is_found_before_the_database_is_replaced(
    backup: IO[bytes], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = pretend(monkeypatch)
    (folder / "secret-key.restoring").mkdir()
    assert refusal(backup).reason == "disk"
    assert not database.restored


def test_a_key_that_cannot_be_put_in_place_has_not_come_along(
    backup: IO[bytes], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is restored by then, so that this is no refusal."""
    database = pretend(monkeypatch)
    (folder / "secret-key").mkdir()
    assert not restoring.restore(backup, "correct horse").has_keys
    assert database.restored == 1
    assert not list(folder.glob("*.restoring"))


@pytest.mark.usefixtures("each_store")
def test_the_place_of_saved_files_is_ours_also_with_another_databases_mark(
    backup: IO[bytes], artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backup is older than the mark, and none of the files it knows is there any more."""
    pretend(monkeypatch)
    theirs = str(uuid.uuid4()).encode()
    make_artifact(make_story())
    if bucket_address.is_set():
        bucket().write(marks.SENTINEL, theirs)
        bucket_mark.looks.forget()
    else:
        (artifacts / marks.SENTINEL).write_bytes(theirs)
    assert disk.is_unmounted(again=True)
    restoring.restore(backup, PASSPHRASE)
    assert not disk.is_unmounted(again=True)


def test_without_its_keys_if_that_is_wanted(
    backup: IO[bytes], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch)
    assert refusal(backup, "").reason == "passphrase"
    assert refusal(backup, "wrong horse").reason == "passphrase"
    backup.seek(0)
    assert not restoring.restore(backup, "", without_keys=True).has_keys
    assert not (folder / "secret-key").exists()


@pytest.mark.parametrize(("people", "jobs"), [(["bob"], 0), ([], 1), (["root", "bob"], 0)])
def test_what_is_there_is_never_lost(
    backup: IO[bytes],
    monkeypatch: pytest.MonkeyPatch,
    set_env: Callable[..., None],
    tmp_path: Path,
    people: list[str],
    jobs: int,
) -> None:
    set_env(admin_user="root")
    database = pretend(monkeypatch, people, jobs)
    assert refusal(backup).reason == "not_empty"
    assert not int(database.restored)

    def full(*_: object) -> None:
        raise BackupFailed("no_room", "full")

    monkeypatch.setattr(making, "make", full)
    assert refusal(backup, replace=True).reason == "no_room"
    assert not int(database.restored)
    set_aside = tmp_path / "set-aside.tar"
    monkeypatch.setattr(making, "make", lambda *_: set_aside)
    assert refusal(backup, replace=True).reason == "disk", "it is not there"
    assert not int(database.restored)
    set_aside.touch()
    backup.seek(0)
    assert restoring.restore(backup, "correct horse", replace=True).set_aside
    assert database.restored == 1


def test_the_admin_of_the_settings_alone_is_nobody(
    backup: IO[bytes], monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]
) -> None:
    set_env(admin_user="root")
    database = pretend(monkeypatch, ["root"])
    restoring.restore(backup, "correct horse")
    assert database.restored


def test_a_newer_one_and_another_kind_are_refused(
    backup: IO[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = pretend(monkeypatch)
    database.kind = "postgresql"
    refused = refusal(backup)
    assert refused.reason == "other_kind"
    assert "from SQLite, but this instance uses PostgreSQL" in str(refused)
    database.kind = "sqlite"
    monkeypatch.setattr(schema, "unknown_migrations", lambda _applied: ["jobs.9999"])
    assert refusal(backup).reason == "newer"
    assert not database.restored


def test_a_damaged_one_is_refused_before_anything_is_touched(
    backup: IO[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = pretend(monkeypatch, ["bob"])
    content = bytearray(backup.read())
    content[-3000] ^= 1
    assert refusal(io.BytesIO(bytes(content)), replace=True).reason == "damaged"
    assert not database.restored


def test_while_it_runs_it_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = pretend(monkeypatch)

    def refused() -> str:
        with pytest.raises(RestoreRefused) as error, restoring.stopped():
            pass
        return error.value.reason

    with restoring.stopped(), (folder / "run" / "up.lock").open() as lock:
        with pytest.raises(BlockingIOError):  # nor can it start meanwhile
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert refused() == "running"
    database.in_use = True
    assert refused() == "running"
    database.in_use = False
    monkeypatch.setattr(kept, "redis_may_answer", lambda: True)
    monkeypatch.setattr(heartbeats, "alive", lambda: ["worker-1@nas"])
    assert refused() == "running"
    assert (folder / "run").is_dir()


def test_one_restore_at_a_time(folder: Path) -> None:
    (folder / "run").mkdir()
    with restoring.alone(), pytest.raises(RestoreRefused) as refused, restoring.alone():
        pass
    assert refused.value.reason == "running"


def test_an_account_that_is_made_meanwhile_is_not_lost(
    backup: IO[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = pretend(monkeypatch)
    check = archive.Backup.check

    def slowly(self: archive.Backup) -> None:
        check(self)
        monkeypatch.setattr(database, "counts", iter([([], 0), (["bob"], 0)]).__next__)

    monkeypatch.setattr(archive.Backup, "check", slowly)
    assert refusal(backup).reason == "not_empty"
    assert not database.restored


def test_the_snapshot_of_an_embedded_redis_goes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch)
    (folder / "run").mkdir()
    (folder / "run" / "redis-server-7.rdb").touch()
    with restoring.stopped():
        assert not list((folder / "run").glob("*.rdb"))


def test_the_database_itself(
    backup: IO[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "migrate", lambda _url: None)
    place = sqlite.SqliteDatabase(tmp_path / "new.sqlite3")
    monkeypatch.setattr(databases, "current", lambda: place)
    restored = restoring.restore(backup, "correct horse")
    assert (restored.people, restored.jobs) == (1, 1)
