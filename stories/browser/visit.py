"""One look-up's use of a browser: an httpx transport whose requests are made by a page.

Today's client runs over it unchanged. A page is navigated to, and its answer is the body of the
last document, not what scripts made of it; data is asked for from within a page, whose own scripts
may sign the request.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urldefrag, urlsplit

import httpx

from stories import challenge
from stories.browser.agent import Agent
from stories.browser.answers import redirect_to, response_of
from stories.browser.cdp import BrowserGone, CommandFailed, Connection, Json
from stories.browser.page import BrowserPage
from stories.browser.traffic import ABORTED, Exchange
from stories.http.headers import Purpose
from stories.http.transports import IdentifiedTransport
from stories.identity import Identity, identity_ladder
from stories.ways import WayFailed

CHALLENGE_S: Final = 15.0
"""Seconds of one visit that challenge pages have to let the browser through."""
LOAD_S: Final = 3.0
"""Seconds that a page's scripts have to be there once its document is."""
SIGN_S: Final = 8.0
"""The same before data is asked for from within it: without its scripts nothing is signed."""
SETTLE_S: Final = 0.5
"""Seconds that a page has to lead elsewhere, or to ask for its list, once it is loaded."""
SEND_S: Final = 5.0
"""Seconds until a request asked for from within a page has to be on its way."""

_SMALL: Final = challenge.MAX_CHALLENGE_BYTES


