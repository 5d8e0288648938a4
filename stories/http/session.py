"""One author's requests: a cookie jar, the host allow-list, redirects, and the challenge page.

A session is one cookie jar over the shared transports. Pages and lists are read whole; media is
streamed. Every failure in between is raised as a StoriesError (http/error_mapping.py).
"""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import httpx

from stories import challenge
from stories.config import ClientConfig
from stories.errors import (
    Challenged,
    LoginRequired,
    MediaUnavailable,
    Refused,
    UnknownMediaHost,
    UpstreamChanged,
)
from stories.hosts import is_allowed_host, is_tiktok_page_host, plain_host_name
from stories.http.body import read_bounded
from stories.http.error_mapping import (
    NOT_FOUND_STATUSES,
    REDIRECT_STATUSES,
    check_status,
    translate_network_errors,
)
from stories.http.headers import Headers, Purpose, media_headers, page_headers
from stories.http.media_response import MediaResponse, read_media_response
from stories.http.transports import Transport

MAX_REDIRECTS = 5
MAX_URL = 8192


class RateLimit(Protocol):
    """A rate limit, awaited before each page or list request; raises when none may be sent.

    at_once: for the answer to a challenge, which TikTok takes for about a second only. It counts
    as a request, and does not wait behind the others.
    """

    async def __call__(self, *, at_once: bool = False) -> None: ...


async def no_rate_limit(*, at_once: bool = False) -> None:
    """Let every request through at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page or list, whole.

    url: of the last request, after redirects. found: False for 404 and 410. location: absolute
    target of a redirect that was not followed.
    """

    url: str
    body: bytes = field(repr=False)
    found: bool = True
    location: str | None = None


def allowed_host(url: str, *, page: bool) -> str:
    """The host of a URL that may be requested. Raises UpstreamChanged for any other URL.

    https on its own port, no user:password@, and a host of the allow-list: checked before every
    request, so that no page, list or redirect decides whom we talk to. page: True for the hosts of
    pages and lists alone, False for those of media too.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UpstreamChanged("an address that cannot be read") from error
    host = parts.hostname or ""
    listed = is_tiktok_page_host(host) if page else is_allowed_host(host)
    plain = (
        parts.scheme == "https"
        and parts.username is None
        and parts.password is None
        and port in {None, 443}
        and len(url) <= MAX_URL
        and url.isascii()
        and not re.search(r"[\x00-\x20\x7f\\]", url)
    )
    if plain and not listed and not page and (name := plain_host_name(host)):
        raise UnknownMediaHost(f"sent to https://{name}, which is not TikTok", hosts=(name,))
    if not listed or not plain:
        raise UpstreamChanged(f"sent to {parts.scheme[:12]}://{host[:80]}, which is not TikTok")
    return host


def is_login_page(url: str) -> bool:
    """True for TikTok's sign-in page."""
    path = urlsplit(url).path.lower()
    return path == "/login" or path.startswith("/login/")


class _SendableCookiePolicy(DefaultCookiePolicy):
    """Accepts only cookies that a request can carry: any other would break all that follow."""

    def set_ok(self, cookie: Cookie, request: urllib.request.Request) -> bool:
        text = f"{cookie.name}{cookie.value or ''}"
        return text.isascii() and text.isprintable() and super().set_ok(cookie, request)


