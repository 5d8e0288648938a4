"""What was forgotten goes from the library, where it is as it was written; the rest stays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.db.models import QuerySet

from jobs.library import copying, run, turns, wanted
from jobs.models import CopyRole, CopyState, LibraryChoice, LibraryCopy
from tests.unit.jobs.library.test_run import STEM, due_again, files, saved

pytestmark = pytest.mark.django_db(transaction=True)


def forget() -> None:
    LibraryCopy.objects.update(state=CopyState.REMOVING)
    run.run()


def test_what_is_forgotten_goes_with_its_sidecars(library: Path) -> None:
    saved()
    run.run()
    forget()
    assert files(library) == {}
    assert not (library / "alice/nora").exists()
    assert not LibraryCopy.objects.exists()


def test_a_file_that_was_changed_stays_with_its_sidecar(library: Path) -> None:
    saved()
    run.run()
    picture = library / f"alice/nora/2026/{STEM}_74_01.jpg"
    picture.write_bytes(picture.read_bytes() + b"an edit")
    forget()
    assert sorted(files(library)) == [
        f"alice/nora/2026/{STEM}_74_01.jpg", f"alice/nora/2026/{STEM}_74_01.jpg.xmp",
    ]  # fmt: skip
    assert not LibraryCopy.objects.exists()


def test_a_sidecar_that_was_changed_stays_with_its_file(library: Path) -> None:
    saved()
    run.run()
    sidecar = library / f"alice/nora/2026/{STEM}_74_01.jpg.xmp"
    sidecar.write_bytes(b"a note of mine")
    forget()
    assert sorted(files(library)) == [
        f"alice/nora/2026/{STEM}_74_01.jpg", f"alice/nora/2026/{STEM}_74_01.jpg.xmp",
    ]  # fmt: skip
    assert sidecar.read_bytes() == b"a note of mine"
    assert not LibraryCopy.objects.exists()


def test_a_sidecar_that_became_a_link_stays_with_its_file(library: Path) -> None:
    saved()
    run.run()
    sidecar = library / f"alice/nora/2026/{STEM}_74_01.jpg.xmp"
    sidecar.rename(library.with_name("moved"))
    sidecar.symlink_to(library.with_name("moved"))
    forget()
    assert sidecar.is_symlink()
    assert sidecar.with_suffix("").exists()
    assert not LibraryCopy.objects.exists()


def test_a_file_whose_sidecar_is_gone_goes_as_well(library: Path) -> None:
    saved()
    run.run()
    (library / f"alice/nora/2026/{STEM}_74_01.jpg.xmp").unlink()
    forget()
    assert files(library) == {}


def test_forgetting_waits_for_a_library_that_is_away(library: Path) -> None:
    saved()
    run.run()
    aside = library.rename(library.with_name("aside"))
    forget()
    assert LibraryCopy.objects.count() == 2
    aside.rename(library)
    due_again()
    run.run()
    assert files(library) == {}


def test_what_is_forgotten_before_it_was_written_is_never_written(library: Path) -> None:
    saved()
    forget()
    assert files(library) == {}
    assert not LibraryCopy.objects.exists()


def test_what_is_forgotten_while_it_is_written_goes_again(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker has removed the row, before there was a file."""
    saved()
    real = copying.copy_media

    def copy(row: LibraryCopy, *args: Any) -> dict[str, object]:
        written = real(row, *args)
        LibraryCopy.objects.all().delete()
        return written

    monkeypatch.setattr(copying, "copy_media", copy)
    run.run()
    assert files(library) == {}


def test_deleting_a_member_leaves_the_library(library: Path) -> None:
    story = saved()
    run.run()
    story.owner.delete()
    run.run()
    assert len(files(library)) == 3
    assert not LibraryCopy.objects.exists()
    assert not LibraryChoice.objects.exists()


def test_what_was_forgotten_goes_though_the_account_is_gone(library: Path) -> None:
    story = saved()
    saved(tiktok_id="75")
    run.run()
    LibraryCopy.objects.filter(tiktok_id="74").update(state=CopyState.REMOVING)
    story.owner.delete()
    run.run()
    assert {name.rpartition("_75")[1] for name in files(library)} == {"_75"}
    assert not LibraryCopy.objects.exists()


