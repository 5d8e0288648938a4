"""The library's folder is known by its mark, and nothing in it is ever overwritten."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.files import library_folder
from jobs.files.library_folder import Changed, LibraryFull, NameTaken, Part
from jobs.files.library_mark import LibraryAway
from jobs.models import LibraryMark

POSTED = datetime(2026, 11, 20, 14, 3, 7, tzinfo=UTC)
pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def held(library: Path) -> Iterator[int]:
    folder = os.open(library, os.O_RDONLY)
    try:
        yield folder
    finally:
        os.close(folder)


def put(library: Path, name: str, data: bytes, *, number: int = 1) -> bool:
    with held(library) as at, Part(at, ["alice", "nora", "2026"], number) as part:
        part.write([data[:3], data[3:]])
        return part.give_name(name, POSTED)


def names_in(library: Path) -> list[str]:
    return sorted(path.name for path in (library / "alice/nora/2026").iterdir())


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


# --- writing --------------------------------------------------------------------------------------


def test_a_file_has_its_bytes_its_time_and_its_hashes(library: Path) -> None:
    library.mkdir()
    with held(library) as at, Part(at, ["alice"], 1) as part:
        part.write([b"one ", b"two"])
        assert part.give_name("a.jpg", POSTED)
        written = part.written
    file = library / "alice/a.jpg"
    assert file.read_bytes() == b"one two"
    assert file.stat().st_mtime == POSTED.timestamp()
    assert written.size_bytes == 7
    assert written.sha256 == hashlib.sha256(b"one two").hexdigest()
    assert written.sha1 == hashlib.sha1(b"one two", usedforsecurity=False).hexdigest()
    assert [path.name for path in (library / "alice").iterdir()] == ["a.jpg"]


@pytest.mark.parametrize(
    ("library_mode", "folder_mode", "file_mode"),
    [(0o755, 0o755, 0o644), (0o750, 0o750, 0o640), (0o2775, 0o2775, 0o664), (0o700, 0o700, 0o600)],
)
def test_others_may_read_what_they_may_read_of_the_library(
    library: Path, library_mode: int, folder_mode: int, file_mode: int
) -> None:
    """Whatever the umask: `manage.py up` leaves others nothing."""
    before = os.umask(0o077)
    try:
        library.mkdir()
        library.chmod(library_mode)
        put(library, "a.jpg", b"the first")
    finally:
        os.umask(before)
    place = library / "alice/nora/2026"
    assert place.stat().st_mode & 0o7777 == folder_mode
    assert (library / "alice").stat().st_mode & 0o7777 == folder_mode
    assert (place / "a.jpg").stat().st_mode & 0o7777 == file_mode


def test_a_library_that_is_made_can_be_read_by_others(library: Path) -> None:
    before = os.umask(0o077)
    try:
        library_folder.root()
    finally:
        os.umask(before)
    assert library.stat().st_mode & 0o777 == 0o755
    assert (library / ".storykeep-library").stat().st_mode & 0o777 == 0o644


@pytest.fixture(params=["links", "no links", "neither links nor renameat2"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the file system knows."""

    def no_link(*_args: object, **_options: object) -> None:
        raise OSError(errno.EPERM, "no links")

    if request.param != "links":
        monkeypatch.setattr(os, "link", no_link)
    if "renameat2" in request.param:
        monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_options: object())
    return str(request.param)


def test_nothing_is_overwritten(library: Path, file_system: str) -> None:
    library.mkdir()
    assert put(library, "a.jpg", b"the first")
    with pytest.raises(NameTaken):
        put(library, "a.jpg", b"the other")
    assert (library / "alice/nora/2026/a.jpg").read_bytes() == b"the first"
    assert names_in(library) == ["a.jpg"]


def test_the_very_same_file_is_found_again(library: Path, file_system: str) -> None:
    library.mkdir()
    assert put(library, "a.jpg", b"the first")
    assert not put(library, "a.jpg", b"the first")
    assert names_in(library) == ["a.jpg"]


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_a_name_of_something_else_is_taken(library: Path, kind: str) -> None:
    place = library / "alice/nora/2026"
    place.mkdir(parents=True)
    if kind == "folder":
        (place / "a.jpg").mkdir()
    elif kind == "pipe":
        os.mkfifo(place / "a.jpg")
    else:
        (place / "a.jpg").symlink_to(library / "elsewhere")
    with pytest.raises(NameTaken):
        put(library, "a.jpg", b"x")


def test_no_link_leads_out_of_the_library(library: Path, tmp_path: Path) -> None:
    (library / "alice").mkdir(parents=True)
    (library / "alice/nora").symlink_to(tmp_path)
    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        put(library, "a.jpg", b"x")


def test_what_is_interrupted_leaves_nothing(library: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    library.mkdir()
    with held(library) as at, pytest.raises(KeyboardInterrupt), Part(at, ["alice"], 1) as part:
        part.write([b"x"] * 3, stop)
    assert list((library / "alice").iterdir()) == []


def test_parts_of_dead_workers_go_and_files_of_others_stay(library: Path) -> None:
    place = library / "alice/nora/2026"
    place.mkdir(parents=True)
    old = time.time() - library_folder.STALE_AFTER_S - 60
    mine, others, oldest = (f".storykeep-{n}-{'0' * 16}.part" for n in (1, 2, 3))
    foreign = (".storykeep-1.part", "holiday.part", ".storykeep-3-xyz.part")
    for name in (mine, others, oldest, *foreign):
        (place / name).write_bytes(b"x")
    for name in (oldest, *foreign):
        os.utime(place / name, (old, old))
    put(library, "a.jpg", b"the first")
    assert names_in(library) == sorted(["a.jpg", others, *foreign])


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
