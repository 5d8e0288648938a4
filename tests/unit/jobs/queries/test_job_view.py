"""What the views of a job say of themselves: words, retries, media, the entity tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone, translation

from jobs.ephemeral.progress import ItemProgress
from jobs.models import Artifact, Role
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.queries.snapshots import load

pytestmark = pytest.mark.django_db

S = ItemState
HOUR = timedelta(hours=1)


def test_a_waiting_line_says_why_and_until_when() -> None:
    job = make_job()
    until = timezone.now() + timedelta(minutes=5)
    make_item(job, error_code="challenged", not_before=until)
    make_item(job, error_code="refused", not_before=until + HOUR)
    make_item(job, error_code="upstream_down", not_before=until - timedelta(minutes=1))
    seen = load(job)
    item = seen.items[0]
    assert (seen.state, seen.progress.phase) == (S.QUEUED, "waiting")
    assert item.waiting
    assert item.error
    assert (item.error.code, item.error.retry_at, item.error.retryable) == (
        "challenged",
        until,
        True,
    )
    assert item.error.retry_after_s(until - timedelta(seconds=90.5)) == 91
    assert item.error.retry_after_s(until + HOUR) == 0
    assert (seen.refused_until, seen.refused_code) == (until, "challenged")


def test_a_settled_job() -> None:
    job = make_job()
    make_item(job, state=S.DONE)
    make_item(job, state=S.FAILED, error_code="unsupported_link", error_detail="a sound")
    make_item(job, state=S.FAILED, error_code="media_corrupt", error_detail="moov is missing")
    make_item(job, state=S.EMPTY)
    job.settled_at = timezone.now()
    job.save()
    seen = load(job)
    assert (seen.state, seen.settled, seen.progress.phase) == (S.PARTIAL, True, "ready")
    assert seen.settled_at == job.settled_at
    assert seen.retryable == 1
    assert seen.items[1].error
    assert seen.items[1].error.message == "This is a sound, not a story."
    assert seen.items[2].error
    assert "moov" not in seen.items[2].error.message
    assert seen.items[2].retryable
    assert not seen.items[1].retryable


def test_a_tile_has_its_picture_its_preview_and_what_was_made_from_it() -> None:
    story = make_story(media_count=2, kind="carousel")
    media = make_artifact(story, content_type="video/mp4", labels=["hevc"])
    poster = make_artifact(story, role=Role.POSTER, position=1)
    sound = make_artifact(story, role=Role.AUDIO_TRACK, position=1, content_type="audio/mp4")
    song = make_artifact(story, role=Role.ATTACHED_SONG, position=0)
    zipped = make_artifact(story, role=Role.ZIP, position=0)
    view = load(story.item.job).stories[0]

    first, second = view.media
    assert first.file
    assert first.poster
    assert (first.file.id, first.poster.id) == (media.pk, poster.pk)
    assert (second.file, second.poster) == (None, None)
    assert [(file.id, file.position) for file in view.present] == [
        (song.pk, 0),
        (media.pk, 1),
        (poster.pk, 1),
        (sound.pk, 1),
    ]
    assert view.zip
    assert view.zip.id == zipped.pk
    assert (view.saved, view.missing) == (1, (2,))
    assert first.file.labels == ("hevc",)
    assert first.poster.labels == ("poster",)
    assert view.present[-1].labels == ("audio_track",)
    assert first.file.is_video
    assert first.poster.is_picture


def test_the_tag_changes_with_what_is_shown_and_only_then(
    redis_reports: Callable[[Mapping[str, ItemProgress]], None],
) -> None:
    job = make_job()
    item = make_item(job, state=S.RUNNING)
    until = timezone.now() + timedelta(minutes=5)
    waiting = make_item(job, error_code="refused", not_before=until)

    def say(**facts: Any) -> str:
        values: dict[str, Any] = {"phase": "saving", "files_total": 3} | facts
        redis_reports({str(item.pk): ItemProgress(**values)})
        return load(job).etag

    tags = [say(eta_s=9.0), say(eta_s=8.0), say()]
    assert len(set(tags)) == 1, "time alone changes nothing"
    assert tags[0].startswith('W/"')
    tags += [say(bytes_done=1), say(phase="checking")]
    waiting.not_before = until + timedelta(seconds=1)
    waiting.save()
    tags.append(say())
    make_artifact(make_story(item))
    tags.append(say())
    Artifact.objects.update(expires_at=timezone.now())
    tags.append(say())
    with translation.override("de"):
        tags.append(say())
    assert len(set(tags[2:])) == len(tags[2:])
