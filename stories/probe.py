"""A probe of TikTok: profile, list and the first bytes of a file, to see which step fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from stories import renditions
from stories.client import StoryClient
from stories.errors import (
    MediaError,
    MediaUnavailable,
    StoriesError,
    TimedOut,
    UnknownMediaHost,
    UpstreamError,
)
from stories.http.media_head import MediaHead
from stories.http.media_transport import WriteBody
from stories.http.session import Session
from stories.media.decoders import sniff_format
from stories.story_list import StoryList
from stories.structures import Author, Story, Target
from stories.ways import LookupResult, Question, Visit, Way, WayFailed

T = TypeVar("T")

STEP_TIMEOUT_S: Final = 30.0
"""Seconds one step may take, waiting for the rate limit included."""
LISTING_TIMEOUT_S: Final = 75.0
"""Seconds for the list of a way that looks up the account as well, as a program of its own does."""
SAMPLE_BYTES: Final = 1024
MAX_HOSTS: Final = 20


class Step(StrEnum):
    """The steps of a probe, in order; each needs what the one before it brought."""

    PROFILE = "profile"
    LIST = "list"
    MEDIA = "media"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The outcome of one step. error: None when it worked. broke: why the way itself broke, in a
    few words; "" when it did not.

    took_s: seconds. skipped: True when the account shows no story to try it on. stories: number of
    stories in the list. unknown_hosts: of files in it, names of hosts that are on no list of ours,
    a few at most. sample_bytes: size of the sample of a file; file_format: what its first bytes say
    it is ("an MP4 file"); mirror: which of its addresses served it, 1-based.
    """

    step: Step
    took_s: float
    error: StoriesError | None = None
    broke: str = ""
    skipped: bool = False
    stories: int = 0
    unknown_hosts: tuple[str, ...] = ()
    sample_bytes: int = 0
    file_format: str = ""
    mirror: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """The steps as far as they went; the first that fails is the last.

    not_ready: why the way cannot be asked, so that there are no steps; "" when it can.
    clock_ahead_s: seconds our clock is ahead of TikTok's; None when no answer carried a date.
    """

    steps: tuple[StepResult, ...] = ()
    not_ready: str = ""
    clock_ahead_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    size_bytes: int
    file_format: str
    mirror: int


async def probe(client: StoryClient, target: Target, way: Way | None = None) -> ProbeReport:
    """Run each step once on the account `target` names. Never raises a StoriesError.

    way: asked whether or not it is switched off or rests; None for the client's own requests. One
    that asks in its own manner, without a session of ours, tells the list at once: its first step
    is LIST.
    """
    probing = _Probing(client, target)
    if way is None:
        await probing.by_session(client.session())
        return probing.report()
    readiness = await way.ready()
    if not readiness.ok:
        return ProbeReport(not_ready=readiness.reason or "not ready")
    began = time.monotonic()
    try:
        async with way.visit() as visit:
            session = getattr(visit, "session", None)
            if isinstance(session, Session):
                await probing.by_session(session)
            else:
                await probing.by_list(visit)
    except WayFailed as error:
        probing.way_failed(error, time.monotonic() - began)
    return probing.report()


