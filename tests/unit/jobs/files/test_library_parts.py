"""A file arrives whole or not at all, and what a dead worker left of one is found."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.files import library_parts
from jobs.files.library_parts import NOTES, NameTaken, Part

POSTED = datetime(2026, 11, 20, 14, 3, 7, tzinfo=UTC)


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
    old = time.time() - library_parts.STALE_AFTER_S - 60
    mine, others, oldest = (f".storykeep-{n}-{'0' * 16}.part" for n in (1, 2, 3))
    foreign = (".storykeep-1.part", "holiday.part", ".storykeep-3-xyz.part")
    for name in (mine, others, oldest, *foreign):
        (place / name).write_bytes(b"x")
    for name in (oldest, *foreign):
        os.utime(place / name, (old, old))
    put(library, "a.jpg", b"the first")
    assert names_in(library) == sorted(["a.jpg", others, *foreign])


# --- notes ----------------------------------------------------------------------------------------


def leave(library: Path, number: int = 1, *, place: str = "alice/nora/2026") -> tuple[Path, Path]:
    """What a worker leaves that dies while it writes: a note and a part."""
    token = f"{number:016x}"
    for folder in (library / NOTES, library / place):
        folder.mkdir(parents=True, exist_ok=True)
    note = library / NOTES / f"{number}-{token}.note"
    note.write_text(f"{place}/\n")
    part = library / place / f".storykeep-{number}-{token}.part"
    part.write_bytes(b"x")
    return note, part


def tidy(library: Path, busy: Collection[int] = ()) -> None:
    with held(library) as at:
        library_parts.tidy(at, lambda numbers: set(numbers) & set(busy))


def test_a_note_is_there_while_a_file_arrives(library: Path) -> None:
    assert not library_parts.are_noted()
    library.mkdir()
    with held(library) as at, Part(at, ["alice", "nora"], 7) as part:
        (note,) = (library / NOTES).iterdir()
        assert note.name.startswith("7-")
        assert note.read_text() == "alice/nora/\n"
        assert library_parts.are_noted()
        with Part(at, ["alice", "nora"], 7, alone=False):
            assert len(list((library / NOTES).iterdir())) == 1
        part.write([b"x"])
        part.give_name("a.jpg", POSTED)
    assert not library_parts.are_noted()
    assert (library / NOTES).stat().st_mode & 0o777 == 0o700


def test_a_file_that_cannot_begin_leaves_no_note(library: Path) -> None:
    library.mkdir()
    (library / NOTES).mkdir()
    (library / "alice").write_bytes(b"in the way")
    with held(library) as at, pytest.raises(NotADirectoryError), Part(at, ["alice"], 1):
        pass
    assert not library_parts.are_noted()


def test_what_nobody_works_on_goes_with_its_empty_folders(library: Path) -> None:
    leave(library)
    tidy(library)
    assert list((library / NOTES).iterdir()) == []
    assert not (library / "alice/nora").exists()
    tidy(library)


def test_what_somebody_works_on_stays(library: Path) -> None:
    mine, theirs = leave(library, 1), leave(library, 2)
    tidy(library, busy=[2])
    assert [path.exists() for path in (*mine, *theirs)] == [False, False, True, True]


def test_files_of_others_stay(library: Path, tmp_path: Path) -> None:
    """Also where a note is not ours, or leads out of the library."""
    note, part = leave(library)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (library / "out").symlink_to(elsewhere)
    foreign = [
        part.with_name("holiday.jpg"),
        part.with_name(".storykeep-1.part"),
        elsewhere / part.name,
        note.with_name("1.note"),
        note.with_name("2-0000000000000002.note.jpg"),
    ]
    for path in foreign:
        path.write_bytes(b"mine")
    for number, text in enumerate(["out/\n", "../elsewhere/\n", f"{elsewhere}/\n", "out\n", ""], 3):
        (library / NOTES / f"{number}-{number:016x}.note").write_text(text)
        (elsewhere / f".storykeep-{number}-{number:016x}.part").write_bytes(b"mine")
    (library / NOTES / f"9-{'0' * 16}.note").symlink_to(foreign[0])
    os.mkfifo(library / NOTES / f"10-{'0' * 16}.note")
    tidy(library)
    assert not part.exists()
    assert all(path.read_bytes() == b"mine" for path in foreign)
    assert len(list(elsewhere.iterdir())) == 6


def test_notes_in_a_folder_that_is_a_link_are_not_followed(library: Path, tmp_path: Path) -> None:
    note, part = leave(tmp_path / "other")
    library.mkdir()
    (library / NOTES).symlink_to(note.parent)
    tidy(library)
    assert note.exists()
    assert part.exists()
    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        put(library, "a.jpg", b"x")


def test_a_part_that_cannot_be_removed_keeps_its_note(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise OSError(errno.EIO, "a bad disk")

    note, part = leave(library)
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", fail)
        tidy(library)
        with held(library) as at, Part(at, ["bob"], 2):
            pass
    assert part.exists()
    assert note.exists()
    assert len(list((library / NOTES).iterdir())) == 2
    tidy(library)
    assert list(library.rglob("*.part")) == []
    assert not library_parts.are_noted()
