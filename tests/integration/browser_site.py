"""A fake TikTok some of whose pages are written by the test, and a browser that reaches it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from stories.browser.browser import Browser
from stories.browser.visit import BrowserVisit
from stories.client import StoryClient
from stories.config import ClientConfig
from stories.http.session import Session
from stories.links import parse_url
from stories.story_list import StoryList
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.exchange import Request, Response
from tests.fake_tiktok.proxy import FakeProxy

Answer = Response | Callable[[Request], Response | None]


def page(text: str, status: int = 200, *headers: tuple[str, str]) -> Response:
    """An HTML page."""
    kind = ("Content-Type", "text/html; charset=utf-8")
    return Response(status, [kind, *headers], [memoryview(text.encode())])


def data(value: Any, *headers: tuple[str, str]) -> Response:
    """JSON."""
    kind = ("Content-Type", "application/json")
    return Response(200, [kind, *headers], [memoryview(json.dumps(value).encode())])


class ScriptedTikTok(FakeTikTok):
    """answers: path → answer, before the usual ones; a function that returns None leaves it to
    those. asked: each request that such a function saw."""

    answers: dict[str, Answer]

    def __init__(self, **settings: Any) -> None:
        super().__init__(page_bytes=20_000, **settings)
        self.answers = {}
        self.seen_paths: list[str] = []

    def handle(self, method: str, host: str, path: str, headers: Mapping[str, str]) -> Response:
        self.seen_paths.append(f"{host}{path}")
        request = Request(method, host, path, {key.lower(): val for key, val in headers.items()})
        answer = self.answers.get(request.bare_path)
        if callable(answer):
            answer = answer(request)
        return answer or super().handle(method, host, path, headers)


@dataclass
class Way:
    """What goes through: a proxy, in the guard's place."""

    url: str

    async def start(self) -> None:
        """It listens."""


def browser_to(proxy: FakeProxy, **options: Any) -> Browser:
    """A browser whose way out is the fake."""
    config = ClientConfig(proxy=proxy.url, ca_bundle=proxy.ca_path)
    return Browser("local", **{"guard": Way(proxy.url), "config": config, **options})


@dataclass
class Use:
    """A visit, with a client and a session over it."""

    visit: BrowserVisit
    client: StoryClient
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        self.session = self.client.session()
        self.session._identity = self.visit.identity

    async def get(self, path: str, **options: Any) -> str:
        """The body of a page."""
        answer = await self.session.get_page(f"https://www.tiktok.com{path}", **options)
        return answer.body.decode()

    async def stories(self, name: str) -> StoryList:
        """The list of an account, by its page."""
        target = parse_url(f"https://www.tiktok.com/@{name}")
        author = await self.client.get_author(target, self.session)
        return await self.client.get_story_list(author, self.session)


@asynccontextmanager
async def use(browser: Browser) -> AsyncIterator[Use]:
    """One look-up's use of a browser."""
    config = browser._config
    async with browser.visit() as visit, StoryClient(config, page_transport=visit) as client:
        yield Use(visit, client)