class _Probing:
    """The steps of one probe, as they are made."""

    def __init__(self, client: StoryClient, target: Target) -> None:
        self._client, self._target = client, target
        self._steps: list[StepResult] = []

    def report(self) -> ProbeReport:
        """The steps so far."""
        return ProbeReport(steps=tuple(self._steps), clock_ahead_s=self._client.clock.ahead_s)

    def way_failed(self, error: WayFailed, took_s: float) -> None:
        """The way broke outside of a step, before the first or with the last."""
        if not self._steps:
            self._steps.append(StepResult(step=Step.PROFILE, took_s=took_s, broke=str(error)))

    async def by_session(self, session: Session) -> None:
        """Profile, list and media over a session of ours."""

        async def get_author() -> Author:
            return await self._client.get_author(self._target, session)

        author = await self._run(Step.PROFILE, get_author)
        if author is None:
            return

        async def get_list() -> StoryList:
            story_list = await self._client.get_story_list(author, session)
            story_list.raise_for_error()
            return story_list

        story_list = await self._run(
            Step.LIST, get_list, lambda found: _facts_of_list(found.stories)
        )
        if story_list is not None:
            await self._media(story_list.stories, story_list.session)

    async def by_list(self, visit: Visit) -> None:
        """List and media by a way that brings the list in one go."""
        question = Question(
            posts=False, now=datetime.now(UTC), fresh=True, on_author=lambda _author: None
        )

        async def get_listing() -> LookupResult:
            result = await visit.listing(self._target, question)
            if result.error is not None and not result.stories:
                raise result.error
            return result

        result = await self._run(
            Step.LIST,
            get_listing,
            lambda found: _facts_of_list(found.stories),
            timeout_s=LISTING_TIMEOUT_S,
        )
        if result is not None:
            await self._media(result.stories, result.session)

    async def _media(self, stories: Sequence[Story], session: Session) -> None:
        if not stories:
            self._steps.append(StepResult(step=Step.MEDIA, took_s=0, skipped=True))
            return
        urls, unknown_hosts = _sample_urls(stories), _unknown_hosts(stories)

        async def get_sample() -> _Sample:
            if not urls and unknown_hosts:
                raise UnknownMediaHost(hosts=unknown_hosts)
            return await _get_sample(urls, session)

        await self._run(
            Step.MEDIA,
            get_sample,
            lambda sample: {
                "sample_bytes": sample.size_bytes,
                "file_format": sample.file_format,
                "mirror": sample.mirror,
            },
        )

    async def _run(
        self,
        step: Step,
        work: Callable[[], Awaitable[T]],
        facts: Callable[[T], dict[str, Any]] = lambda _: {},
        *,
        timeout_s: float | None = None,
    ) -> T | None:
        """The result of one step, None when it failed; notes its outcome.

        timeout_s: seconds it may take, None for STEP_TIMEOUT_S.

        facts: fields of its StepResult when it worked.
        """
        began, limit_s = time.monotonic(), timeout_s or STEP_TIMEOUT_S
        result: T | None = None
        failure: StoriesError | None = None
        broke = ""
        try:
            async with asyncio.timeout(limit_s):
                result = await work()
        except TimeoutError:
            failure = TimedOut(f"no answer within {limit_s:.0f} s")
        except WayFailed as error:
            broke = str(error) or type(error).__name__
        except StoriesError as error:
            failure = error
        told = {} if result is None else facts(result)
        took_s = time.monotonic() - began
        self._steps.append(StepResult(step=step, took_s=took_s, error=failure, broke=broke, **told))
        return result


def _facts_of_list(stories: Sequence[Story]) -> dict[str, Any]:
    return {"stories": len(stories), "unknown_hosts": _unknown_hosts(stories)}


def _unknown_hosts(stories: Sequence[Story]) -> tuple[str, ...]:
    """Names of the unknown hosts of all files of the stories, each once."""
    files = (media for story in stories for media in (*story.media, story.song) if media)
    return tuple(dict.fromkeys(host for media in files for host in media.unknown_hosts))[:MAX_HOSTS]


def _sample_urls(stories: Sequence[Story]) -> tuple[str, ...]:
    """Addresses of the first file of the newest story, in the order a worker tries them."""
    for story in reversed(stories):
        for media in story.media:
            for rendition in renditions.rank(media):
                return rendition.variant.urls
    return ()


async def _get_sample(urls: tuple[str, ...], session: Session) -> _Sample:
    """The first bytes of a file, from the first of its addresses that serves them."""
    failure: StoriesError = MediaUnavailable("the list names no address for it")
    for mirror, url in enumerate(urls, start=1):
        try:
            host, sample = await _first_bytes(url, session)
        except (MediaError, UpstreamError) as error:
            failure = error
            continue
        file_format = sniff_format(sample)
        if file_format.family in {"picture", "mp4"}:
            return _Sample(
                size_bytes=len(sample), file_format=file_format.description, mirror=mirror
            )
        failure = MediaUnavailable(f"{host}: {file_format.description} where a file should be")
    raise failure


class _Enough(Exception):
    """The sample is complete: nothing more of the file is wanted."""


async def _first_bytes(url: str, session: Session) -> tuple[str, bytes]:
    """(Host that served them, at most SAMPLE_BYTES first bytes of a file)."""
    sample, host = bytearray(), ""

    def write(chunk: bytes) -> None:
        sample.extend(chunk[: SAMPLE_BYTES - len(sample)])
        if len(sample) >= SAMPLE_BYTES:
            raise _Enough

    def receive(head: MediaHead) -> WriteBody:
        nonlocal host
        host = head.host
        return write

    with suppress(_Enough):
        await session.fetch_media(url, receive, end=SAMPLE_BYTES)
    return host, bytes(sample)
