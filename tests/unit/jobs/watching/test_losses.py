"""What a look found and nobody could save in time is told as a hole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import Item, Job, Watch, WatchGap
from jobs.states import ItemState
from jobs.watching.outcome import Consequences, note_list
from stories.structures import Story
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.watching.making import claimed, sight, story, watching

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def line(watch: Watch, *stories: Story, ago: timedelta = 2 * HOUR, **facts: Any) -> Item:
    """A line of a watch that fell short of these stories, as of so long ago."""
    at = timezone.now() - ago
    job = make_job(watch.owner, from_watch=True, watch=watch, created_at=at - HOUR)
    ids = " ".join(each.id for each in stories)
    defaults: dict[str, Any] = {
        "state": ItemState.FAILED, "error_code": "gone", "settled_at": at, "created_at": at - HOUR,
        "only_ids": ids,
    }  # fmt: skip
    return make_item(job, name="anna", **(defaults | facts))


def look(watch: Watch, *listed: Story) -> Consequences:
    Watch.objects.filter(pk=watch.pk).update(next_at=timezone.now() - MINUTE)
    told = note_list(claimed(watch), sight(listed))
    assert told is not None
    return told


def holes() -> list[Any]:
    return list(WatchGap.objects.values_list("begins_at", "ends_at"))


def test_a_story_that_left_before_it_was_fetched_is_a_hole_and_told_once() -> None:
    watch = watching(covered_until=timezone.now() - HOUR)
    left = story(1, age=26 * HOUR)  # two hours ago, as its line settled, its day was over
    line(watch, left, ago=HOUR)
    told = look(watch)
    assert [gap.begins_at for _watch, gap in told.gaps] == [left.posted_at]
    assert holes() == [(left.posted_at, left.posted_at + MINUTE)]
    assert not look(watch).gaps
    assert len(holes()) == 1


def test_one_that_its_author_took_back_is_none() -> None:
    watch = watching(covered_until=timezone.now() - HOUR)
    line(watch, story(1, age=26 * HOUR), ago=20 * HOUR)
    assert not look(watch).gaps


@pytest.mark.parametrize("code", ["timed_out", "damaged", ""])
def test_one_that_failed_until_its_day_was_over_is_a_hole(code: str) -> None:
    watch = watching(covered_until=timezone.now() - HOUR)
    short = story(1, age=25 * HOUR)
    line(watch, short, ago=20 * HOUR, error_code=code)
    assert len(look(watch).gaps) == 1


def test_one_whose_day_goes_on_or_that_is_listed_is_no_hole_yet() -> None:
    watch = watching(covered_until=timezone.now() - HOUR)
    young, listed = story(1, age=20 * HOUR), story(2, age=25 * HOUR)
    line(watch, young, listed, error_code="timed_out")
    assert not look(watch, listed).gaps


def test_what_was_saved_or_forgotten_is_no_hole() -> None:
    watch = watching(covered_until=timezone.now() - HOUR)
    here, other, forgotten = (story(number, age=26 * HOUR) for number in (1, 2, 3))
    item = line(watch, here, other, ago=HOUR, state=ItemState.PARTIAL)
    make_artifact(make_story(item, tiktok_id=here.id, state=ItemState.DONE))
    by_hand = make_item(make_job(watch.owner), state=ItemState.DONE)
    make_story(by_hand, tiktok_id=other.id, state=ItemState.DONE)
    erased = line(watch, forgotten, ago=HOUR)
    Job.objects.filter(pk=erased.job_id).update(erased_at=timezone.now())
    assert not look(watch).gaps


@pytest.mark.parametrize("ids", ["1 2", "x", "99999999999999999999999999"])
def test_what_is_no_id_is_no_hole(ids: str) -> None:
    watch = watching(covered_until=timezone.now() - HOUR)
    line(watch, only_ids=ids)
    assert not look(watch).gaps


def test_what_lies_in_a_hole_is_told_with_it() -> None:
    watch = watching(covered_until=timezone.now() - HOUR)
    left = story(1, age=26 * HOUR)
    line(watch, left, ago=HOUR)
    begins_at = left.posted_at - HOUR
    WatchGap.objects.create(watch=watch, begins_at=begins_at, ends_at=begins_at + 3 * HOUR)
    assert not look(watch).gaps


def test_what_was_not_listed_and_is_again_is_new() -> None:
    back = story(1, age=3 * HOUR)
    watch = watching(covered_until=timezone.now() - HOUR, seen=[back.id])
    line(watch, back)
    told = look(watch, back)
    assert len(told.jobs) == 1
    assert told.jobs[0][1].items.get().only_ids == back.id
    told = look(watch, back)  # its new line waits
    assert not told.jobs
