"""What came of one line: the files that were saved, and every error that was told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from stories.client import StoryClient
from stories.errors import StoriesError
from stories.events import FileReady, Listed, StoryFinished, Warned
from stories.harvest import HarvestOptions, harvest
from stories.targets import parse_line
from tests.fake_tiktok import FakeStory
from tests.survival.scenes import Scene
from tests.unit.stories.harvests import Folder

LONGEST_S = 120.0


@dataclass(kw_only=True)
class Result:
    """What came of a line.

    error: that ended it, None where it ended well. saved: (story id, position) -> the bytes.
    labels: of the saved files. left_out: reason -> number of stories, as the list told. unfinished:
    story id -> the code of what is wrong with it. seconds: how long it took.
    """

    error: StoriesError | None = None
    saved: dict[tuple[str, int], bytes] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    left_out: dict[str, int] = field(default_factory=dict)
    unfinished: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def codes(self) -> list[str]:
        """Every code that was told, the one that ended the line first."""
        ended = [self.error.code] if self.error is not None else []
        return [*ended, *self.left_out, *self.unfinished.values()]

    @property
    def outcome(self) -> str:
        """In a word: the code that ended it, "saved", "partial" or "empty"."""
        if self.error is not None:
            return self.error.code
        if self.left_out or self.unfinished:
            return "partial" if self.saved else next(iter(self.codes))
        return "saved" if self.saved else "empty"

    def has(self, story: FakeStory, *, joined: bool = False) -> bool:
        """Whether all of a story was saved; byte for byte, unless its files were put together."""
        if joined:
            return any(story_id == story.id for story_id, _ in self.saved)
        return all(self.saved.get((story.id, file.position)) == file.body for file in story.files)


MOST_TRIES = 3
"""As often as a line is tried at most. The queue tries one again that was refused, and each try of
our own requests takes up to two identities."""
_OF_IDENTITY = frozenset({"challenged", "refused", "login_required"})


async def tries_of(client: StoryClient, scene: Scene, *, most: int = MOST_TRIES) -> list[Result]:
    """What comes of a scene's line, try by try, as long as another identity may be served."""
    results = [await result_of(client, scene)]
    while results[-1].outcome in _OF_IDENTITY and len(results) < most:
        results.append(await result_of(client, scene))
    return results


async def result_of(client: StoryClient, scene: Scene) -> Result:
    """What comes of a scene's line, all of it in memory."""
    folder, result, began = Folder(), Result(), time.monotonic()
    events = harvest(
        client,
        parse_line(scene.line),
        options=HarvestOptions(posts=scene.posts, posters=False),
        workspace=folder,
    )
    try:
        async with asyncio.timeout(LONGEST_S):
            async for event in events:
                match event:
                    case FileReady(role="media"):
                        result.saved[event.story_id, event.position] = folder.content(event)
                        result.labels |= set(event.labels)
                    case Listed():
                        result.left_out = {str(key): n for key, n in event.left_out.items()}
                    case StoryFinished():
                        wrong = event.error or event.lacks
                        if wrong is not None:
                            result.unfinished[event.story_id] = wrong.code
                    case Warned():
                        result.labels.add("warned")
    except StoriesError as error:
        result.error = error
    finally:
        await events.aclose()
    result.seconds = time.monotonic() - began
    return result


# --- the verdict ----------------------------------------------------------------------------------

KEPT_OUT = frozenset(
    {
        *("challenged", "refused", "rate_limited", "login_required"),
        *("upstream_changed", "unknown_answer", "upstream_down", "timed_out"),
        *("media_unavailable", "sound_missing", "list_held_back", "list_gated"),
    }
)
"""Codes that say that we were kept out, or what is wrong: true whenever something stood in the way.

What says of an account or a story that it is private, expired, or not there is not among them, nor
is `unavailable`, whose words are TikTok's own "this does not exist".
"""
TOLD = frozenset(
    {"held_back", "broken_off", "unreadable", "no_media", "not_ready", "too_long", "foreign"}
)
"""Reasons that a list's missing stories are told with."""


def verdict(result: Result, scene: Scene, true: Collection[str] = ()) -> str:
    """ "served", "named", or "WRONG" with what is wrong.

    true: further codes that would be the truth of this change.
    """
    lost = [story for story in scene.stories if not result.has(story, joined=scene.joined)]
    if not lost and not result.codes:
        return "served" if scene.stories or result.outcome == "empty" else f"WRONG {result.codes}"
    untrue = [code for code in result.codes if code not in {*KEPT_OUT, *TOLD, *true}]
    if untrue:
        return f"WRONG {untrue[0]}"
    if not result.codes:
        return "WRONG: no stories" if not result.saved else "WRONG: a story is lost"
    if result.error is None:
        unnamed = [story for story in lost if story.id not in result.unfinished]
        if len(unnamed) > sum(result.left_out.values()):
            return "WRONG: a story is lost"
    return "named" if lost else "served"
