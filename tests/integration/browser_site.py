"""A fake TikTok some of whose pages are written by the test, and a browser that reaches it."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from stories.browser.browser import Browser
from stories.browser.chromium import find_chromium
from stories.browser.visit import BrowserVisit
from stories.client import StoryClient
from stories.config import ClientConfig
from stories.http.guard import Guard
from stories.http.session import Session
from stories.links import parse_url
from stories.story_list import StoryList
from tests.browser_state import is_running
from tests.fake_tiktok import FakeTikTok, routing
from tests.fake_tiktok.exchange import Request, Response
from tests.fake_tiktok.proxy import FakeProxy

Answer = Response | Callable[[Request], Response | None]

IS_MISSING = find_chromium() is None and not os.environ.get("REQUIRE_BROWSER")
"""Whether tests with a browser are left out, as there is none; not where one has to be there."""


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
    those. seen_paths: host and path of every request."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(page_bytes=20_000, **settings)
        self.answers: dict[str, Answer] = {}
        self.seen_paths: list[str] = []
        self.headers: list[Request] = []

    def start_anew(self) -> None:
        """Forget what was declared and asked, accounts aside."""
        self.answers.clear()
        self.seen_paths.clear()
        self.headers.clear()
        self.forget_requests()
        self.faults.clear()
        self.most_per_page = 50

    def usual(self, request: Request) -> str:
        """The page that this would be."""
        plain = replace(request, headers={"user-agent": request.user_agent})
        return self._answers.answer(plain, routing.where_of(self, plain)).body.decode()

    def with_script(self, script: str) -> Callable[[Request], Response]:
        """The usual page, with a script of its own."""

        def answer(request: Request) -> Response:
            end = f"<script>{script}</script></body>"
            return page(self.usual(request).replace("</body>", end))

        return answer

    def handle(self, method: str, host: str, path: str, headers: Mapping[str, str]) -> Response:
        self.seen_paths.append(f"{host}{path}")
        request = Request(method, host, path, {key.lower(): val for key, val in headers.items()})
        self.headers.append(request)
        answer = self.answers.get(request.bare_path)
        if callable(answer):
            answer = answer(request)
        return answer or super().handle(method, host, path, headers)


async def no_address(host: str, port: int) -> tuple[str, ...]:
    """With a proxy nobody resolves anything."""
    raise AssertionError(host)


@asynccontextmanager
async def browser_to(
    proxy: FakeProxy, address: str = "local", **options: Any
) -> AsyncIterator[Browser]:
    """A browser whose way out is a guard, and behind it the fake."""
    config = ClientConfig(proxy=proxy.url, ca_bundle=proxy.ca_path)
    guard = Guard(config, no_address)
    browser = Browser(address, guard=guard, config=config, **{"per_hour": 0, **options})
    try:
        yield browser
    finally:
        await browser.aclose()
        await guard.aclose()
    assert not is_running(browser)


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