@pytest.mark.parametrize("is_written", [False, True])
def test_what_is_forgotten_and_kept_again_at_once_is_kept(library: Path, is_written: bool) -> None:
    story = saved()
    if is_written:
        run.run()
    LibraryCopy.objects.update(state=CopyState.REMOVING)
    assert wanted.keep_story(story) == 1
    run.run()
    run.run()
    assert len(files(library)) == 3
    assert {row.state for row in LibraryCopy.objects.all()} == {CopyState.KEPT}


def test_what_is_kept_again_keeps_its_file_though_the_story_is_told_otherwise(
    library: Path,
) -> None:
    story = saved()
    run.run()
    before = files(library)
    LibraryCopy.objects.update(state=CopyState.REMOVING)
    story.caption = "Another one"
    story.save()
    wanted.keep_story(story)
    run.run()
    found = files(library)
    assert set(found) == set(before)
    assert found[f"alice/nora/2026/{STEM}_74_01.jpg"] == before[f"alice/nora/2026/{STEM}_74_01.jpg"]


def test_what_is_kept_again_while_it_is_removed_is_written_again(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = saved()
    run.run()
    real = copying.remove

    def remove(row: LibraryCopy) -> bool:
        removed = real(row)
        if row.role == CopyRole.MEDIA:
            wanted.keep_story(story)
        return removed

    with monkeypatch.context() as patch:
        patch.setattr(copying, "remove", remove)
        forget()
    run.run()
    assert len(files(library)) == 3
    assert {row.state for row in LibraryCopy.objects.all()} == {CopyState.KEPT}


def test_a_new_member_of_an_old_name_has_a_folder_of_their_own(library: Path) -> None:
    story = saved()
    run.run()
    before = files(library)
    story.owner.delete()
    saved()
    run.run()
    assert {name.partition("/")[0] for name in files(library)} == {"alice", "alice-2"}
    forget()
    assert files(library) == before


def test_a_file_that_was_there_is_found_and_never_removed(library: Path) -> None:
    """The rows went, by deleting one's data; the files are for good."""
    saved()
    run.run()
    before = files(library)
    LibraryCopy.objects.all().delete()
    saved()
    run.run()
    assert files(library) == before
    forget()
    assert files(library) == before
    assert not LibraryCopy.objects.exists()


def test_a_sidecar_that_was_there_is_never_removed(library: Path) -> None:
    saved()
    run.run()
    name = f"alice/nora/2026/{STEM}_74_01.jpg"
    (library / name).unlink()
    LibraryCopy.objects.all().delete()
    saved()
    run.run()
    assert name in files(library)
    forget()
    assert f"{name}.xmp" in files(library)
    assert name not in files(library)


def test_what_an_interrupted_try_wrote_is_removed(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved()

    def die(*_args: object, **_facts: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(turns, "keep", die)
        with pytest.raises(KeyboardInterrupt):
            run.run()
    assert len(files(library)) == 2
    LibraryCopy.objects.update(not_before=None)
    forget()
    assert files(library) == {}


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_file_is_gone_from_the_disk_before_its_row_is(
    library: Path, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    """After a power cut it would be back, and nobody would know of it. is_killed: right after the
    file went, so the next run finds none."""
    saved()
    run.run()
    folder = (library / "alice/nora/2026").stat().st_ino
    unsynced: set[int] = set()
    real_unlink, real_sync, real_delete = os.unlink, os.fsync, QuerySet.delete
    removals = 0

    def unlink(name: str, *, dir_fd: int | None = None) -> None:
        nonlocal removals
        real_unlink(name, dir_fd=dir_fd)
        if dir_fd is not None and os.fstat(dir_fd).st_ino == folder:
            unsynced.add(folder)
            removals += 1
            if is_killed and removals == 1:
                raise KeyboardInterrupt

    def sync(file: int) -> None:
        real_sync(file)
        unsynced.discard(os.fstat(file).st_ino)

    def delete(rows: QuerySet[LibraryCopy]) -> tuple[int, dict[str, int]]:
        if rows.model is LibraryCopy and removals and rows.exists():
            assert not unsynced
        return real_delete(rows)

    monkeypatch.setattr(os, "unlink", unlink)
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(QuerySet, "delete", delete)
    if is_killed:
        with pytest.raises(KeyboardInterrupt):
            forget()
        real_delete(LibraryCopy.objects.filter(role=CopyRole.STORY))
        real_unlink(library / f"alice/nora/2026/{STEM}_74_01.jpg.xmp")
        real_unlink(library / f"alice/nora/2026/{STEM}_74.story.json")
        due_again()
        run.run()
    else:
        forget()
    assert removals
    assert not unsynced
    assert not LibraryCopy.objects.exists()
