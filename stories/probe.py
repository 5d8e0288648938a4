"""A probe of TikTok: profile, list and the first bytes of a file, to see which step fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

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
from stories.structures import Author, Target

T = TypeVar("T")

STEP_TIMEOUT_S: Final = 30.0
"""Seconds one step may take, waiting for the rate limit included."""
SAMPLE_BYTES: Final = 1024


class Step(StrEnum):
    """The steps of a probe, in order; each needs what the one before it brought."""

    PROFILE = "profile"
    LIST = "list"
    MEDIA = "media"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The outcome of one step. error: None when it worked.

    took_s: seconds. skipped: True when the account shows no story to try it on. stories: number of
    stories in the list. sample_bytes: size of the sample of a file; file_format: what its first
    bytes say it is ("an MP4 file"); mirror: which of its addresses served it, 1-based.
    """

    step: Step
    took_s: float
    error: StoriesError | None = None
    skipped: bool = False
    stories: int = 0
    sample_bytes: int = 0
    file_format: str = ""
    mirror: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """The steps as far as they went; the first that fails is the last.

    clock_ahead_s: seconds our clock is ahead of TikTok's; None when no answer carried a date.
    """

    steps: tuple[StepResult, ...]
    clock_ahead_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    size_bytes: int
    file_format: str
    mirror: int


async def probe(client: StoryClient, target: Target) -> ProbeReport:
    """Run each step once on the account `target` names. Never raises a StoriesError."""
    session = client.session()
    steps: list[StepResult] = []

    def report() -> ProbeReport:
        return ProbeReport(steps=tuple(steps), clock_ahead_s=client.clock.ahead_s)

    async def get_author() -> Author:
        return await client.get_author(target, session)

    author, took_s, error = await _run_step(get_author)
    steps.append(StepResult(step=Step.PROFILE, took_s=took_s, error=error))
    if author is None:
        return report()

    async def get_list() -> StoryList:
        story_list = await client.get_story_list(author, session)
        story_list.raise_for_error()
        return story_list

    story_list, took_s, error = await _run_step(get_list)
    count = len(story_list.stories) if story_list else 0
    steps.append(StepResult(step=Step.LIST, took_s=took_s, error=error, stories=count))
    if story_list is None:
        return report()
    urls, unknown_hosts = _sample_urls(story_list)
    if not story_list.stories:
        steps.append(StepResult(step=Step.MEDIA, took_s=0, skipped=True))
        return report()

    async def get_sample() -> _Sample:
        if not urls and unknown_hosts:
            raise UnknownMediaHost(hosts=unknown_hosts)
        return await _get_sample(urls, story_list.session)

    sample, took_s, error = await _run_step(get_sample)
    steps.append(
        StepResult(
            step=Step.MEDIA,
            took_s=took_s,
            error=error,
            sample_bytes=sample.size_bytes if sample else 0,
            file_format=sample.file_format if sample else "",
            mirror=sample.mirror if sample else 0,
        )
    )
    return report()


async def _run_step(
    step: Callable[[], Awaitable[T]],
) -> tuple[T | None, float, StoriesError | None]:
    """Result, seconds taken and error of one step, within STEP_TIMEOUT_S."""
    started_at = time.monotonic()
    result: T | None = None
    failure: StoriesError | None = None
    try:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            result = await step()
    except TimeoutError:
        failure = TimedOut(f"no answer within {STEP_TIMEOUT_S:.0f} s")
    except StoriesError as error:
        failure = error
    return result, time.monotonic() - started_at, failure


def _sample_urls(story_list: StoryList) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(Addresses of the first file of the newest story, in the order a worker tries them; hosts).

    hosts: unknown ones, of files without an address we may use.
    """
    hosts: dict[str, None] = {}
    for story in reversed(story_list.stories):
        for media in story.media:
            hosts |= dict.fromkeys(media.unknown_hosts)
            for rendition in renditions.rank(media):
                return rendition.variant.urls, ()
    return (), tuple(hosts)


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
