"""The manifest names what its bundle should hold and does not."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.models import Item, Job, PackageState, Story, StoryKind
from jobs.queries.snapshot import load_snapshot
from jobs.states import ItemState
from jobs.zips import contents, packing
from jobs.zips.omissions import ListedLine, ListedStory, omissions, omissions_of
from stories.left_out import LeftOutReason
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.pages.pages import page_of
from tests.unit.jobs.zips.making import bundle_of, opened, work

pytestmark = pytest.mark.django_db
S = ItemState


def short_job() -> Job:
    """A job with a saved photo, a carousel without its second photo, and two left-out stories."""
    job = make_job(note="why", settled_at=timezone.now())
    item = make_item(job, name="ann", state=S.PARTIAL, author_name="ann", left_out={"private": 2})
    make_artifact(make_story(item), content=b"photo", name="ann_01.jpg")
    album = make_story(
        item,
        kind=StoryKind.CAROUSEL,
        media_count=3,
        state=S.PARTIAL,
        error_code="media_unavailable",
    )
    for place in (1, 3):
        make_artifact(album, content=b"slide", position=place, name=f"ann_{place}.jpg")
    return job


def manifest_of(job: Job) -> list[dict[str, str]]:
    text = opened(bundle_of(job)).read("manifest.csv").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_without_a_file_for_each_reason_and_each_story_in_part() -> None:
    rows = manifest_of(short_job())
    assert [row["what"] for row in rows] == ["media"] * 3 + ["left_out", "missing"]
    assert all(row["left_out"] == row["reason"] == "" for row in rows[:3])
    left_out, missing = rows[3:]
    assert (left_out["file"], left_out["author"], left_out["note"]) == ("", "ann", "why")
    assert (left_out["left_out"], left_out["reason"]) == ("2", "private")
    assert left_out["source_link"] == "https://www.tiktok.com/@ann"
    assert (missing["left_out"], missing["reason"]) == ("1", "media_unavailable")
    assert missing["story_id"]
    assert missing["kind"] == "carousel"
    assert missing["sha256"] == ""


def test_a_complete_job_has_rows_of_files_alone() -> None:
    job = make_job()
    make_artifact(make_story(make_item(job, state=S.DONE, author_name="ann")), content=b"photo")
    assert omissions_of(job) == []
    assert [row["what"] for row in manifest_of(job)] == ["media"]


def test_a_selection_holds_what_was_chosen_and_misses_nothing() -> None:
    job = short_job()
    (file, *_) = contents.package_files(job.pk)
    package = packing.request(job, [file.pk])
    work(package)
    package.refresh_from_db()
    assert package.artifact
    assert b"left_out,reason" in opened(package.artifact).read("manifest.csv")
    assert b"private" not in opened(package.artifact).read("manifest.csv")


def test_one_account_by_two_lines_is_counted_once_and_what_one_line_saved_is_not_missing() -> None:
    job = short_job()
    second = make_item(job, name="ann", state=S.PARTIAL, author_name="ann", left_out={"private": 1})
    album = Item.objects.get(position=1).stories.get(kind=StoryKind.CAROUSEL)
    make_story(second, tiktok_id=album.tiktok_id, state=S.DONE)
    assert [(omission.what, omission.count) for omission in omissions_of(job)] == [("left_out", 2)]


def test_what_two_lines_saved_of_a_story_is_not_missing_together() -> None:
    job = make_job()
    for saved in ((1, 2), (2, 3)):
        item = make_item(job, state=S.PARTIAL, author_name="ann")
        story = make_story(item, tiktok_id="70", media_count=4, kind=StoryKind.CAROUSEL)
        for position in saved:
            make_artifact(story, position=position, sha256=f"{position:064}")
    Story.objects.update(state=S.PARTIAL)
    assert [(omission.what, omission.count) for omission in omissions_of(job)] == [("missing", 1)]
    assert page_of(job).summary.startswith("3 of 4 files saved")


def listed_line(left_out: dict[LeftOutReason, int], *stories: ListedStory) -> ListedLine:
    return ListedLine(
        text="@ann", author_name="ann", author_nickname="", left_out=left_out, stories=stories
    )


def listed_story(missing: int, *, whole: bool = False, story_id: str = "7500") -> ListedStory:
    return ListedStory(
        story_id=story_id,
        kind="carousel",
        source_url="https://www.tiktok.com/@ann/story/7500",
        posted_at=timezone.now(),
        author_name="ann",
        author_nickname="",
        missing=missing,
        whole=whole,
        reason="media_unavailable",
    )


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_lines_the_larger_count_and_the_fuller_copy_stand_whichever_came_first(
    order: int,
) -> None:
    lines = [
        listed_line({LeftOutReason.PRIVATE: 3}, listed_story(1)),
        listed_line({LeftOutReason.PRIVATE: 1, LeftOutReason.FOREIGN: 1}, listed_story(2)),
    ][::order]
    rows = {(row.what, row.reason): row.count for row in omissions(lines)}
    assert rows == {
        ("left_out", "private"): 3,
        ("left_out", "foreign"): 1,
        ("missing", "media_unavailable"): 1,
    }
    lines.append(listed_line({}, listed_story(0, whole=True)))
    assert {row.what for row in omissions(lines)} == {"left_out"}


def test_an_account_nobody_could_name_is_told_apart_by_its_line() -> None:
    lines = [
        replace(listed_line({LeftOutReason.PRIVATE: 1}), author_name="", text=text)
        for text in ("https://vm.tiktok.com/a", "https://vm.tiktok.com/b")
    ]
    assert [(row.source_url, row.count) for row in omissions(lines)] == [("", 1), ("", 1)]


def test_a_line_that_is_not_settled_is_not_short_of_anything_yet() -> None:
    job = short_job()
    job.items.update(state=S.QUEUED)
    assert omissions_of(job) == []


def test_a_bundle_older_than_the_last_verdict_is_packed_anew_and_not_offered() -> None:
    job = short_job()
    bundle = bundle_of(job)
    assert packing.request(job).artifact == bundle
    snapshot = load_snapshot(job.pk, job.owner)
    assert snapshot
    assert snapshot.bundle
    later = timezone.now() + timedelta(seconds=1)
    job.items.update(state=S.DONE, left_out={}, settled_at=later)
    snapshot = load_snapshot(job.pk, job.owner)
    assert snapshot
    assert snapshot.bundle is None
    assert packing.request(job).state == PackageState.QUEUED


def test_a_bundle_without_a_file_that_arrived_since_is_not_offered() -> None:
    job = short_job()
    bundle_of(job)
    album = job.items.get().stories.get(kind=StoryKind.CAROUSEL)
    later = timezone.now() + timedelta(seconds=1)
    make_artifact(album, content=b"late", position=2, created_at=later)
    snapshot = load_snapshot(job.pk, job.owner)
    assert snapshot
    assert snapshot.bundle is None
