"""What a client makes of answers, in a form in which a sample and its original can be compared."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any

import httpx

from stories.client import StoryClient
from stories.config import ClientConfig
from stories.errors import StoriesError
from stories.http.transports import Transport
from stories.neutral import Recorder
from stories.structures import Author, MediaVariant, Story, Target, TargetKind
from tests.mock_transport import MockTransport
from tests.neutral_samples import moment, transport

OUTCOME = tuple[Any, ...]


def shape(story: Story) -> OUTCOME:
    """A story without its words, ids and times."""
    media = tuple(
        (
            item.kind,
            item.position,
            item.muted,
            item.duration_s,
            item.unknown_hosts,
            tuple(map(_rendition, item.variants)),
        )
        for item in story.media
    )
    life = None if story.leaves_at is None else story.leaves_at - story.posted_at
    return (story.kind, story.is_story, bool(story.caption), bool(story.song), life, media)


def _rendition(variant: MediaVariant) -> OUTCOME:
    facts = (variant.codec, variant.width, variant.height, variant.bitrate, variant.size_bytes)
    kind = (variant.watermarked, variant.silent, variant.sound is not None)
    hosts = tuple(url.split("/")[2] for url in variant.urls)
    return (*facts, *kind, variant.expires_at is None, hosts)


async def ended(what: Callable[[], Awaitable[Any]]) -> tuple[Any, OUTCOME]:
    """(Result, "") or (None, the error's class and code)."""
    try:
        return await what(), ()
    except StoriesError as error:
        return None, (type(error).__name__, error.code, error.retry_after_s is None)


async def look(client: StoryClient, name: str, now: datetime | None = None) -> list[OUTCOME]:
    """Profile and list of an account, as the probe asks for them."""
    session = client.session()
    target = Target(kind=TargetKind.USER, name=name)
    author: Author | None
    author, error = await ended(lambda: client.get_author(target, session))
    outcomes: list[OUTCOME] = [error]
    if author is None:
        return outcomes
    outcomes.append((bool(author.id), bool(author.nickname), len(author.avatar_urls)))
    known = author
    listed, error = await ended(lambda: client.get_story_list(known, session, now=now))
    outcomes.append(error)
    if listed is not None:
        outcomes.append(tuple(map(shape, listed.stories)))
        counts = tuple(sorted(listed.left_out_counts.items()))
        outcomes.append((tuple(sorted(listed.dropped.items())), listed.missing, counts))
        outcomes.append((type(listed.error).__name__, type(listed.refusal).__name__))
    return outcomes


async def recorded(
    site: Transport, name: str, now: datetime | None = None
) -> tuple[list[OUTCOME], dict[str, Any]]:
    """(What came of looking at an account, the sample of the answers)."""
    recorder = Recorder()
    media = MockTransport(lambda _: httpx.Response(404))
    client = StoryClient(
        ClientConfig(), page_transport=site, media_transport=media, recorder=recorder
    )
    async with client:
        outcomes = await look(client, name, now)
    return outcomes, recorder.sample(made_by="Storykeep test", name=name)


async def replayed(sample: dict[str, Any]) -> list[OUTCOME]:
    """What comes of looking at a sample."""
    given = transport(sample)
    client = StoryClient(ClientConfig(), page_transport=given, media_transport=given)
    async with client:
        return await look(client, sample["account"], moment(sample))


def texts(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a JSON document, with its key; keys of objects as texts, too."""
    if isinstance(node, dict):
        for inner_key, inner in node.items():
            yield "", inner_key
            yield from texts(inner, inner_key)
    elif isinstance(node, list):
        for inner in node:
            yield from texts(inner, key)
    elif isinstance(node, str):
        yield key, node
