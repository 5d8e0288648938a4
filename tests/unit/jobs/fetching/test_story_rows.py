"""What a list names and does not hand over: kept with the line, and never called done or empty."""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.fetching import pipeline
from jobs.models import Item
from jobs.queue import actions, claims, settling
from jobs.queue.claims import ClaimLost
from jobs.queue.settling import Outcome
from jobs.queue.shutdown import ShutdownRequested
from jobs.states import SHORT, ItemState
from stories import left_out
from stories.errors import (
    AgeRestricted,
    MediaUnavailable,
    PrivatePost,
    Refused,
    StoriesError,
    UpstreamChanged,
    UpstreamDown,
)
from stories.events import Listed, MediaFailed
from stories.left_out import LeftOutReason
from tests.factories import make_artifact, make_item, make_story
from tests.unit.jobs.fetching.stage import Stage, a_story, ended, listed, run

pytestmark = pytest.mark.django_db
S = ItemState
R = LeftOutReason


def attempt(stage: Stage, item: Item, *script: Any) -> Item:
    """One attempt at a due item, as a worker makes it; the item after it."""
    Item.objects.filter(pk=item.pk).update(not_before=None)
    claim = claims.claim(item.pk)
    assert claim
    stage.script = script
    try:
        settling.finish(claim, pipeline.run(claim))
    except StoriesError as error:
        settling.fail(claim, error)
    item.refresh_from_db()
    return item


@pytest.mark.parametrize("reason", LeftOutReason)
def test_a_line_of_which_something_was_left_out_is_partly_done_whatever_the_reason(
    stage: Stage, caplog: pytest.LogCaptureFixture, reason: LeftOutReason
) -> None:
    caplog.set_level(logging.INFO)
    photo = a_story()
    item = make_item()
    outcome = run(stage, item, listed(photo, **{reason: 2}), stage.file(photo), ended(photo))
    assert outcome.state == S.PARTIAL
    assert type(outcome.error) is left_out.ERRORS[reason]
    item.refresh_from_db()
    assert item.left_out == {reason: 2}
    assert f"left out: 2 {reason}" in caplog.text


@pytest.mark.parametrize("reason", LeftOutReason)
def test_a_list_of_which_nothing_was_handed_over_is_a_failure_and_not_an_empty_one(
    stage: Stage, reason: LeftOutReason
) -> None:
    item = make_item()
    assert run(stage, item, listed(**{reason: 1})).state == S.FAILED
    other = make_item(name="another")
    item = attempt(stage, other, listed(**{reason: 1}), left_out.error_for(reason, 1))
    assert item.state in {S.FAILED, S.QUEUED}
    assert (item.error_code, item.left_out) == (left_out.ERRORS[reason].code, {reason: 1})


def test_what_is_wrong_in_the_answer_is_kept_for_whoever_runs_the_instance(stage: Stage) -> None:
    photo, item = a_story(), make_item()
    path = {"unreadable": "itemList[].createTime is missing"}
    event = replace(listed(photo, unreadable=1), details=path)
    attempt(stage, item, event, stage.file(photo), ended(photo))
    assert item.error_detail == (
        "left out of the list: 1 unreadable (itemList[].createTime is missing)"
    )


def test_of_several_reasons_the_one_that_may_pass_is_named(stage: Stage) -> None:
    photo, other = a_story(1), a_story(2)
    final = listed(photo, private=1, held_back=1)
    outcome = run(stage, make_item(), final, stage.file(photo), ended(photo))
    assert isinstance(outcome.error, UpstreamDown)
    outcome = run(
        stage,
        make_item(name="another"),
        listed(photo, other, age_restricted=1),
        stage.file(photo),
        ended(photo),
        MediaFailed(story_id=other.id, position=1, error=MediaUnavailable()),
        ended(other, 0, MediaUnavailable()),
    )
    assert isinstance(outcome.error, MediaUnavailable)


def test_what_was_held_back_is_asked_for_again_a_few_times_and_no_oftener(stage: Stage) -> None:
    photo = a_story()
    item = make_item()
    tries = 0
    while item.state == S.QUEUED:
        attempt(stage, item, listed(photo, held_back=10**6), stage.file(photo), ended(photo))
        assert item.left_out == {"held_back": 10**6}
        tries += 1
    assert (tries, item.state, item.error_code) == (3, S.PARTIAL, "upstream_down")
    assert actions.retryable(Item.objects.all()).count() == 1


