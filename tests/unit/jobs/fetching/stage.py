"""A pipeline on a stage: scripted events instead of a harvest, and what became of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from django.conf import settings

from jobs.fetching import bridge, pipeline
from jobs.files import disk, store
from jobs.models import Artifact, Item
from jobs.queue import claims
from jobs.queue.settling import Outcome
from stories import structures
from stories.errors import StoriesError
from stories.events import Event, FileReady, Listed, StoryFinished
from stories.left_out import LeftOutReason
from stories.structures import Author, Media, MediaKind, MediaVariant, StoryKind, Verified

AUTHOR = Author(id="6812345678901234567", name="sample.user", nickname="Sample\x00 Näme")
PICTURE = Verified(content_type="image/jpeg", suffix=".jpg", width=1080, height=1920)
VIDEO = Verified(
    content_type="video/mp4", suffix=".mp4", width=576, height=1024, duration_s=3, has_audio=True
)
Script = Sequence[Event | Exception | Callable[[], Event | None] | None]


class Stage:
    """Plays scripted events to the pipeline instead of a harvest, with files in its workspace."""

    def __init__(self) -> None:
        self.script: Script = ()
        self.asked: dict[str, Any] = {}

    @contextmanager
    def stream(self, make: Callable[[Any], Any]) -> Iterator[Iterator[Event | None]]:
        """Stands in for `Engine.stream`."""
        make(None)
        yield self._play()

    def _play(self) -> Iterator[Event | None]:
        for event in self.script:
            if isinstance(event, Exception):
                raise event
            produced = event() if callable(event) else event
            if produced is not None or event is None:
                yield produced

    def harvest(self, _client: Any, target: Any, **asked: Any) -> None:
        """Stands in for `stories.harvest.harvest`: remembers its arguments in `asked`."""
        self.asked = {"target": target, **asked}

    def file(
        self,
        story: structures.Story,
        position: int = 1,
        role: Literal["media", "poster", "converted", "audio_track", "attached_song"] = "media",
        content: bytes = b"bytes",
        verified: Verified = PICTURE,
        labels: tuple[str, ...] = (),
    ) -> Callable[[], FileReady]:
        """An event whose file is made in the workspace when its turn comes."""

        def make() -> FileReady:
            key, file = self.asked["workspace"].create()
            with file:
                file.write(content)
            return FileReady(
                story_id=story.id,
                position=position,
                role=role,
                key=key,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                verified=verified,
                labels=labels,
            )

        return make


def put_on(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage in place of the client, on which every event asks whether the claim holds."""
    stage = Stage()
    monkeypatch.setattr(pipeline, "harvest", stage.harvest)
    monkeypatch.setattr(bridge, "current", lambda: stage)
    monkeypatch.setattr(pipeline, "CHECK_EVERY_S", 0)
    return stage


def a_story(
    number: int = 1, kind: StoryKind = StoryKind.PHOTO, pictures: int = 1, **facts: Any
) -> structures.Story:
    """A listed story, its number in its id and its minute."""
    posted = datetime(2026, 11, 20, 14, number, tzinfo=UTC)
    shows = MediaKind.VIDEO if kind is StoryKind.VIDEO else MediaKind.PICTURE
    variant = MediaVariant(urls=("https://v16.tiktokcdn.com/x",), codec="h264", size_bytes=100)
    fields: dict[str, Any] = {
        "id": str(7512345678901234560 + number),
        "kind": kind,
        "author": AUTHOR,
        "posted_at": posted,
        "leaves_at": posted + timedelta(hours=24),
        "caption": "a caption",
        "media": tuple(
            Media(kind=shows, position=position, variants=(variant,))
            for position in range(1, pictures + 1)
        ),
    }
    return structures.Story(**(fields | facts))


def listed(*stories: structures.Story, **left_out: int) -> Listed:
    """The list of these stories; left_out: how many are not among them, by reason."""
    counts = {LeftOutReason(reason): count for reason, count in left_out.items()}
    return Listed(author=AUTHOR, stories=stories, left_out=counts)


def ended(
    story: structures.Story,
    saved: int = 1,
    error: StoriesError | None = None,
    lacks: StoriesError | None = None,
) -> Event:
    """The end of a story. lacks: why a sound is missing."""
    expected = len(story.media)
    return StoryFinished(
        story_id=story.id, saved=saved, expected=expected, error=error, lacks=lacks
    )


def run(stage: Stage, item: Item, *script: Any) -> Outcome:
    """Claim an item and run the pipeline on these events."""
    stage.script = script
    claim = claims.claim(item.pk)
    assert claim
    return pipeline.run(claim)


def files(item: Item) -> list[tuple[str, int, str]]:
    """(role, position, name) of an item's present files, story by story."""
    rows = item.artifacts.filter(removed_at=None).order_by("story__position", "position", "role")
    return [(row.role, row.position, row.name) for row in rows]


def check_disk() -> None:
    """Rows and files agree, and no workspace is left."""
    stored = {file.id for folder in store.walk() for file in folder}
    assert set(Artifact.objects.filter(removed_at=None).values_list("pk", flat=True)) <= stored
    work = settings.STORYKEEP.artifacts / disk.WORK
    assert not work.exists() or list(work.iterdir()) == []
