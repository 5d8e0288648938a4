"""Ways of asking with given outcomes, and a memory of ways that writes down what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from stories.client import StoryClient
from stories.errors import StoriesError
from stories.lookup import look_up
from stories.structures import Author, Story, Target
from stories.targets import parse_line
from stories.ways import LookupResult, Question, Readiness, WayFailed

ALICE = Author(id="7", name="alice")
Outcome = StoriesError | WayFailed | LookupResult


class Memory:
    """A WayMemory that writes down what it is told."""

    def __init__(self, off: tuple[str, ...] = (), resting: tuple[str, ...] = ()) -> None:
        self.off, self.rest = frozenset(off), frozenset(resting)
        self.told: list[tuple[str, ...]] = []

    async def switched_off(self) -> frozenset[str]:
        return self.off

    async def resting(self) -> frozenset[str]:
        return self.rest

    async def served(self, name: str) -> None:
        self.told.append(("served", name))

    async def refused(self, name: str, code: str, *, rests: bool) -> None:
        self.told.append(("refused", name, code, "rests" if rests else ""))

    async def failed(self, name: str, reason: str) -> None:
        self.told.append(("failed", name, reason))

    async def not_ready(self, name: str, reason: str) -> None:
        self.told.append(("not ready", name, reason))


class Scripted:
    """A way with given outcomes, one for each look-up; the last one for all that follow."""

    cost = 0

    def __init__(
        self,
        name: str,
        *outcomes: Outcome,
        expanded: Outcome | None = None,
        decisive: bool = False,
        ready: bool = True,
        wait_s: float | None = 9,
    ) -> None:
        self.name, self.decisive = name, decisive
        self._outcomes, self._expanded = list(outcomes), expanded
        self._readiness = Readiness(
            ok=ready, reason="" if ready else "not installed", wait_s=wait_s
        )
        self.asked: list[tuple[Target, Question]] = []

    async def ready(self) -> Readiness:
        return self._readiness

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[Scripted]:
        yield self

    async def expand(self, target: Target) -> Target:
        if self._expanded is not None:
            raise self._expanded  # type: ignore[misc]  # an error in every test that gives one
        return parse_line("alice")

    async def listing(self, target: Target, question: Question) -> LookupResult:
        self.asked.append((target, question))
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        question.on_author(outcome.author)
        return outcome

    async def item(
        self, target: Target, question: Question, *, author_is_certain: bool
    ) -> LookupResult:
        return await self.listing(target, question)


async def find(client: StoryClient, *ways: Scripted, line: str = "alice") -> LookupResult:
    found = await look_up(client, parse_line(line), ways=ways)
    if found.error is not None:
        raise found.error
    return found


def story(number: int) -> Story:
    """A story that is told by its number: nothing looks inside."""
    return cast("Story", number)
