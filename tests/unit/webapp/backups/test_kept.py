"""The folder of backups: what is in it, how many stay, and one that makes one at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.ephemeral import backups as told
from jobs.ephemeral.backups import Told
from jobs.ephemeral.connection import RedisUnavailable
from webapp.backups import kept
from webapp.backups.failures import BackupFailed

NOW = datetime(2026, 11, 28, 12, 5, 7, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, set_env: Callable[..., None]) -> Path:
    """The folder of backups, in a data folder of its own."""
    set_env(data_dir=tmp_path)
    place = tmp_path / "backups"
    place.mkdir()
    return place


def test_newest_first_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    names = [kept.file_name(NOW - timedelta(days=day), "daily") for day in (3, 1, 2)]
    for name in names:
        (folder / name).write_bytes(b"12345")
    for name in (
        "notes.txt",
        f"{names[0]}.partial",
        ".lock",
        "storykeep-2026-99-99-000000-daily.tar",
    ):
        (folder / name).touch()
    (folder / kept.file_name(NOW, "manual")).symlink_to(tmp_path / "elsewhere")
    found = kept.kept()
    assert [backup.name for backup in found] == [names[1], names[2], names[0]]
    assert found[0].at == NOW - timedelta(days=1)
    assert (found[0].kind, found[0].size_bytes) == ("daily", 5)


def test_without_a_folder_there_are_none(set_env: Callable[..., None], tmp_path: Path) -> None:
    set_env(backup_dir=tmp_path / "away")
    assert kept.kept() == []
    assert kept.path_of(kept.file_name(NOW, "daily")) is None


def test_only_a_kept_backup_has_a_path(folder: Path, tmp_path: Path) -> None:
    name = kept.file_name(NOW, "daily")
    (folder / name).touch()
    (tmp_path / "secret-key").touch()
    (folder / kept.file_name(NOW, "manual")).symlink_to(tmp_path / "secret-key")
    assert kept.path_of(name) == folder / name
    for other in ("../secret-key", kept.file_name(NOW, "manual"), "", "/etc/passwd", f"./{name}"):
        assert kept.path_of(other) is None


def test_the_newest_of_each_kind_stay(folder: Path, set_env: Callable[..., None]) -> None:
    set_env(backup_keep=2)
    for day in range(4):
        for kind in ("daily", "upgrade"):
            (folder / kept.file_name(NOW - timedelta(days=day), kind)).touch()
    kept.remove_surplus("daily", NOW)
    left = [(backup.kind, (NOW - backup.at).days) for backup in kept.kept()]
    assert [day for kind, day in left if kind == "daily"] == [0, 1]
    assert [day for kind, day in left if kind == "upgrade"] == [0, 1, 2, 3]
    set_env(backup_keep=0)
    kept.remove_surplus("daily", NOW)
    assert [backup.kind for backup in kept.kept()].count("daily") == 1


def test_one_at_a_time_and_what_a_dead_one_left_goes(folder: Path) -> None:
    for name in ("storykeep-2026-11-28-120507-daily.tar.partial", ".copy-1-aa"):
        (folder / name).touch()
    with kept.locked() as place:
        assert [path.name for path in place.iterdir()] == [".lock"]
        with pytest.raises(BackupFailed) as refused, kept.locked():
            pass
    assert refused.value.reason == "busy"
    with kept.locked():
        pass


def test_a_folder_that_cannot_be_made_is_said(set_env: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    set_env(backup_dir=tmp_path / "file" / "backups")
    with pytest.raises(BackupFailed) as refused, kept.locked():
        pass
    assert refused.value.reason == "disk"
    assert str(tmp_path / "file") in str(refused.value)


def test_the_last_one_is_known_also_when_somebody_else_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise RedisUnavailable

    monkeypatch.setattr(told, "last_made", away)
    assert kept.last_at() is None
    kept.record("manual")
    assert kept.last_at()
    os.utime(tmp_path / "last-backup", (NOW.timestamp(), NOW.timestamp()))  # a script's `touch`
    assert kept.last_at() == NOW.replace(microsecond=0)
    elsewhere = Told(at=NOW + timedelta(hours=1), kind="daily", host="nas")
    monkeypatch.setattr(told, "last_made", lambda: elsewhere)
    assert kept.last_at() == elsewhere.at


def test_an_embedded_redis_is_asked_only_while_it_runs(
    set_env: Callable[..., None], tmp_path: Path
) -> None:
    set_env(redis_url=None)
    assert not kept.redis_may_answer()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "redis.sock").touch()
    assert kept.redis_may_answer()
