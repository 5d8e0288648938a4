"""What of a saved file goes into the library, and what says so beside it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from jobs.library import copying
from jobs.library.copying import SourceGone
from jobs.models import LibraryCopy
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.library.test_run import saved

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