@pytest.mark.parametrize("reason", [R.PRIVATE, R.AGE_RESTRICTED, R.UNREADABLE, R.TOO_LONG])
def test_what_will_not_come_is_not_asked_for_again(stage: Stage, reason: LeftOutReason) -> None:
    photo = a_story()
    item = make_item()
    attempt(stage, item, listed(photo, **{reason: 1}), stage.file(photo), ended(photo))
    assert (item.state, item.attempt) == (S.PARTIAL, 1)
    assert not actions.retryable(Item.objects.all())


def test_a_later_whole_list_clears_it_and_what_was_saved_is_not_fetched_again(
    stage: Stage,
) -> None:
    first, second = a_story(1), a_story(2)
    item = make_item()
    attempt(stage, item, listed(first, held_back=1), stage.file(first), ended(first))
    assert (item.state, item.error_code) == (S.QUEUED, "upstream_down")
    attempt(stage, item, listed(first, second), ended(first), stage.file(second), ended(second))
    assert stage.asked["have"] == frozenset({(first.id, 1)})
    assert (item.state, item.left_out, item.error_code) == (S.DONE, {}, "")


def test_a_look_up_that_fails_keeps_what_was_known(stage: Stage) -> None:
    photo = a_story()
    item = make_item()
    attempt(stage, item, listed(photo, not_ready=2), stage.file(photo), ended(photo))
    assert item.state == S.QUEUED
    attempt(stage, item, UpstreamChanged("a list of another shape"))
    assert (item.state, item.left_out) == (S.PARTIAL, {"not_ready": 2})
    assert item.error_code == "upstream_changed"


def test_a_worker_that_dies_behind_the_list_leaves_what_it_knew(stage: Stage) -> None:
    photo = a_story()
    item = make_item()
    stage.script = (listed(photo, private=1), ShutdownRequested())
    claim = claims.claim(item.pk)
    assert claim
    with pytest.raises(ShutdownRequested):
        pipeline.run(claim)
    claims.release(claim)
    item.refresh_from_db()
    assert (item.state, item.left_out) == (S.QUEUED, {"private": 1})


def test_a_list_that_comes_too_late_writes_nothing(stage: Stage) -> None:
    item = make_item()

    def cancel() -> None:
        actions.cancel_item(item)

    with pytest.raises(ClaimLost):
        run(stage, item, cancel, listed(a_story(), private=1))
    item.refresh_from_db()
    assert (item.state, item.left_out) == (S.CANCELLED, {})


def test_a_story_saved_before_it_became_private_is_not_missing(stage: Stage) -> None:
    photo = a_story()
    item = make_item(attempt=1)
    make_artifact(make_story(item, tiktok_id=photo.id))
    event = replace(listed(private=1), left_out_ids={photo.id: R.PRIVATE})
    assert run(stage, item, event) == Outcome(S.DONE)


def test_a_story_that_failed_and_is_left_out_now_says_why_and_is_counted_once(
    stage: Stage,
) -> None:
    photo, kept = a_story(1), a_story(2)
    item = make_item(attempt=1)
    row = make_story(item, tiktok_id=photo.id, state=S.FAILED, error_code="media_unavailable")
    event = replace(listed(kept, private=1), left_out_ids={photo.id: R.PRIVATE})
    outcome = run(stage, item, event, stage.file(kept), ended(kept))
    assert outcome.state == S.PARTIAL
    assert isinstance(outcome.error, PrivatePost)
    row.refresh_from_db()
    item.refresh_from_db()
    assert (row.error_code, item.left_out) == ("private_post", {})


def test_a_story_missing_from_a_list_that_is_not_whole_is_not_called_gone(stage: Stage) -> None:
    item = make_item(attempt=1)
    row = make_story(item, tiktok_id="1", state=S.QUEUED)
    outcome = run(stage, item, listed(held_back=1))
    assert isinstance(outcome.error, UpstreamDown)
    row.refresh_from_db()
    assert (row.state, row.error_code) == (S.FAILED, "upstream_down")


