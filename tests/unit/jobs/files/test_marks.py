"""The mark of the folder of saved files: which folders are taken for ours."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from jobs.files import damage, disk, marks, store
from jobs.files.marks import Mark
from jobs.housekeeping import sweep
from jobs.models import Artifact, FolderMark
from tests.factories import make_artifact

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(artifacts: Path) -> Path:
    """The folder without a mark, as a new instance finds it."""
    (artifacts / marks.SENTINEL).unlink()
    return artifacts


def exchange(place: Path, other: Path) -> None:
    """What is mounted at `place` lies in `other` from now on, and the other way round."""
    between = other.with_name("between")
    for old, new in ((place, between), (other, place), (between, other)):
        if old.exists():
            old.rename(new)


def test_a_mount_point_that_was_marked_while_nothing_was_saved_is_not_the_disk(
    place: Path, tmp_path: Path
) -> None:
    """Started before the disk was there; it came, files were saved on it, and it went away."""
    disk.root()
    assert marks.look(place) is Mark.OURS
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    exchange(place, mounted)
    disk.root()
    file = make_artifact(content=b"kept")
    assert store.size(file.pk) == 4
    exchange(place, mounted)
    assert marks.look(place) is Mark.FORMER
    assert disk.is_unmounted()
    assert damage.give_up([file]) == []
    assert sweep.sweep(timezone.now(), whole=True).orphan_rows == 0
    with pytest.raises(disk.StorageNotMounted):
        store.size(file.pk)
    exchange(place, mounted)
    assert sweep.sweep(timezone.now(), whole=True).orphan_files == 0
    assert store.size(file.pk) == 4


def test_files_that_another_database_knows_are_not_swept(place: Path) -> None:
    """The data folder is away, and a new database was made in its place."""
    disk.root()
    file = make_artifact(content=b"kept")
    path = place / str(file.pk)[:2] / str(file.pk)
    known = list(FolderMark.objects.all())
    os.utime(path, (time.time() - 7200,) * 2)
    file.job.delete()
    FolderMark.objects.all().delete()  # as in a new database
    assert disk.is_unmounted(again=True)
    assert sweep.sweep(timezone.now(), whole=True).orphan_files == 0
    with pytest.raises(disk.StorageNotMounted):
        store.size(file.pk)
    assert path.read_bytes() == b"kept"
    FolderMark.objects.bulk_create(known)  # the right one is back
    assert not disk.is_unmounted()


def test_without_files_the_folder_of_another_database_is_taken_over(place: Path) -> None:
    disk.root()
    (place / "ab").mkdir()
    FolderMark.objects.all().delete()
    marks._known.clear()
    assert marks.look(place) is Mark.FOREIGN
    assert disk.root() == place
    assert marks.look(place) is Mark.OURS


def test_whoever_removes_a_foreign_mark_takes_the_folder_over(place: Path) -> None:
    disk.root()
    orphan = place / "ab" / "ab000000-0000-4000-8000-000000000000"
    orphan.parent.mkdir()
    orphan.write_bytes(b"x")
    FolderMark.objects.all().delete()
    marks._known.clear()
    assert disk.is_unmounted()
    (place / marks.SENTINEL).unlink()
    assert disk.root() == place
    assert marks.look(place) is Mark.OURS


def test_a_mark_of_a_version_before_gets_a_number(place: Path) -> None:
    disk.root()
    file = make_artifact(content=b"x")
    (place / marks.SENTINEL).write_text("Storykeep keeps saved files here.\n")
    assert store.size(file.pk) == 1
    assert (marks.look(place), FolderMark.objects.count()) == (Mark.OURS, 2)


def test_a_mark_of_a_version_before_in_a_mount_point_is_none(place: Path, tmp_path: Path) -> None:
    disk.root()
    file = make_artifact(content=b"x")
    exchange(place, tmp_path / "mounted")
    place.mkdir()
    (place / marks.SENTINEL).write_text("Storykeep keeps saved files here.\n")
    assert disk.is_unmounted()
    assert damage.give_up([file]) == []


def test_an_empty_mark_is_the_word_of_whoever_put_it_there(place: Path) -> None:
    disk.root()
    make_artifact(content=b"x")
    shutil.rmtree(place)
    place.mkdir()
    (place / marks.SENTINEL).touch()
    assert not disk.is_unmounted(again=True)


def test_in_a_transaction_nothing_is_marked(place: Path) -> None:
    with transaction.atomic():
        assert disk.root() == place
    assert marks.look(place) is Mark.NONE
    assert not FolderMark.objects.exists()


def test_where_nothing_can_be_written_no_number_is_kept(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    assert disk.root() == place
    assert not FolderMark.objects.exists()


def test_a_known_mark_is_found_without_the_database(
    place: Path, django_assert_num_queries: Callable[..., object]
) -> None:
    disk.root()
    assert marks.look(place) is Mark.OURS
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        assert disk.root() == place


def test_a_known_mark_is_asked_about_before_long(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.root()
    assert marks.look(place) is Mark.OURS
    FolderMark.objects.create()  # another process has marked another folder
    assert marks.look(place) is Mark.OURS
    assert marks.look(place, again=True) is Mark.FORMER
    monkeypatch.setattr(marks, "KNOWN_S", 0.0)
    marks.put(place)
    assert marks.look(place) is Mark.OURS
    FolderMark.objects.create()
    assert marks.look(place) is Mark.FORMER


def test_few_numbers_are_kept(place: Path) -> None:
    for _ in range(marks.KEPT + 3):
        marks.put(place)
    assert FolderMark.objects.count() == marks.KEPT
    assert marks.look(place) is Mark.OURS
    assert [path.name for path in place.iterdir()] == [marks.SENTINEL]
    assert not Artifact.objects.exists()


def test_a_folder_is_adopted_by_a_database_that_was_restored(place: Path, tmp_path: Path) -> None:
    marks.adopt(tmp_path / "new")
    assert marks.look(tmp_path / "new") is Mark.OURS
    disk.root()
    number = (place / marks.SENTINEL).read_text()
    marks.adopt(place)
    assert (place / marks.SENTINEL).read_text() == number
    FolderMark.objects.all().delete()
    assert marks.look(place, again=True) is Mark.FOREIGN
    marks.adopt(place)
    assert marks.look(place) is Mark.OURS
