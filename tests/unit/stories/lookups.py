"""Look-ups by pasted line, and a fake TikTok whose story lists are changed on the way."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from stories.client import StoryClient
from stories.errors import StoriesError
from stories.lookup import look_up
from stories.story_list import StoryList
from stories.structures import Author
from stories.targets import parse_line
from stories.ways import LookupResult
from tests.fake_tiktok import FakeTikTok
from tests.mock_transport import MockTransport


class Names:
    """An identity cache in memory. forgotten: names that were dropped."""

    def __init__(self) -> None:
        self.known: dict[str, Author] = {}
        self.forgotten: list[str] = []

    async def get(self, name: str) -> Author | None:
        return self.known.get(name)

    async def put(self, author: Author) -> None:
        self.known[author.name.lower()] = author

    async def forget(self, name: str) -> None:
        self.forgotten.append(name)
        self.known.pop(name, None)


async def find(client: StoryClient, line: str, **options: Any) -> LookupResult:
    """The look-up of a line. Raises its error also where a list was read and handed on nothing."""
    found = await look_up(client, parse_line(line), **options)
    if found.error is not None:
        raise found.error
    return found


async def failure(client: StoryClient, line: str, **options: Any) -> type[StoriesError]:
    with pytest.raises(StoriesError) as caught:
        await find(client, line, **options)
    return type(caught.value)


def ids(found: LookupResult | StoryList) -> list[str]:
    return [story.id for story in found.stories]


Said = dict[str, Any]
Answer = Said | bytes | httpx.Response | httpx.TransportError


def scripted(tiktok: FakeTikTok, *answers: Answer) -> MockTransport:
    """The fake with its story lists changed, one after the other; the last one for all that follow.

    answers: what to put over the fake's own answer (None takes a key away), all of a body or of an
    answer, or the error of the connection.
    """
    usual = tiktok.transport()
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        response: httpx.Response = usual.handler(request)  # type: ignore[assignment]
        if "/api/story/" not in request.url.path:
            return response
        change = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(change, httpx.TransportError):
            raise change
        if isinstance(change, httpx.Response):
            return httpx.Response(change.status_code, headers=change.headers)
        if isinstance(change, bytes):
            return httpx.Response(200, content=change)
        said = {**json.loads(response.read()), **change}
        return httpx.Response(200, json={k: v for k, v in said.items() if v is not None})

    return MockTransport(answer)


@asynccontextmanager
async def reading(
    tiktok: FakeTikTok, *answers: Answer, names: Names | None = None
) -> AsyncIterator[StoryClient]:
    """A client that is told what `scripted` says."""
    transport = scripted(tiktok, *answers)
    made = StoryClient(identities=names, page_transport=transport, media_transport=transport)
    async with made:
        yield made
