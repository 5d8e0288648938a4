"""A snapshot in words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.models import Story
from jobs.pages import presenter
from jobs.queries import cards, snapshot
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job
from tests.unit.jobs.pages.pages import page_of

pytestmark = pytest.mark.django_db


def test_titles() -> None:
    job = make_job()
    make_item(job, name="nora", author_name="nora", author_nickname="Nora L.")
    page = page_of(job)
    assert (page.title, page.lines[0].handle) == ("Nora L.", "@nora")
    for name in ("max", "zoe", "kim", "lou"):
        make_item(job, name=name)
    assert page_of(job).title == "@nora, @max, @zoe and 2 more"
    long = make_job()
    make_item(long, line=f"https://www.example.com/{'way/' * 90}?x=1", target={})
    assert len(page_of(long).title) < 45
    assert page_of(long).title.startswith("example.com/way/")


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("https://www.tiktok.com/t/ZMharvest/", ""),
        ("http://vm.tiktok.com/ZMharvest/", ""),
        ("https://example.com/watch?v=1", "https://example.com/watch?v=1"),
        ("@Nora", ""),
        ("https://www.tiktok.com/@nora/story/1", "https://www.tiktok.com/@nora/story/1"),
    ],
)
def test_a_line_is_not_said_twice(line: str, typed: str) -> None:
    named = "nora" in line.lower()
    target = {"kind": "user", "name": "nora"} if named else {}
    item = make_item(make_job(), name="nora", line=line, target=target, state=ItemState.FAILED)
    assert page_of(item.job).lines[0].typed == typed


def test_what_has_files_is_not_called_skipped() -> None:
    """A link that died after its story was saved, and was fetched again."""
    job = make_artifact().job
    job.items.update(state=ItemState.FAILED, error_code="dead_short_link")
    (card,) = cards.job_cards([job])
    assert (page_of(job).look, card.look) == ("failed", "failed")
    job.artifacts.update(removed_at=timezone.now())
    (card,) = cards.job_cards([job])
    assert (page_of(job).look, card.look) == ("cleaned", "cleaned")
    job.artifacts.all().delete()
    Story.objects.filter(item__job=job).delete()
    (card,) = cards.job_cards([job])
    assert (page_of(job).look, card.look) == ("skipped", "skipped")


def test_the_next_story_to_leave_is_known() -> None:
    file = make_artifact()
    assert file.story
    leaves_at = file.story.leaves_at
    assert leaves_at
    seen = snapshot.load_snapshot(file.job_id, file.owner)
    assert seen
    before = presenter.present(seen, leaves_at - timedelta(seconds=1))
    after = presenter.present(seen, leaves_at)
    assert (before.next_leaves_at, after.next_leaves_at) == (leaves_at, None)
