"""The folder a browser lives in."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from stories.browser.folder import BrowserFolder, remove_abandoned


def old(path: Path) -> Path:
    """The folder, as if made long ago."""
    os.utime(path, (0, 0))
    return path


def test_nobody_else_can_look_into_it(tmp_path: Path) -> None:
    folder = BrowserFolder(tmp_path)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    (folder.path / "profile").mkdir()
    (folder.path / "profile" / "Cookies").write_bytes(b"x")
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_process_that_is_gone_is_removed_by_the_next(tmp_path: Path) -> None:
    left = BrowserFolder(tmp_path)
    (left.path / "profile").mkdir()
    os.close(left._lock)  # as its end does
    old(left.path)
    folder = BrowserFolder(tmp_path)
    assert list(tmp_path.iterdir()) == [folder.path]
    folder.remove()


def test_a_folder_in_use_and_a_young_one_stay(tmp_path: Path) -> None:
    used, young = BrowserFolder(tmp_path), BrowserFolder(tmp_path)
    os.close(young._lock)
    old(used.path)
    remove_abandoned(tmp_path)
    assert set(tmp_path.iterdir()) == {used.path, young.path}
    used.remove()


def test_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    target = tmp_path / "somebodys"
    target.mkdir()
    (target / "file").touch()
    parent = tmp_path / "parent"
    parent.mkdir()
    (parent / "storykeep-browser-link").symlink_to(target)
    os.utime(parent / "storykeep-browser-link", (0, 0), follow_symlinks=False)
    remove_abandoned(parent)
    assert (target / "file").exists()


def test_it_is_not_made_where_a_browsers_sockets_would_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 60)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = BrowserFolder()
    socket = folder.path / "org.chromium.Chromium.abcdef" / "SingletonSocket"
    assert len(os.fsencode(socket)) <= 107
    folder.remove()


def test_without_a_place_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        BrowserFolder(tmp_path / "missing")