class Session:
    """One cookie jar over the shared transports; cheap to make, nothing to close.

    Pages, lists and media of one author share it: media addresses are tied to the cookies that
    came with the list. clock_ahead_s: seconds our clock is ahead of the last page's Date header;
    None when it had none.
    """

    clock_ahead_s: float | None = None

    def __init__(
        self,
        *,
        config: ClientConfig,
        page_transport: Transport,
        media_transport: Transport,
        rate_limit: RateLimit = no_rate_limit,
    ) -> None:
        self._config = config
        self._rate_limit = rate_limit
        self._curl = config.page_transport == "curl"
        self._jar = CookieJar(_SendableCookiePolicy())
        timeout = httpx.Timeout(
            config.read_timeout_s, connect=config.connect_timeout_s, pool=config.item_timeout_s
        )
        # Never closed: closing a client would close the transport under everyone else.
        self._pages = httpx.AsyncClient(
            transport=page_transport, cookies=self._jar, timeout=timeout, trust_env=False
        )
        self._media = httpx.AsyncClient(
            transport=media_transport, cookies=self._jar, timeout=timeout, trust_env=False
        )

    async def get_page(
        self,
        url: str,
        purpose: Purpose = Purpose.NAVIGATE,
        *,
        referer: str | None = None,
        follow: bool = True,
        allow_empty: bool = False,
    ) -> Page:
        """Request one page or list and read it whole, answering the challenge page once.

        follow: False returns a redirect as it is, its target not checked. allow_empty: return a
        body of zero bytes instead of raising Refused. Raises Challenged, Refused, RateLimited,
        LoginRequired (a redirect to the sign-in page), RegionLocked, UpstreamDown,
        UpstreamChanged.
        """
        for _ in range(MAX_REDIRECTS + 1):
            page = await self._get_past_challenge(url, purpose, referer)
            if not page.body and page.found and page.location is None and not allow_empty:
                raise Refused(f"{_without_query(url)}: an empty answer")
            if page.location is None or not follow:
                return page
            if is_login_page(page.location):
                raise LoginRequired(f"{_without_query(url)} leads to the sign-in page")
            url = page.location
        raise UpstreamChanged(f"{_without_query(url)}: more than {MAX_REDIRECTS} redirects")

    async def _get_past_challenge(self, url: str, purpose: Purpose, referer: str | None) -> Page:
        """One request, and a second one when the first is answered by the challenge page."""
        page = await self._get(url, purpose, referer)
        if not challenge.is_challenge(page.body):
            return page
        # Up to a second of arithmetic: not on the loop.
        cookies = await asyncio.to_thread(challenge.solve, page.body)
        jar = httpx.Cookies(self._jar)
        for name, value in cookies:
            jar.set(name, value, domain=".tiktok.com", path="/")
        try:
            page = await self._get(url, purpose, referer, at_once=True)
        finally:
            for name, _ in cookies:
                self._delete_cookie(name)
        if challenge.is_challenge(page.body):
            raise Challenged(f"{_without_query(url)}: the answer to the challenge was not accepted")
        return page

    def _delete_cookie(self, name: str) -> None:
        for cookie in [cookie for cookie in self._jar if cookie.name == name]:
            self._jar.clear(cookie.domain, cookie.path, cookie.name)

    async def _get(
        self, url: str, purpose: Purpose, referer: str | None, *, at_once: bool = False
    ) -> Page:
        allowed_host(url, page=True)
        await (self._rate_limit(at_once=True) if at_once else self._rate_limit())
        where = _without_query(url)
        limit = self._config.max_page_bytes
        total_s = self._config.connect_timeout_s + self._config.read_timeout_s
        headers = page_headers(purpose, referer=referer, encodings=self._encodings())
        with translate_network_errors(where):
            request = self._request(self._pages, url, headers)
            # Neither transport bounds the exchange as a whole: a byte now and then is enough for
            # both.
            async with asyncio.timeout(total_s):
                response = await self._pages.send(request, stream=True)
                self.clock_ahead_s = _clock_ahead_s(response.headers.get("date"), datetime.now(UTC))
                try:
                    body = await read_bounded(response, limit, decompressed=self._curl)
                finally:
                    await response.aclose()
        if not challenge.is_challenge(body):
            check_status(response.status_code, response.headers, body, where)
        return Page(
            url=url,
            body=body,
            found=response.status_code not in NOT_FOUND_STATUSES,
            location=_redirect_target(url, response),
        )

    def _encodings(self) -> str:
        # What the transport can really decode; curl brings brotli and zstd along.
        return "gzip, deflate, br, zstd" if self._curl else "gzip, deflate"

    def _request(self, client: httpx.AsyncClient, url: str, headers: Headers) -> httpx.Request:
        # Not client.build_request: it would add httpx's own headers to a browser's.
        request = httpx.Request(
            "GET", url, headers=headers, extensions={"timeout": client.timeout.as_dict()}
        )
        httpx.Cookies(self._jar).set_cookie_header(request)
        return request

    @asynccontextmanager
    async def stream_media(
        self, url: str, *, start: int = 0, end: int | None = None, validator: str | None = None
    ) -> AsyncIterator[MediaResponse]:
        """Request a file, or its bytes start … end - 1 when `end` or `start` is given.

        validator: of the file of which a part is held already; when it changed, the whole new file
        comes as a 200. Redirects are followed within the allow-list. Raises MediaUnavailable when
        the server refuses, UpstreamDown when it does not answer.
        """
        headers = media_headers(start=start, end=end, validator=validator)
        for _ in range(MAX_REDIRECTS + 1):
            host = allowed_host(url, page=False)
            with translate_network_errors(host):
                response = await self._media.send(
                    self._request(self._media, url, headers), stream=True
                )
            try:
                target = _redirect_target(url, response)
                if target is None:
                    media_response = read_media_response(response, host)
                    async with aclosing(media_response.chunks):
                        yield media_response
                    return
            finally:
                # Closing a body that was not read to its end closes the connection: nothing more
                # of it is fetched.
                with translate_network_errors(host):
                    await response.aclose()
            if is_login_page(target):
                raise MediaUnavailable(f"{host} leads to the sign-in page")
            url = target
        raise MediaUnavailable(f"more than {MAX_REDIRECTS} redirects, last {host}")


def _without_query(url: str) -> str:
    """Host and path of a URL, fit for an error: never its query, which may be signed."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path[:80]}"


def _redirect_target(url: str, response: httpx.Response) -> str | None:
    """The absolute target of a redirect, not yet checked; None when the response is no redirect.

    Raises UpstreamChanged for a target that is missing or malformed.
    """
    target: str = response.headers.get("location", "")
    if response.status_code not in REDIRECT_STATUSES:
        return None
    if not target or len(target) > MAX_URL:
        raise UpstreamChanged(f"{_without_query(url)}: a redirect to nowhere")
    try:
        return urljoin(url, target)
    except ValueError as error:
        raise UpstreamChanged(f"{_without_query(url)}: a redirect that cannot be read") from error


def _clock_ahead_s(date: str | None, now: datetime) -> float | None:
    """Seconds that `now` is ahead of a Date header; None when the header says nothing."""
    if not date or len(date) > 64:
        return None
    try:
        sent_at = parsedate_to_datetime(date)
        sent_at = sent_at if sent_at.tzinfo else sent_at.replace(tzinfo=UTC)
        return (now - sent_at).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
