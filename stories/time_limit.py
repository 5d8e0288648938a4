"""The time one line may take: a limit of standing still, not of going on slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

from stories.events import Transferring
from stories.structures import Story

LOOK_EVERY_S: Final = 30.0
"""Seconds over which the rate of a transfer is measured."""
LONGEST: Final = timedelta(hours=24)
"""The life of a story, and the time for a file of a post, which has none."""


@dataclass(slots=True)
class _Mark:
    """How much of a file was here at a time of the loop's clock."""

    at: float
    bytes_done: int


class TimeLimit:
    """A limit in seconds as an async context manager, which raises TimeoutError.

    It is put off while a file comes at a rate that brings it whole within the time it has left.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._timeout = asyncio.timeout(limit_s)
        self._marks: dict[tuple[str, int], _Mark] = {}
        self._lives: dict[str, datetime] = {}

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._timeout.__aexit__(kind, error, trace)

    def set_lives(self, stories: Iterable[Story]) -> None:
        """Tell which stories the files are of: none is waited for beyond its story's life."""
        self._lives = {story.id: story.leaves_at for story in stories if story.leaves_at}

    def note(self, event: Transferring, now: datetime) -> None:
        """Note how much of a file is here. now: at TikTok, aware.

        A file of unknown size puts nothing off.
        """
        at, done, total = self._clock(), event.bytes_done, event.bytes_total
        file = (event.story_id, event.position)
        mark = self._marks.setdefault(file, _Mark(at, done))
        if done < mark.bytes_done:  # started over
            self._marks[file] = _Mark(at, done)
            return
        elapsed_s = at - mark.at
        if elapsed_s < min(LOOK_EVERY_S, self._limit_s / 4):
            return
        self._marks[file] = _Mark(at, done)
        gained = done - mark.bytes_done
        if total is None or not gained or at - self._began > LONGEST.total_seconds():
            return
        ends_at = self._lives.get(event.story_id, now + LONGEST)
        rest_s = (total - done) * elapsed_s / gained
        if rest_s <= (ends_at - now).total_seconds() and not self._timeout.expired():
            self._timeout.reschedule(at + self._limit_s)
