"""A key in a file, made once."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from notices import key_file, vapid
from tests.unit.notices.receiving import Killed

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "key"


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


def test_it_is_made_for_nobody_else_to_read_and_the_first_one_stays(path: Path) -> None:
    key_file.make(path, lambda: "first")
    key_file.make(path, lambda: "second")
    assert path.read_text() == "first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(path) == ["key"]


def test_it_and_its_name_are_on_the_disk_before_it_is_used(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        kept.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr("notices.key_file.os.fsync", note)
    key_file.make(path, lambda: "first")
    assert [Path(name).name.partition(".")[0] for name in kept] == ["key", "folder"]


def die(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize("step", ["link", "unlink"])
def test_what_a_killed_process_left_is_removed_later(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(Path, "unlink", die)
        if step == "link":
            killed.setattr("notices.key_file.os.link", die)
        with pytest.raises(Killed):
            key_file.make(path, lambda: "first")
    assert path.exists() == (step == "unlink")
    old = path.with_name("key.77")  # as they were named before
    old.write_text("x")
    for other in ("key.restoring", "key.77.old", "other.77"):
        path.with_name(other).write_text("x")
    others = ["key.77.old", "key.restoring", "other.77"]
    key_file.remove_begun(path)  # somebody may be at it
    assert len(names(path)) == len(others) + 2 + path.exists()
    for entry in path.parent.iterdir():
        os.utime(entry, (time.time() - key_file.STALE_S - 1,) * 2)
    key_file.remove_begun(path)
    assert names(path) == sorted([*others, *(["key"] if path.exists() else [])])


def test_where_there_is_no_folder_nothing_was_left(path: Path) -> None:
    key_file.remove_begun(path)


@pytest.mark.parametrize("name", [vapid.KEY_FILE, "secret-key"])
def test_both_keys_are_tidied_up_after(tmp_path: Path, name: str) -> None:
    left = tmp_path / f"{name}.77-abcdefgh"
    left.write_text("x")
    os.utime(left, (0, 0))
    if name == vapid.KEY_FILE:
        vapid.find_or_make()
        vapid.find_or_make()
    else:
        environment = {
            **{key: text for key, text in os.environ.items() if "STORYKEEP" not in key},
            "STORYKEEP_DATA_DIR": str(tmp_path),
        }
        subprocess.run(
            [sys.executable, "-c", "import webapp.settings"], cwd=ROOT, env=environment, check=True
        )
    assert (tmp_path / name).exists()
    assert not left.exists()