class BrowserVisit(IdentifiedTransport):
    """A transport over one page. identity: for the media that it finds.

    trouble: why the visit has ended before its time, "" while it has not. timer: what will end it
    before its time. Raises httpx.HTTPError as
    any transport, and WayFailed when the browser itself fails.
    """

    def __init__(
        self, connection: Connection, agent: Agent, *, allowed: Callable[[str], bool], max_body: int
    ) -> None:
        self.identity = browser_identity(agent.user_agent)
        self.trouble = ""
        self.timer: asyncio.TimerHandle | None = None
        self._connection = connection
        self._page = BrowserPage(connection, agent, allowed=allowed, max_body=max_body)
        self._lock = asyncio.Lock()
        self._kept: tuple[str, Exchange] | None = None
        self._patience_s = CHALLENGE_S

    async def open(self, proxy: str) -> None:
        """Open the page. Raises WayFailed."""
        try:
            await self._page.open(proxy)
        except (BrowserGone, CommandFailed) as error:
            raise self._failed(error) from error

    async def close(self) -> bool:
        """Close the page and forget its cookies; False when the browser did not. Raises nothing."""
        return await self._page.close()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to one request, its cookies those of the browser."""
        if self.trouble:
            raise WayFailed(self.trouble)
        try:
            async with self._lock:
                if _wants_data(request):
                    return await self._data(request)
                return await self._navigation(request)
        except (BrowserGone, CommandFailed) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> WayFailed:
        return WayFailed(self.trouble or str(error)[:200])

    async def _cookies(self) -> list[Json]:
        result = await self._connection.send(
            "Storage.getCookies", {"browserContextId": self._page.context}
        )
        cookies = result.get("cookies")
        return [cookie for cookie in cookies if isinstance(cookie, dict)] if cookies else []

    # --- pages --------------------------------------------------------------------------------

    async def _navigation(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        kept, self._kept = self._kept, None
        if kept is not None and kept[0] == url:
            return response_of(kept[1], request, await self._cookies())
        document = await self._load(url, request.headers.get("referer"))
        cookies = await self._cookies()
        if document.refused or (self._has_moved(document) and not document.error):
            location = urldefrag(document.url).url
            self._kept = None if document.refused else (str(httpx.URL(location)), document)
            return redirect_to(location, request, cookies)
        return response_of(document, request, cookies)

    def _has_moved(self, document: Exchange) -> bool:
        # The first request of a navigation is what was asked, however the browser spells it.
        first = next(iter(self._page.traffic.documents), document)
        return urldefrag(document.url).url != urldefrag(first.first_url).url

    async def _load(self, url: str, referer: str | None) -> Exchange:
        """The last document of an address: past a challenge, and where its scripts lead."""
        page = self._page
        error = await page.navigate(url, referer)
        if page.traffic.document is None:
            # Not even a request, or nothing that is shown: a download, "204 No Content".
            return Exchange(id="", url=url, first_url=url, done=True, error=error or ABORTED)
        while len(page.traffic.documents) < _MOST_DOCUMENTS:
            document = await self._settled()
            if document is not None:
                return document
        # It leads on and on: the last one that came whole has to do.
        whole = [seen for seen in page.traffic.documents if seen.body is not None]
        return whole[-1] if whole else page.traffic.documents[-1]

    async def _settled(self) -> Exchange | None:
        """The document that is loaded; None when another one follows in the time it deserves."""
        page = self._page
        document = page.traffic.document or page.traffic.documents[-1]

        def left() -> bool:
            return page.traffic.document is not document

        await page.until(lambda: document.done or left(), None)
        body = document.body or b""
        if left():
            return None
        if document.error or document.too_large:
            return document
        if challenge.is_challenge(body):
            clock = asyncio.get_running_loop().time
            began = clock()
            await page.until(left, self._patience_s)
            self._patience_s = max(self._patience_s - (clock() - began), 0.0)
        else:
            await page.until(lambda: left() or document.loaded, LOAD_S)
            # A small page with a script may be a wall that is not known yet.
            scripted = len(body) < _SMALL and b"<script" in body
            settle_s = LOAD_S if scripted else SETTLE_S
            await page.until(lambda: left() or page.traffic.has_asked_for_list, settle_s)
        return None if left() else document

    # --- data ---------------------------------------------------------------------------------

    async def _data(self, request: httpx.Request) -> httpx.Response:
        url, page = str(request.url), self._page
        own = page.traffic.own_request(url)
        if own is not None:
            await page.until(lambda: own.done, None)
        exchange = own
        if exchange is None or exchange.error:
            exchange = await self._fetch(url, request.headers.get("referer"))
        if challenge.is_challenge(exchange.body or b""):
            # Its script runs only where it is opened; the next request needs a page of the site.
            exchange = await self._load(url, request.headers.get("referer"))
            page.traffic.documents.clear()
        cookies = await self._cookies()
        if exchange.moved:
            return redirect_to(urldefrag(exchange.url).url, request, cookies)
        return response_of(exchange, request, cookies)

    async def _fetch(self, url: str, referer: str | None) -> Exchange:
        """A request made from within a page of the same host. Raises WayFailed."""
        page = self._page
        document = page.traffic.document
        if document is None or document.error or _host(document.url) != _host(url):
            same = referer if referer is not None and _host(referer) == _host(url) else None
            document = await self._load(same or f"https://{_host(url)}/", None)
            self._kept = None
            if document.error:
                return document
        await page.until(lambda: document.loaded or page.traffic.document is not document, SIGN_S)
        page.traffic.watch(url)
        result = await page.send(
            "Runtime.evaluate",
            {"expression": _FETCH % json.dumps(url), "silent": True, "returnByValue": True},
        )
        if result.get("exceptionDetails"):
            raise WayFailed("the page cannot ask for data")
        found: list[Exchange] = []

        def asked() -> bool:
            exchange = page.traffic.own_request(url, failed=True)
            if exchange is not None:
                found.append(exchange)
            return bool(found)

        if not await page.until(asked, SEND_S):
            raise WayFailed("the page sends no request")
        exchange = found[0]
        await page.until(lambda: exchange.done, None)
        return exchange


_MOST_DOCUMENTS: Final = 6
# Its body has to be read, or it would wait for a reader half way.
_FETCH: Final = (
    "void fetch(%s, {credentials: 'include'}).then(answer => answer.text()).catch(() => '')"
)


def browser_identity(user_agent: str) -> Identity:
    """The identity that a browser's pages are asked for as, and the media they list.

    Media are fetched by our own downloader, with the handshake of the first pinned browser.
    """
    usual: Any = identity_ladder("curl")[0]
    return Identity(
        name="browser", user_agent=user_agent, tls_target=usual.tls_target, runs_scripts=True
    )


def _wants_data(request: httpx.Request) -> bool:
    """Whether a page's script would make this request, rather than a person who opens a page."""
    purpose = request.extensions.get("purpose")
    if isinstance(purpose, Purpose):
        return purpose is Purpose.LIST
    return request.url.path.startswith("/api/") or (
        request.headers.get("sec-fetch-mode") == "cors"
        or "application/json" in request.headers.get("accept", "")
    )


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()
