"""Jobs as cards, and the search among them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.ephemeral import progress
from jobs.ephemeral.progress import ItemProgress
from jobs.models import AuthorPicture, Role
from jobs.queries import cards
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.pages.pages import page_of

pytestmark = pytest.mark.django_db


def test_a_card_has_the_size_the_page_has() -> None:
    """Of a picture that is alone, its own: that is what Save hands over."""
    item = make_item(state=ItemState.DONE, author_name="x")
    story = make_story(item)
    make_artifact(story, content_type="image/webp", size_bytes=1000)
    make_artifact(story, role=Role.CONVERTED, content_type="image/jpeg", size_bytes=9000)
    make_artifact(story, role=Role.POSTER, size_bytes=500)
    (card,) = cards.job_cards([item.job])
    assert (card.files, card.size_bytes) == (1, 1000)
    assert page_of(item.job).summary == "1 file saved and checked, 1\N{NO-BREAK SPACE}kB"
    make_artifact(make_story(item), size_bytes=3000)
    (card,) = cards.job_cards([item.job])
    assert (card.files, card.size_bytes) == (2, 13_000)
    assert page_of(item.job).summary == "2 files saved and checked, 13\N{NO-BREAK SPACE}kB"


def test_a_story_that_came_by_two_lines_is_counted_once() -> None:
    job = make_job()
    for name in ("nora", "a link to it"):
        item = make_item(job, name=name, state=ItemState.DONE)
        make_artifact(make_story(item, tiktok_id="70"), size_bytes=1000)
        make_artifact(make_story(item, tiktok_id="71" if name == "nora" else "72"))
    page = page_of(job)
    (card,) = cards.job_cards([job])
    assert (card.files, card.size_bytes) == (3, 3000)
    assert page.summary == "3 files saved and checked, 3\N{NO-BREAK SPACE}kB"
    assert (page.amount.files, page.stories_known) == (3, 3)
    job.artifacts.filter(story__item__position=1).update(removed_at=timezone.now())
    assert page_of(job).summary.startswith("2 of 3 saved files still here")


def test_what_two_lines_of_one_account_leave_out_is_counted_once() -> None:
    job = make_job()
    for left_out in ({"private": 2}, {"private": 1, "held_back": 3}):
        make_item(job, author_name="nora", state=ItemState.PARTIAL, left_out=left_out)
    make_item(job, author_name="nora", state=ItemState.RUNNING, left_out={"not_ready": 9})
    (card,) = cards.job_cards([job])
    assert card.left_out == page_of(job).job.left_out == 5


def test_cards() -> None:
    alice = make_user("alice")
    job = make_job(alice)
    for name in ("a1", "b2", "c3", "d4"):
        make_item(job, name=name, state=ItemState.FAILED, error_code="upstream_down")
    make_artifact(make_story(job.items.first()))
    make_artifact(make_story(job.items.first()), role=Role.POSTER)
    (card,) = cards.job_cards(cards.search_jobs(alice))
    assert (card.names, card.more_names) == (("@a1", "@b2", "@c3"), 1)
    assert (card.files, len(card.thumbnails), card.retryable, card.state) == (1, 1, 4, "failed")
    assert not cards.search_jobs(make_user("bob"))
    assert len(cards.search_jobs(alice, "@B2")) == 1
    assert len(cards.search_jobs(alice, "zzz")) == 0


def test_a_card_has_the_picture_of_its_first_author_with_one() -> None:
    alice = make_user("alice")
    job = make_job(alice)
    items = [make_item(job, name=name, state=ItemState.DONE) for name in ("a1", "b2", "c3")]
    assert cards.job_cards([job])[0].avatar == ""
    for item in items[1:]:
        AuthorPicture.objects.create(item=item, digest=f"d{item.position}", picture=b"jpeg")
    assert cards.job_cards([job])[0].avatar == f"/avatars/{items[1].pk}.jpg?d{items[1].position}"


def test_a_cards_ring_is_of_the_story_that_leaves_first_of_those_still_there() -> None:
    job = make_job(make_user("alice"))
    item, now = make_item(job, state=ItemState.DONE), timezone.now()
    for hours in (-2, 5, 3, 9):
        make_story(item, leaves_at=now + timedelta(hours=hours))
    (card,) = cards.job_cards([job])
    assert (card.leaves_at, card.percent) == (now + timedelta(hours=3), None)


def test_a_card_of_an_open_job_shows_how_far_it_is_and_never_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = make_job(make_user("alice"))
    for state in (ItemState.DONE, ItemState.RUNNING, ItemState.QUEUED, ItemState.QUEUED):
        make_item(job, state=state)
    running = job.items.get(state=ItemState.RUNNING)
    told = ItemProgress(phase="saving", share=0.6, asked_at=running.asked_at)
    monkeypatch.setattr(progress, "read_many", lambda job_ids: {str(running.pk): told})
    assert cards.job_cards([job])[0].percent == 40
    job.items.update(state=ItemState.RUNNING)
    monkeypatch.setattr(progress, "read_many", lambda job_ids: {})
    assert cards.job_cards([job])[0].percent == 3


def test_many_cards_cost_as_many_queries_as_one(django_assert_num_queries: Any) -> None:
    alice = make_user("alice")
    for _ in range(5):
        job = make_job(alice)
        for name in ("a1", "b2"):
            make_story(make_item(job, name=name, state=ItemState.DONE))
    jobs = list(cards.search_jobs(alice))
    with django_assert_num_queries(3):
        cards.job_cards(jobs)
