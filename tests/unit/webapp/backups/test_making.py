"""A backup is there once it is whole, holds no bare secret, and says why there is none."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from pydantic import SecretStr

from accounts.models import SignInLink
from jobs import VERSION
from jobs.ephemeral import leases
from jobs.ephemeral.connection import RedisUnavailable
from tests.factories import make_job, make_user
from webapp.backups import databases, kept, making
from webapp.backups.archive import Backup
from webapp.backups.failures import BackupFailed

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 28, 12, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, set_env: Callable[..., None]) -> Path:
    """The folder of backups."""
    set_env(data_dir=tmp_path)
    return tmp_path / "backups"


def test_it_holds_the_database_the_key_and_what_made_it(folder: Path) -> None:
    make_job(make_user("alice"), links=3)
    path = making.make("manual", "correct horse", NOW)
    assert path == folder / "storykeep-2026-11-28-120500-manual.tar"
    assert path.stat().st_mode & 0o777 == 0o600
    assert {left.name for left in folder.iterdir()} == {path.name, ".lock"}
    with path.open("rb") as file:
        backup = Backup(file)
        backup.check()
        assert backup.manifest.version == VERSION
        assert "0001_initial" in backup.manifest.migrations["jobs"]
        assert backup.keys("correct horse") == {"secret-key": settings.SECRET_KEY}
        assert b"manage.py restore" in backup.text("RESTORE.txt")
    assert kept.last_at()


def test_settings_are_in_it_and_secrets_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORYKEEP_INSTANCE_NOTE", "ask Kim's\nsister")
    monkeypatch.setenv("STORYKEEP_PROXY", "http://me:hunter2@proxy:1")
    monkeypatch.setenv("STORYKEEP_BACKUP_PASSPHRASE", "hunter2 and more")
    text = making.settings_text()
    assert "STORYKEEP_INSTANCE_NOTE='ask Kim'\"'\"'s\nsister'" in text
    assert "hunter2" not in text
    assert "STORYKEEP_PROXY" not in text


def test_no_passphrase_is_no_key_and_it_says_so() -> None:
    with making.opened("", NOW) as (size, chunks):
        content = b"".join(chunks)
    assert len(content) == size
    assert settings.SECRET_KEY.encode() not in content
    assert b"The secret key is not in it" in Backup(io.BytesIO(content)).text("RESTORE.txt")


def test_what_signs_somebody_in_is_not_in_it() -> None:
    alice = make_user("alice")
    cookie = SessionStore()
    cookie.save()
    key = str(cookie.session_key)
    UserSession.objects.create(user=alice, ip="127.0.0.1", session_key=key, user_agent="browser")
    link = SignInLink.objects.create(user=alice, digest="5" * 64)
    with making.opened("correct horse", NOW) as (_size, chunks):
        content = b"".join(chunks)
    for text in (key, link.digest, "browser"):
        assert text.encode() not in content
    assert UserSession.objects.filter(session_key=key), "she stays signed in here"


def test_the_passphrase_of_the_settings(set_env: Callable[..., None]) -> None:
    assert making.passphrase() == ""
    set_env(backup_passphrase=SecretStr("correct horse"))
    assert making.passphrase() == "correct horse"


def test_only_the_last_ones_stay(set_env: Callable[..., None]) -> None:
    set_env(backup_keep=2)
    for day in range(3):
        making.make("daily", "", NOW + timedelta(days=day))
    assert [(backup.at - NOW).days for backup in kept.kept()] == [2, 1]


def test_a_clock_that_was_ahead_once_does_not_have_the_new_one_removed(
    set_env: Callable[..., None],
) -> None:
    set_env(backup_keep=2)
    for day in (30, 31):
        making.make("daily", "", NOW + timedelta(days=day))
    for day in range(2):
        assert making.make("daily", "", NOW + timedelta(days=day)).is_file()
    assert [(backup.at - NOW).days for backup in kept.kept()] == [1, 0]


def test_without_room_nothing_is_begun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.statvfs_result((4096, 4096, 100, 1, 1, 10, 10, 10, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: full)
    with pytest.raises(BackupFailed) as refused:
        making.make("manual", "", NOW)
    assert refused.value.reason == "no_room"
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_a_disk_that_fills_leaves_no_half_backup_and_the_old_one(folder: Path) -> None:
    path = folder / "old.tar"
    folder.mkdir()
    path.write_bytes(b"old")

    def chunks() -> Iterator[bytes]:
        yield b"new"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(BackupFailed) as refused:
        making.write(path, (10, chunks()))
    assert refused.value.reason == "no_room"
    assert path.read_bytes() == b"old"
    assert [left.name for left in folder.iterdir()] == ["old.tar"]


def test_a_disk_that_breaks_is_said() -> None:
    with pytest.raises(BackupFailed) as refused:
        making.write(Path("/nowhere/at/all.tar"), (0, iter([])))
    assert refused.value.reason == "disk"
    assert "/nowhere/at" in str(refused.value)


def test_of_two_at_once_the_second_is_told_to_wait() -> None:
    with kept.locked(), pytest.raises(BackupFailed) as refused:
        making.make("manual", "", NOW)
    assert refused.value.reason == "busy"


def test_by_hand_one_at_a_time_of_all_machines_that_serve_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = {"backup"}

    def acquire(name: str, _holder: str, *, seconds: float) -> bool:
        assert seconds > 0
        is_free = name not in held
        held.add(name)
        return is_free

    monkeypatch.setattr(leases, "acquire", acquire)
    monkeypatch.setattr(leases, "release", held.remove)
    with pytest.raises(BackupFailed) as refused:
        making.make_by_hand("", NOW)
    assert refused.value.reason == "busy"
    assert (kept.kept(), held) == ([], {"backup"})
    held.clear()
    making.make_by_hand("", NOW)
    making.make_by_hand("", NOW + timedelta(minutes=1))
    assert [backup.kind for backup in kept.kept()] == ["manual", "manual"]
    assert held == set()


def test_by_hand_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: object, **_kwargs: object) -> bool:
        raise RedisUnavailable

    monkeypatch.setattr(leases, "acquire", away)
    assert making.make_by_hand("", NOW).exists()


def test_about_how_large_it_will_be() -> None:
    assert making.expected_bytes() == databases.current().expected_bytes() > 0
