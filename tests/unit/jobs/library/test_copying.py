"""What of a saved file goes into the library, and what says so beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from jobs.files import library_folder
from jobs.library import copying, run
from jobs.library.copying import SourceGone
from jobs.models import LibraryCopy
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.library.test_run import STEM, due_again, files, saved

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_newest_of_several_saved_files_is_taken() -> None:
    story = saved()
    row = LibraryCopy.objects.filter(role="media").get()
    again = make_story(make_item(story.item.job), tiktok_id=story.tiktok_id)
    newer = make_artifact(again, created_at=timezone.now())
    found = copying.source_of(row)
    assert found is not None
    assert found.pk == newer.pk


def test_a_story_is_told_on_the_clock_of_its_job() -> None:
    job = make_job(time_zone="Asia/Tokyo")
    story = make_story(make_item(job, author_name="nora"))
    assert str(copying.story_of(story).zone) == "Asia/Tokyo"
    assert copying.story_of(story).author_name == "nora"


def test_a_row_without_a_file_removes_nothing() -> None:
    saved()
    row = LibraryCopy.objects.filter(role="media").get()
    assert copying.remove(row)


def test_a_json_without_files_is_none(tmp_path: object) -> None:
    saved()
    row = LibraryCopy.objects.filter(role="story").get()
    with pytest.raises(SourceGone):
        copying.write_story(row, tmp_path, "alice")  # type: ignore[arg-type]


def test_a_worker_that_comes_late_leaves_what_another_one_wrote(library: Path) -> None:
    saved()
    run.run()
    before = files(library)
    row = LibraryCopy.objects.get(role="media")
    row.sha256, row.kept_at = "0" * 64, None  # as they were when it took the row
    with library_folder.held() as held, pytest.raises(OSError, match="another worker"):
        copying.copy_media(row, held, "alice", lambda: None)
    assert files(library) == before
    assert LibraryCopy.objects.get(role="media").path == row.path


def test_a_foreign_file_that_got_the_noted_name_stays_without_our_sidecar(library: Path) -> None:
    saved()
    run.run()
    name = f"alice/nora/2026/{STEM}_74_01.jpg"
    (library / name).write_bytes(b"mine")
    LibraryCopy.objects.filter(role="media").update(state="waiting", kept_at=None)
    due_again()
    run.run()
    found = files(library)
    assert found[name] == b"mine"
    assert f"{name}.xmp" not in found
    assert LibraryCopy.objects.get(role="media").path == name.replace("_01", "_01-2")


def test_a_row_that_is_gone_names_no_file(library: Path) -> None:
    """It was forgotten, and another worker found nothing to remove yet."""
    saved()
    row = LibraryCopy.objects.get(role="media")
    LibraryCopy.objects.all().delete()
    with library_folder.held() as held, pytest.raises(SourceGone):
        copying.copy_media(row, held, "alice", lambda: None)
    assert files(library) == {}
