"""A backup that was downloaded can be restored: unpacked into an empty folder and started from."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.db import connection

from jobs.files.marks import SENTINEL
from tests.factories import make_job, make_user
from webapp import backup
from webapp.env import PROJECT_DIR

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 28, 12, 5, tzinfo=UTC)
needs_sqlite = pytest.mark.skipif(
    "postgres" in os.environ.get("STORYKEEP_DATABASE_URL", ""), reason="SQLite alone is a file"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, set_env: Callable[..., None]) -> Path:
    """The data folder, whose database lies elsewhere."""
    set_env(data_dir=tmp_path)
    return tmp_path


@needs_sqlite
def test_it_is_one_file_that_restores(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    make_job(make_user("alice"), links=3)
    made = backup.make(NOW)
    assert made.name == "storykeep-2026-11-28-1205.tar"
    assert not list(folder.iterdir())  # the copy has no name already
    content = b"".join(made)
    made.close()
    assert len(content) == made.size_bytes
    place = tmp_path_factory.mktemp("restored")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == ["RESTORE.txt", "secret-key", "storykeep.sqlite3"]
        assert {entry.mode for entry in archive.getmembers()} == {0o600}
        archive.extractall(place, filter="data")
    steps = (place / "RESTORE.txt").read_text()
    assert "2026-11-28 12:05 UTC" in steps
    assert f"touch data/artifacts/{SENTINEL}" in steps, "else a new machine would save nothing"
    script = (
        "from django.conf import settings; from django.contrib.auth.models import User;"
        "from jobs.models import Item; print(settings.SECRET_KEY, *User.objects.all(),"
        " Item.objects.count())"
    )
    environment = {**os.environ, "STORYKEEP_DATA_DIR": str(place)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    environment.pop("STORYKEEP_DATABASE_URL", None)
    for command in (["migrate", "--check"], ["shell", "--no-imports", "-c", script]):
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=PROJECT_DIR,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.split() == [settings.SECRET_KEY, "alice", "3"]


@needs_sqlite
def test_its_size_is_foretold_without_what_was_deleted_since() -> None:
    make_job(make_user("alice"), links=3)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE filling (content BLOB)")
        cursor.execute("INSERT INTO filling VALUES (zeroblob(3000000))")
        cursor.execute("DROP TABLE filling")
    expected = backup.expected_bytes()
    made = backup.make(NOW)
    made.close()
    assert expected == pytest.approx(made.size_bytes, rel=0.1)


def test_where_no_backup_can_be_made_none_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "connection", SimpleNamespace(vendor="postgresql"))
    assert backup.expected_bytes() is None


@needs_sqlite
def test_of_two_at_once_the_second_is_told_to_wait() -> None:
    with backup._copying, pytest.raises(backup.BackupFailed) as refused:
        backup.make(NOW)
    assert refused.value.reason == "busy"
    backup.make(NOW).close()


@needs_sqlite
def test_without_room_nothing_is_begun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.statvfs_result((4096, 4096, 100, 1, 1, 10, 10, 10, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: full)
    with pytest.raises(backup.BackupFailed) as refused:
        backup.make(NOW)
    assert refused.value.reason == "no_room"
    assert not list(folder.iterdir())


@needs_sqlite
def test_a_folder_that_is_away_is_said(set_env: Callable[..., None], folder: Path) -> None:
    set_env(data_dir=folder / "away")
    with pytest.raises(backup.BackupFailed) as refused:
        backup.make(NOW)
    assert refused.value.reason == "FileNotFoundError"


@needs_sqlite
def test_what_a_dead_process_left_goes_with_the_next(folder: Path) -> None:
    left, fresh = folder / "backup-1-2", folder / "backup-3-4"
    for path, age_s in ((left, backup.STALE_S + 60), (fresh, 10)):
        path.touch()
        os.utime(path, (time.time() - age_s, time.time() - age_s))
    backup.make(NOW).close()
    assert [path.name for path in folder.iterdir()] == [fresh.name]


def test_a_server_is_backed_up_by_its_own_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "connection", SimpleNamespace(vendor="postgresql"))
    with pytest.raises(backup.BackupFailed) as refused:
        backup.make(NOW)
    assert refused.value.reason == "other_database"


def test_the_last_one_is_known_also_when_somebody_else_made_it(folder: Path) -> None:
    assert backup.last_at() is None
    backup.record()
    at = backup.last_at()
    assert at
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)
    os.utime(folder / "last-backup", (NOW.timestamp(), NOW.timestamp()))  # a script's `touch`
    assert backup.last_at() == NOW
