"""From a claim to an outcome, and every way of being interrupted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from jobs.fetching import pipeline, recorder
from jobs.files import store
from jobs.models import Item, Role, Story
from jobs.queue import actions, claims, shutdown
from jobs.queue.claims import ClaimLost
from jobs.queue.settling import Outcome
from jobs.queue.shutdown import ShutdownRequested
from jobs.states import ItemState
from stories.errors import TimedOut
from stories.events import Checking, Resolved, Transferring, Warned
from stories.structures import StoryKind, Verified
from tests.factories import make_item, make_job
from tests.unit.jobs.fetching.stage import (
    AUTHOR,
    VIDEO,
    Stage,
    a_story,
    check_disk,
    ended,
    files,
    listed,
    run,
)

pytestmark = pytest.mark.django_db
S = ItemState


def test_a_whole_item(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    photo, clip = a_story(1), a_story(2, StoryKind.VIDEO)
    item = make_item(make_job(audio="m4a", prefer="highest", posts=True), name="sample.user")
    outcome = run(
        stage,
        item,
        Resolved(author=AUTHOR),
        listed(photo, clip),
        None,
        Transferring(story_id=photo.id, position=1, bytes_done=5, bytes_total=5),
        Checking(story_id=photo.id, position=1),
        stage.file(photo, content=b"picture", labels=("watermarked",)),
        stage.file(photo, role="poster"),
        Warned(message="attached song not made", story_id=photo.id),
        ended(photo),
        stage.file(clip, verified=VIDEO),
        stage.file(
            clip, role="audio_track", verified=Verified(content_type="audio/mp4", suffix=".m4a")
        ),
        ended(clip),
    )
    assert outcome == Outcome(S.DONE)
    assert stage.asked["options"].prefer == "highest"
    assert (stage.asked["options"].posts, stage.asked["options"].audio) == (True, "m4a")
    assert stage.asked["target"].name == "sample.user"
    item.refresh_from_db()
    assert (item.author_id, item.author_name) == (AUTHOR.id, AUTHOR.name)
    assert item.author_nickname == "Sample  Näme"
    assert files(item) == [
        ("media", 1, "sample.user_2026-11-20_1401.jpg"),
        ("poster", 1, "sample.user_2026-11-20_1401_poster.jpg"),
        ("audio_track", 1, "sample.user_2026-11-20_1402.m4a"),
        ("media", 1, "sample.user_2026-11-20_1402.mp4"),
    ]
    row = item.artifacts.get(role=Role.MEDIA, story__position=1)
    assert (row.width, row.height, row.size_bytes, row.checked) == (1080, 1920, 7, True)
    assert row.labels == ["watermarked"]
    assert row.expires_at > timezone.now() + timedelta(hours=1)
    with store.open_artifact(row.pk) as file:
        assert file.read() == b"picture"
    assert [story.state for story in item.stories.all()] == [S.DONE, S.DONE]
    assert all(story.captured_at for story in item.stories.all())
    assert ": 2 stories" in caplog.text
    check_disk()


def test_no_story_is_an_answer(stage: Stage) -> None:
    assert run(stage, make_item(), listed()) == Outcome(S.EMPTY)


# --- interruptions ------------------------------------------------------------------------------


def test_nothing_is_written_once_the_claim_is_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "SAVE_AFTER_S", 0)  # the list does not wait for files
    photo = a_story()
    item = make_item()

    def cancel() -> None:
        actions.cancel_item(item)

    with pytest.raises(ClaimLost):
        run(stage, item, listed(photo), cancel, stage.file(photo), ended(photo))
    assert files(item) == []
    assert Story.objects.get().state == S.CANCELLED
    check_disk()


def test_a_cancel_between_two_looks_is_noticed_by_the_fence(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "CHECK_EVERY_S", 1000)
    photo = a_story()
    item = make_item()

    def cancel() -> None:
        actions.cancel_item(item)

    with pytest.raises(ClaimLost):
        run(stage, item, listed(photo), cancel, stage.file(photo), ended(photo))
    assert files(item) == []
    check_disk()


def test_a_worker_that_stops_lets_go(stage: Stage) -> None:
    item = make_item()
    with pytest.raises(ShutdownRequested):
        run(stage, item, listed(a_story()), shutdown.shutdown_requested.set, None)
    check_disk()


def test_a_forgotten_item_ends_quietly(stage: Stage) -> None:
    item = make_item()
    claim = claims.claim(item.pk)
    assert claim
    item.job.delete()
    with pytest.raises(ClaimLost):
        pipeline.run(claim)


def test_a_long_silence_keeps_the_lease(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "HEARTBEAT_EVERY_S", 0)
    item = make_item()
    old = timezone.now() - timedelta(minutes=5)

    def age() -> None:
        Item.objects.update(heartbeat_at=old)

    run(stage, item, listed(), age, None)
    item.refresh_from_db()
    assert item.heartbeat_at
    assert item.heartbeat_at > old


def test_a_line_that_keeps_writing_keeps_the_lease_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that went through spares the look at the claim, and never the sign of life."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(pipeline, "CHECK_EVERY_S", 0.9)
    for module in (pipeline, recorder):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    beats, looks = list[float](), list[float]()

    def noted(times: list[float]) -> Callable[[Any], bool]:
        def held(_claim: Any) -> bool:
            times.append(clock.now)
            return True

        return held

    monkeypatch.setattr(claims, "heartbeat", noted(beats))
    monkeypatch.setattr(claims, "is_held", noted(looks))
    photos = [a_story(number) for number in range(1, 51)]

    def later(event: Any) -> Callable[[], Any]:
        def arrive() -> Any:
            clock.now += 0.42  # so that writes are no further apart than looks would be
            return event() if callable(event) else event

        return arrive

    script = [later(event) for photo in photos for event in (stage.file(photo), ended(photo))]
    assert run(stage, make_item(), listed(*photos), *script) == Outcome(S.DONE)
    apart = [after - before for before, after in pairwise([1000.0, *beats, clock.now])]
    assert max(apart) < claims.HEARTBEAT_EVERY_S + 1
    assert looks == []


@pytest.mark.parametrize("silent", [False, True])
def test_a_client_that_goes_on_is_not_ended_and_one_that_says_nothing_is(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    clock = SimpleNamespace(now=1000.0)
    for module in (pipeline, recorder):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    photo = a_story()
    going_on = Transferring(story_id=photo.id, position=1, bytes_done=5, bytes_total=500)

    def later() -> Any:
        clock.now += 500
        return None if silent else going_on

    script = [listed(photo), *[later, None] * 10, stage.file(photo), ended(photo)]
    if silent:
        with pytest.raises(TimedOut):
            run(stage, make_item(), *script)
    else:
        assert run(stage, make_item(), *script) == Outcome(S.DONE)
        assert clock.now > 1000 + 900 + pipeline.OVERTIME_S


def test_the_dates_in_a_converted_picture_are_on_the_clock_of_the_instance(
    stage: Stage, settings: Any
) -> None:
    """Others with whom the file is shared learn nothing of its owner's."""
    settings.TIME_ZONE = "Europe/Berlin"
    run(stage, make_item(make_job(time_zone="Asia/Tokyo")), listed())
    assert str(stage.asked["options"].zone) == "Europe/Berlin"


def test_while_files_are_uploaded_the_lease_is_renewed_and_its_loss_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    item = make_item(state=ItemState.RUNNING)
    claim = claims.Claim(item.pk, item.attempt)
    watch = pipeline.ClaimWatch(claim)
    before = item.heartbeat_at
    watch.keep()
    item.refresh_from_db()
    assert item.heartbeat_at == before
    monkeypatch.setattr(watch, "_heartbeat_at", 0.0)
    watch.keep()
    item.refresh_from_db()
    assert before is not None
    assert item.heartbeat_at is not None
    assert item.heartbeat_at > before
    Item.objects.filter(pk=item.pk).update(attempt=item.attempt + 1)
    monkeypatch.setattr(watch, "_heartbeat_at", 0.0)
    with pytest.raises(ClaimLost):
        watch.keep()
