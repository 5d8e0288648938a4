"""One look at TikTok: profile, list and the first bytes of a file, to see which step fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from stories import renditions
from stories.client import Listing, StoryClient
from stories.errors import MediaError, MediaUnavailable, StoriesError, TimedOut, UpstreamError
from stories.http.session import Session
from stories.media.decoders import form_of
from stories.structures import Author, Target

T = TypeVar("T")

STEP_S: Final = 30.0
"""How long one step may take, waiting for the gate included."""
TASTE_BYTES: Final = 1024


class Step(StrEnum):
    """What is tried, in this order; a step needs what the one before it found."""

    PROFILE = "profile"
    LIST = "list"
    MEDIA = "media"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How one step went. error: None when it worked.

    stories: how many the list shows. taste_bytes, form, mirror: what came of a file, what its
    first bytes say it is ("an MP4 file"), and which of its addresses gave it (1-based).
    skipped: there was nothing to try it on.
    """

    step: Step
    took_s: float
    error: StoriesError | None = None
    skipped: bool = False
    stories: int = 0
    taste_bytes: int = 0
    form: str = ""
    mirror: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """The steps as far as they went; the first that fails is the last.

    clock_ahead_s: our clock against TikTok's, None when no answer told the time.
    """

    steps: tuple[Tried, ...]
    clock_ahead_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Taste:
    size_bytes: int
    form: str
    mirror: int


async def glimpse(client: StoryClient, target: Target) -> Glimpse:
    """Try each step once on the account `target` names. Never raises a StoriesError."""
    session = client.session()
    steps: list[Tried] = []

    def seen() -> Glimpse:
        return Glimpse(steps=tuple(steps), clock_ahead_s=session.clock_ahead_s)

    async def profile() -> Author:
        return await client.author(target, session)

    author, took_s, error = await _timed(profile)
    steps.append(Tried(step=Step.PROFILE, took_s=took_s, error=error))
    if author is None:
        return seen()

    async def listed() -> Listing:
        return await client.stories(author, session)

    listing, took_s, error = await _timed(listed)
    count = len(listing.stories) if listing else 0
    steps.append(Tried(step=Step.LIST, took_s=took_s, error=error, stories=count))
    if listing is None:
        return seen()
    urls = _addresses(listing)
    if not listing.stories:
        steps.append(Tried(step=Step.MEDIA, took_s=0, skipped=True))
        return seen()

    async def tasted() -> _Taste:
        return await _taste(urls, listing.session)

    taste, took_s, error = await _timed(tasted)
    got = taste or _Taste(0, "", 0)
    steps.append(
        Tried(
            step=Step.MEDIA,
            took_s=took_s,
            error=error,
            taste_bytes=got.size_bytes,
            form=got.form,
            mirror=got.mirror,
        )
    )
    return seen()


async def _timed(
    work: Callable[[], Awaitable[T]],
) -> tuple[T | None, float, StoriesError | None]:
    began = time.monotonic()
    found: T | None = None
    failure: StoriesError | None = None
    try:
        async with asyncio.timeout(STEP_S):
            found = await work()
    except TimeoutError:
        failure = TimedOut(f"no answer within {STEP_S:.0f} s")
    except StoriesError as error:
        failure = error
    return found, time.monotonic() - began, failure


def _addresses(listing: Listing) -> tuple[str, ...]:
    """Where the first file of the newest story lies, as the worker would go through them."""
    for story in reversed(listing.stories):
        for media in story.media:
            for choice in renditions.rank(media):
                return choice.variant.urls
    return ()


async def _taste(urls: tuple[str, ...], session: Session) -> _Taste:
    """The first bytes of a file, from the first of its addresses that gives any."""
    failure: StoriesError = MediaUnavailable("the list names no address for it")
    for mirror, url in enumerate(urls, start=1):
        head = bytearray()
        try:
            async with session.stream_media(url, end=TASTE_BYTES) as answer:
                async for chunk in answer.chunks:
                    head += chunk[: TASTE_BYTES - len(head)]
                    if len(head) >= TASTE_BYTES:
                        break
        except (MediaError, UpstreamError) as error:
            failure = error
            continue
        form = form_of(bytes(head))
        if form.family in {"picture", "mp4"}:
            return _Taste(len(head), form.name, mirror)
        failure = MediaUnavailable(f"{answer.host}: {form.name} where a file should be")
    raise failure
