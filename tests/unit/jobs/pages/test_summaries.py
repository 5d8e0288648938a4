"""A job and its lines, each in a sentence."""

from __future__ import annotations

import pytest

from jobs.ephemeral import progress
from jobs.ephemeral.progress import ItemProgress
from jobs.models import Item, Role, StoryKind
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.pages.pages import page_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def item() -> Item:
    """A running item with four files to come, one of them here."""
    item = make_item(make_job(), name="nora", state=ItemState.RUNNING, author_name="nora")
    story = make_story(item, kind=StoryKind.CAROUSEL, media_count=4, state=ItemState.QUEUED)
    make_artifact(story, size_bytes=4_000_000)
    return item


@pytest.mark.parametrize(
    ("heard", "words"),
    [
        (ItemProgress(phase="looking_up"), "Looking up @nora"),
        (ItemProgress(phase="found", found=5), "Found 5 stories"),
        (ItemProgress(phase="found", found=1), "Found 1 story"),
        (
            ItemProgress(
                phase="saving", files_done=3, files_total=5, bytes_done=12_000_000,
                bytes_total=30_000_000, eta_s=8,
            ),
            "Saving 3 of 5 files, 12.0 MB of 30.0 MB, about 8 s left",
        ),
        (
            ItemProgress(phase="saving", files_done=1, files_total=4, eta_s=240),
            "Saving 1 of 4 files, about 4 min left",
        ),
        (ItemProgress(phase="checking", files_done=4, files_total=4), "Finishing. 4 files saved"),
        (ItemProgress(phase="packing", files_done=4, files_total=4), "Packing. 4 files saved"),
    ],
)  # fmt: skip
def test_a_running_line(
    item: Item, monkeypatch: pytest.MonkeyPatch, heard: ItemProgress, words: str
) -> None:
    monkeypatch.setattr(progress, "read", lambda _job: {str(item.pk): heard})
    page = page_of(item.job)
    assert page.summary.replace("\N{NO-BREAK SPACE}", " ").startswith(words.split(",")[0])
    assert page.lines[0].summary.replace("\N{NO-BREAK SPACE}", " ").startswith(words[:20])
    if heard.bytes_total:
        assert page.summary.replace("\N{NO-BREAK SPACE}", " ") == words


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (["storage_unavailable", "storage_unavailable"], "Waiting for the disk"),
        (["disk_full", "storage_unavailable"], "Waiting for the disk"),
        (["storage_unavailable", "upstream_down"], "Waiting for TikTok"),
        (["challenged", "challenged"], "Waiting for TikTok"),
    ],
)
def test_a_line_waits_for_the_one_that_keeps_it_waiting(codes: list[str], words: str) -> None:
    job = make_job()
    for code in codes:
        make_item(job, state=ItemState.QUEUED, error_code=code)
    page = page_of(job)
    assert (page.summary, page.announcement) == (words, words)
    assert page.lines[-1].summary == words


def test_finished_lines_tell_how_many_failed() -> None:
    states = [ItemState.RUNNING, ItemState.DONE, ItemState.FAILED, ItemState.FAILED]
    job = make_job()
    for state in states[:2]:
        make_item(job, state=state)
    assert page_of(job).summary == "1 account to go"
    for state in states[2:]:
        make_item(job, state=state, error_code="gone")
    assert page_of(job).summary == "1 account to go. 2 failed"


def test_forgotten_progress_is_not_a_full_bar(item: Item) -> None:
    page = page_of(item.job)
    assert page.summary == "Saving 1 of 4 files"
    assert page.percent == 31, "a tenth for the list, and a quarter of what its files stand for"


@pytest.mark.parametrize(
    ("states", "saved", "words"),
    [
        ([ItemState.DONE], 2, "2 files saved and checked, 2 kB"),
        ([ItemState.DONE, ItemState.FAILED], 1, "1 file saved and checked, 1 kB. 1 failed"),
        ([ItemState.FAILED], 0, "Nothing could be saved"),
        ([ItemState.EMPTY], 0, "No public story right now"),
        ([ItemState.CANCELLED], 0, "Cancelled before anything was saved"),
        ([ItemState.CANCELLED], 1, "Cancelled. 1 file saved and checked, 1 kB"),
    ],
)
def test_a_settled_job(states: list[ItemState], saved: int, words: str) -> None:
    job = make_job()
    items = [make_item(job, state=state, author_name="x") for state in states]
    for _ in range(saved):
        make_artifact(make_story(items[0]))
    page = page_of(job)
    assert page.summary.replace("\N{NO-BREAK SPACE}", " ") == words
    assert page.announcement == page.summary


@pytest.mark.parametrize(
    ("checked", "words"),
    [
        ([True, True, True], "3 files saved and checked, 3 kB"),
        ([True, False, True], "3 files saved, 1 of them only opened, 3 kB"),
        ([False, False], "2 files saved and opened, 2 kB"),
        ([False], "1 file saved and opened, 1 kB"),
    ],
)
def test_only_what_was_checked_is_called_so(checked: list[bool], words: str) -> None:
    item = make_item(state=ItemState.DONE, author_name="x")
    for whole in checked:
        make_artifact(make_story(item), checked=whole)
    page = page_of(item.job)
    assert page.summary.replace("\N{NO-BREAK SPACE}", " ") == words
    assert [tile.checked for tile in page.lines[0].tiles] == checked


def test_a_preview_or_an_extra_that_was_only_opened_takes_nothing_from_the_file() -> None:
    item = make_item(state=ItemState.DONE, author_name="x")
    story = make_story(item)
    make_artifact(story)
    make_artifact(story, role=Role.CONVERTED, checked=False)
    assert page_of(item.job).summary.startswith("1 file saved and checked")


def test_what_was_left_out_is_said_where_nothing_was_saved() -> None:
    job = make_job()
    item = make_item(
        job, state=ItemState.FAILED, left_out={"private": 2}, error_code="private_post"
    )
    assert page_of(job).summary == "Nothing could be saved. 2 stories left out"
    assert page_of(job).announcement == page_of(job).summary
    item.state = ItemState.CANCELLED
    item.save()
    assert page_of(job).summary == "Cancelled before anything was saved. 2 stories left out"


def test_what_settled_lines_left_out_is_said_while_others_are_open() -> None:
    job = make_job()
    make_item(job, state=ItemState.FAILED, left_out={"held_back": 23}, error_code="upstream_down")
    waiting = make_item(job, state=ItemState.QUEUED, left_out={"held_back": 7}, error_code="gone")
    assert page_of(job).summary == "Waiting for TikTok. 23 stories left out"
    Item.objects.filter(pk=waiting.pk).update(error_code="")
    assert page_of(job).summary == "Queued, next in line. 23 stories left out"
    Item.objects.filter(pk=waiting.pk).update(state=ItemState.RUNNING)
    assert page_of(job).summary == "1 account to go. 1 failed. 23 stories left out"