def test_whatever_the_lists_say_done_and_empty_mean_that_nothing_is_missing(stage: Stage) -> None:
    for seed in range(60):
        dice = random.Random(seed)
        pool = [a_story(number) for number in range(1, 6)]
        item = make_item(name=f"seed{seed}")
        for _ in range(dice.randint(1, 4)):
            if item.state != S.QUEUED:
                break
            script, event = _script(stage, dice, pool, item)
            attempt(stage, item, *script)
            if item.state not in {S.DONE, S.EMPTY}:
                if item.state in SHORT:
                    assert item.error_code, seed
                continue
            assert event is not None, seed
            saved = set(item.stories.filter(state=S.DONE).values_list("tiktok_id", flat=True))
            assert {story.id for story in event.stories} <= saved, seed
            assert not {k for k in event.left_out if k not in event.left_out_ids.values()}, seed
            assert set(event.left_out_ids) <= saved, seed
            assert not item.stories.exclude(state=S.DONE).exists(), seed
            assert (item.state == S.EMPTY) == (not saved), seed


def _script(
    stage: Stage, dice: random.Random, pool: list[Any], item: Item
) -> tuple[list[Any], Listed | None]:
    """A random attempt, and the list in it; None where the look-up fails."""
    if dice.random() < 0.2:
        return [dice.choice([Refused(), UpstreamDown(), AgeRestricted()])], None
    kept = [story for story in pool if dice.random() < 0.5]
    others = [story for story in pool if story not in kept]
    ids = {s.id: dice.choice([R.PRIVATE, R.NO_MEDIA]) for s in others if dice.random() < 0.2}
    counts: dict[str, int] = {}
    for reason in ids.values():
        counts[reason] = counts.get(reason, 0) + 1
    if dice.random() < 0.3:
        counts[dice.choice([R.HELD_BACK, R.BROKEN_OFF, R.UNREADABLE])] = dice.randint(1, 3)
    event = replace(listed(*kept, **counts), left_out_ids=ids)
    have = {(file.story.tiktok_id, 1) for file in item.artifacts.exclude(story=None) if file.story}
    script: list[Any] = [event]
    for story in kept:
        if (story.id, 1) in have:
            script.append(ended(story))
        elif dice.random() < 0.8:
            script += [stage.file(story), ended(story)]
        else:
            error = MediaUnavailable()
            script.append(MediaFailed(story_id=story.id, position=1, error=error))
            script.append(ended(story, 0, error))
    return script, event


def test_a_row_written_before_there_was_such_a_column_knows_of_nothing(stage: Stage) -> None:
    item = make_item(attempt=2, created_at=timezone.now() - timedelta(days=1))
    assert item.left_out == {}
    assert run(stage, item, listed()) == Outcome(S.EMPTY)


# --- what an earlier attempt saved ----------------------------------------------------------------


def test_stories_saved_earlier_and_not_listed_now_are_not_missing(stage: Stage) -> None:
    soon = timezone.now() + timedelta(hours=1)
    made = [a_story(number, leaves_at=soon) for number in (1, 2, 3, 4)]
    item = make_item()
    first = [event for story in made[:3] for event in (stage.file(story), ended(story))]
    item = attempt(stage, item, listed(*made[:3], held_back=1), *first)
    assert (item.state, item.left_out) == (S.QUEUED, {"held_back": 1})
    rest = (stage.file(made[3]), ended(made[3]))
    item = attempt(stage, item, listed(made[3], held_back=3), *rest)
    assert (item.state, item.left_out) == (S.DONE, {})


def test_stories_saved_earlier_that_are_over_do_not_stand_for_those_held_back(
    stage: Stage,
) -> None:
    over = a_story(1, leaves_at=timezone.now() - timedelta(hours=1))
    later = a_story(2, leaves_at=timezone.now() + timedelta(hours=1))
    item = attempt(stage, make_item(), listed(over, held_back=1), stage.file(over), ended(over))
    item = attempt(stage, item, listed(later, held_back=2), stage.file(later), ended(later))
    assert item.left_out == {"held_back": 2}
