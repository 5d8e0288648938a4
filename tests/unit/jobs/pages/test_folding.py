"""Which stories of a line are shown at once."""

from __future__ import annotations

import pytest

from jobs.models import Job, Role, Story
from jobs.pages import folding
from jobs.queries.job_view import ItemView
from jobs.queries.snapshot import load_snapshot
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story

pytestmark = pytest.mark.django_db


def line_of(stories: int) -> ItemView:
    """A line with so many stories of a photo and its poster each."""
    item = make_item(make_job(), state=ItemState.DONE, author_name="corner.bakery")
    for _ in range(stories):
        story = make_story(item)
        make_artifact(story)
        make_artifact(story, role=Role.POSTER, position=1)
    return view_of(item.job)


def view_of(job: Job) -> ItemView:
    """The job's first line."""
    snapshot = load_snapshot(job.pk, job.owner)
    assert snapshot
    return snapshot.items[0]


@pytest.mark.parametrize(
    ("lines", "limit"), [(1, 60), (4, 60), (6, 40), (20, 12), (50, 4), (120, 2), (10_000, 2)]
)
def test_a_page_shares_its_tiles_out_among_its_lines(lines: int, limit: int) -> None:
    assert folding.limit(lines) == limit


def test_a_line_within_the_limit_is_shown_whole() -> None:
    item = line_of(4)
    folded = folding.fold(item, among=50, opened=())
    assert (folded.shown, folded.fold, folded.opened) == (item.stories, None, False)
    assert not folding.fold(item, among=50, opened={1}).opened, "it would have been whole anyway"


def test_among_many_lines_a_long_one_shows_covers_alone() -> None:
    item = line_of(9)
    folded = folding.fold(item, among=50, opened=())
    assert folded.shown == ()
    assert folded.fold
    assert (folded.fold.stories, folded.fold.total, folded.fold.pictures) == (9, 9, 9)
    assert len(folded.fold.covers) == folding.COVERS
    assert {file.role for file in folded.fold.covers} == {Role.POSTER}
    assert folded.fold.cover_addresses[0].startswith("/files/")


def test_among_few_lines_a_long_one_shows_its_first_stories(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folding, "MAX_TILES", 3)
    item = line_of(5)
    folded = folding.fold(item, among=1, opened=())
    assert folded.shown == item.stories[:3]
    assert folded.fold
    assert (folded.fold.stories, folded.fold.total, folded.fold.pictures) == (2, 5, 2)


def test_a_story_that_is_alone_is_not_folded_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "MAX_TILES", 3)
    item = line_of(4)
    folded = folding.fold(item, among=1, opened=())
    assert (folded.shown, folded.fold, folded.opened) == (item.stories, None, False)
    story = Story.objects.order_by("posted_at").last()
    assert story
    assert "?" not in folding.story_address(story)


def test_a_line_the_reader_opened_is_whole() -> None:
    item = line_of(9)
    folded = folding.fold(item, among=50, opened={7, 1})
    assert (folded.shown, folded.fold, folded.opened) == (item.stories, None, True)
    assert folding.fold(item, among=50, opened={2}).fold


def test_stories_without_files_have_no_cover() -> None:
    item = make_item(make_job(), state=ItemState.RUNNING)
    for _ in range(5):
        make_story(item, state=ItemState.QUEUED)
    folded = folding.fold(view_of(item.job), among=50, opened=())
    assert folded.fold
    assert (folded.fold.covers, folded.fold.pictures, folded.fold.total) == ((), 0, 5)
