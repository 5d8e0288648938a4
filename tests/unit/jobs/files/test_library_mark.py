"""Folder and database of the library know each other, wherever marking was cut short."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.db.models import QuerySet

from jobs.files import library_folder, library_mark
from jobs.files.library_mark import SENTINEL, LibraryAway
from jobs.models import LibraryMark

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_new_library_is_made_and_marked(library: Path) -> None:
    assert library_folder.root() == library
    assert str(LibraryMark.objects.get().mark) in (library / SENTINEL).read_text()
    assert library_folder.root() == library
    assert not library_folder.is_away()


def test_without_its_mark_the_folder_is_another_one(library: Path) -> None:
    library_folder.root()
    (library / SENTINEL).unlink()
    assert library_folder.is_away()
    with pytest.raises(LibraryAway):
        library_folder.root()


def test_a_missing_folder_is_not_made_again(library: Path) -> None:
    library_folder.root()
    (library / SENTINEL).unlink()
    library.rmdir()
    with pytest.raises(LibraryAway):
        library_folder.root()
    assert not library.exists()


def test_a_folder_of_another_database_is_left_alone(library: Path) -> None:
    library_folder.root()
    (library / SENTINEL).write_text(f"{uuid4()}\n")
    assert library_folder.is_away()
    with pytest.raises(LibraryAway):
        library_folder.root()


def test_an_empty_mark_says_that_it_is_ours(library: Path) -> None:
    library_folder.root()
    (library / SENTINEL).write_text("")
    assert not library_folder.is_away()
    library_folder.root()
    assert str(LibraryMark.objects.get().mark) in (library / SENTINEL).read_text()


def test_a_new_database_goes_on_with_a_marked_library(library: Path) -> None:
    library.mkdir()
    mark = uuid4()
    (library / SENTINEL).write_text(f"ours\n{mark}\n")
    library_folder.root()
    assert LibraryMark.objects.get().mark == mark


BEGUN = {
    "empty": b"",
    "a line": b"\n",
    "zeros": b"\0" * 40,
    "its first words": b"Storykeep keeps",
    "words and zeros": b"Storykeep keeps\0\0\0",
    "all words": library_mark._TEXT,
    "half a number": library_mark._TEXT + b"01234567-89ab-",
}


@pytest.mark.parametrize("mark", BEGUN.values(), ids=BEGUN.keys())
def test_an_empty_mark_is_taken_by_a_new_database(library: Path, mark: bytes) -> None:
    library.mkdir()
    (library / SENTINEL).write_bytes(mark)
    library_folder.root()
    assert str(LibraryMark.objects.get().mark) in (library / SENTINEL).read_text()


@pytest.mark.parametrize("text", [b"mine\n", b"Storykeep, mine\n", library_mark._TEXT + b"mine\n"])
def test_a_mark_with_another_text_is_left_alone(library: Path, text: bytes) -> None:
    library.mkdir()
    (library / SENTINEL).write_bytes(text)
    with pytest.raises(LibraryAway, match="another text"):
        library_folder.root()
    assert (library / SENTINEL).read_bytes() == text
    assert not LibraryMark.objects.exists()


def test_in_a_transaction_nothing_is_marked(library: Path) -> None:
    with transaction.atomic(), pytest.raises(LibraryAway):
        library_folder.root()
    assert not (library / SENTINEL).exists()


class Killed(BaseException):
    """The process ended here."""


STEPS = ["open", "write", "fchmod", "fsync", "close"]


def killed_at(monkeypatch: pytest.MonkeyPatch, step: str, call: int) -> Callable[[], bool]:
    """End the next marking before this call of a step. Gives whether it came so far."""
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls >= call:
            raise Killed

    owner, name = (QuerySet, "get_or_create") if step == "row" else (os, step)
    real = getattr(owner, name)

    def stand_in(*args: object, **named: object) -> object:
        count()
        return real(*args, **named)

    monkeypatch.setattr(owner, name, stand_in)
    return lambda: calls >= call


@pytest.mark.parametrize("step", ["row", *STEPS])
@pytest.mark.parametrize("empty", [False, True], ids=["new", "empty mark"])
def test_wherever_marking_is_cut_short_the_next_one_goes_on(
    library: Path, monkeypatch: pytest.MonkeyPatch, step: str, empty: bool
) -> None:
    for call in range(1, 10):
        LibraryMark.objects.all().delete()
        shutil.rmtree(library, ignore_errors=True)
        if empty:
            library.mkdir()
            (library / SENTINEL).touch()
        with monkeypatch.context() as patched, suppress(Killed):
            died = killed_at(patched, step, call)
            library_folder.root()
        if not died():
            break
        assert not library_folder.is_away()
        with library_folder.held() as mine:
            mine.require_here()
        assert str(LibraryMark.objects.get().mark) in (library / SENTINEL).read_text()
    assert call > 1, "the step is one of marking"


@pytest.mark.parametrize("empty", [False, True], ids=["new", "empty mark"])
def test_a_disk_that_takes_a_little_at_a_time_has_the_whole_mark(
    library: Path, monkeypatch: pytest.MonkeyPatch, empty: bool
) -> None:
    library.mkdir()
    if empty:
        (library / SENTINEL).touch()
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:60]))
    library_folder.root()
    assert (library / SENTINEL).read_text().endswith(f"\n{LibraryMark.objects.get().mark}\n")


def test_a_mark_that_was_not_written_to_its_end_goes_with_the_next_one(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.mkdir()
    (library / SENTINEL).touch()
    foreign = library / f"{SENTINEL}.{'0' * 16}.txt"
    foreign.write_bytes(b"mine")

    def die(*_args: object, **_named: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(Path, "replace", die)
        patch.setattr(Path, "unlink", die)
        library_folder.root()
    assert len(list(library.iterdir())) == 3
    library_folder.root()
    assert {path.name for path in library.iterdir()} == {SENTINEL, foreign.name}


def test_of_two_that_fill_an_empty_mark_at_once_both_succeed(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one takes what this one writes for a dead one's, and was faster."""
    library.mkdir()
    (library / SENTINEL).touch()
    real = Path.replace

    def replace(path: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", real)
        library_folder.root()
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    library_folder.root()
    assert library_mark.read(library) == LibraryMark.objects.get().mark


@pytest.mark.parametrize("written", [False, True], ids=["before its number", "after its number"])
def test_of_two_at_once_both_know_one_number(
    library: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    """Another process adopts the folder between two steps of this one."""
    real, theirs = os.write, []

    def write(file: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", real)
        count = real(file, data) if written else 0
        theirs.append(library_folder.root())
        return count or real(file, data)

    monkeypatch.setattr(os, "write", write)
    library_folder.root()
    mark = LibraryMark.objects.get().mark
    assert theirs == [library]
    assert library_mark.read(library) == mark


def test_a_folder_on_another_host_is_not_marked_as_the_one_in_use(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers whose folders are not the same one: only one of them has the library."""
    library.mkdir()
    mine = uuid4()
    (library / SENTINEL).write_text(f"{mine}\n")
    theirs = uuid4()
    real = library_mark.read

    def read(folder: Path) -> UUID | str | None:
        LibraryMark.objects.get_or_create(pk=1, defaults={"mark": theirs})
        return real(folder)

    monkeypatch.setattr(library_mark, "read", read)
    with pytest.raises(LibraryAway):
        library_folder.root()
    assert real(library) == mine
