"""The library's folder is known by its mark, and nothing in it is ever overwritten."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.files import library_folder
from jobs.files.library_folder import Changed, LibraryFull
from jobs.files.library_mark import LibraryAway
from jobs.files.library_parts import Part
from jobs.models import LibraryMark
from tests.unit.jobs.files.test_library_parts import POSTED, held, put

pytestmark = pytest.mark.django_db(transaction=True)


# --- which folder it is ---------------------------------------------------------------------------


def test_without_the_setting_there_is_none(set_env: Callable[..., None]) -> None:
    set_env(library_dir=None)
    assert not library_folder.is_set()
    assert not library_folder.is_away()
    with pytest.raises(LibraryAway):
        library_folder.root()


@pytest.mark.parametrize("left", ["nothing", "an empty folder", "another library"])
def test_what_is_held_is_not_taken_for_what_stands_in_its_place(library: Path, left: str) -> None:
    with library_folder.held() as mine:
        mine.require_here()
        put(library, "a.jpg", b"the first")
        mine.require_here("alice/nora/2026/a.jpg")
        with pytest.raises(FileNotFoundError):
            mine.require_here("alice/nora/2026/b.jpg")
        aside = library.rename(library.with_name("aside"))
        if left != "nothing":
            library.mkdir()
        if left == "another library":
            (library / ".storykeep-library").write_text(f"{LibraryMark.objects.get().mark}\n")
        with pytest.raises(LibraryAway):
            mine.require_here()
        with Part(mine.folder, ["alice"], 1) as part:
            part.write([b"x"])
            part.give_name("x.jpg", POSTED)
        assert (aside / "alice/x.jpg").exists()
        assert not (library / "alice").exists()


def test_a_library_that_goes_just_before_it_is_held_is_away(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library_folder.root()
    library.rename(library.with_name("aside"))
    monkeypatch.setattr(library_folder, "root", lambda: library)
    with pytest.raises(LibraryAway), library_folder.held():
        pass
    library.mkdir()
    with pytest.raises(LibraryAway), library_folder.held():
        pass


def test_a_library_that_is_made_can_be_read_by_others(library: Path) -> None:
    before = os.umask(0o077)
    try:
        library_folder.root()
    finally:
        os.umask(before)
    assert library.stat().st_mode & 0o777 == 0o755
    assert (library / ".storykeep-library").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("step", ["fchmod", "open"])
def test_a_library_whose_maker_was_killed_can_be_read_by_others(
    library: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_args: object, **_named: object) -> None:
        raise KeyboardInterrupt

    before = os.umask(0o077)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, step, die)
            with pytest.raises(KeyboardInterrupt):
                library_folder.root()
        library_folder.root()
    finally:
        os.umask(before)
    assert library.stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o2750, 0o1777])
def test_an_empty_folder_of_somebody_elses_keeps_its_mode(library: Path, mode: int) -> None:
    library.mkdir()
    (library / "alice").mkdir()
    for folder in (library / "alice", library):
        folder.chmod(mode)
    library_folder.root()
    put(library, "a.jpg", b"the first")
    assert library.stat().st_mode & 0o7777 == mode
    assert (library / "alice").stat().st_mode & 0o7777 == mode


def test_a_disk_that_is_nearly_full_takes_nothing(
    library: Path, set_env: Callable[..., None]
) -> None:
    library.mkdir()
    with held(library) as at:
        library_folder.require_room(at, 1)
        set_env(disk_min_free=1 << 62)
        with pytest.raises(LibraryFull) as caught:
            library_folder.require_room(at, 1)
    assert library_folder.is_full(caught.value)


# --- reading and removing -------------------------------------------------------------------------


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_an_unchanged_file_is_removed_and_its_empty_folders_too(library: Path) -> None:
    library_folder.root()
    put(library, "a.jpg", b"the first")
    path = "alice/nora/2026/a.jpg"
    assert library_folder.remove_if_unchanged(path, sha256_of(b"the first"))
    library_folder.remove_empty_folders(path)
    assert not (library / "alice/nora").exists()
    assert (library / "alice").exists()
    assert not library_folder.remove_if_unchanged(path, sha256_of(b"the first"))


def test_a_changed_file_stays(library: Path) -> None:
    library_folder.root()
    put(library, "a.jpg", b"the first")
    path = "alice/nora/2026/a.jpg"
    (library / path).write_bytes(b"the second")
    with pytest.raises(Changed):
        library_folder.remove_if_unchanged(path, sha256_of(b"the first"))
    library_folder.remove_empty_folders(path)
    assert (library / path).read_bytes() == b"the second"


def test_an_empty_file_goes_where_it_may_be_one_that_was_begun(library: Path) -> None:
    """Some disks cannot give a file its name otherwise, see `library_parts`."""
    library_folder.root()
    place = library / "alice"
    place.mkdir()
    (place / "a.jpg").touch()
    with pytest.raises(Changed):
        library_folder.remove_if_unchanged("alice/a.jpg", sha256_of(b"the first"))
    assert library_folder.remove_if_unchanged("alice/a.jpg", sha256_of(b"x"), begun=True)
    (place / "a.jpg").symlink_to(library / "elsewhere")
    os.mkfifo(place / "b.jpg")
    for name in ("a.jpg", "b.jpg"):
        with pytest.raises(Changed):
            library_folder.remove_if_unchanged(f"alice/{name}", sha256_of(b"x"), begun=True)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "a/\0"])
def test_a_path_that_leads_out_is_none(library: Path, path: str) -> None:
    library_folder.root()
    with pytest.raises(ValueError, match="no path"):
        library_folder.open_file(path)


def test_a_file_is_read(library: Path) -> None:
    library_folder.root()
    put(library, "a.jpg", b"the first")
    with library_folder.open_file("alice/nora/2026/a.jpg") as file:
        assert file.read() == b"the first"
    with pytest.raises(OSError, match=r"not a file|Is a directory"):
        library_folder.open_file("alice/nora")
