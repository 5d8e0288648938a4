"""One author's requests: headers, cookies, the host allow-list, limits, and errors made ours.

A session is one cookie jar over the shared carriers. Pages and lists come back whole; media comes
back as a stream. Whatever goes wrong in between comes out as a StoriesError and as nothing else.
"""

from __future__ import annotations

import asyncio
import re
import urllib.request
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import httpx
from curl_cffi import CurlError

from stories import challenge
from stories.config import ClientConfig
from stories.errors import (
    Challenged,
    LoginRequired,
    MediaUnavailable,
    RateLimited,
    Refused,
    RegionLocked,
    StoriesError,
    UpstreamChanged,
    UpstreamDown,
)
from stories.hosts import is_allowed_host, is_tiktok_page_host
from stories.http.transports import Carrier, TooBig

# The browser that carriers.BROWSER imitates. A test compares this with what curl itself would say.
USER_AGENT = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/150.0.0.0 Safari/537.36"
)
CLIENT_HINTS = (
    ("sec-ch-ua", '"Not;A=Brand";v="8", "Chromium";v="150", "Google Chrome";v="150"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"macOS"'),
)
_PAGE_TYPES = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;"
    "q=0.8,application/signed-exchange;v=b3;q=0.7"
)
# The agent that short links answer with a plain redirect instead of an app page.
LINK_PREVIEW_AGENT = "facebookexternalhit/1.1"
SITE = "https://www.tiktok.com/"

MAX_REDIRECTS = 5
MAX_URL = 8192
# Lowest and highest patience we let a server ask of us.
RATE_LIMIT_FLOOR_S = 60.0
RETRY_AFTER_CEILING_S = 3600.0

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REFUSALS = frozenset({401, 403, 405, 412, 444})
_NOT_FOUND = frozenset({404, 410})
_OK = 200
_RATE_LIMITED = 429
_LEGAL = 451
_SERVER_ERRORS = range(500, 600)

# Everything a request or its body may raise, from either carrier. CurlError covers
# curl_cffi.requests.exceptions; OSError is what slips past httpx's own mapping, and ValueError what
# it raises where an odd answer (an address, a header) cannot be put into the next request.
NETWORK_ERRORS = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    CurlError,
    TimeoutError,
    OSError,
    EOFError,
    ValueError,
)


class Gate(Protocol):
    """Awaited before each page or list request; raises when none may be sent.

    at_once: for the answer to a challenge, which TikTok takes for about a second only. It counts
    as a request, and does not wait behind the others.
    """

    async def __call__(self, *, at_once: bool = False) -> None: ...


async def ungated(*, at_once: bool = False) -> None:
    """The gate that lets every request through at once."""


class Purpose(Enum):
    """What a page request looks like to the server."""

    NAVIGATE = "navigate"  # a person opening a page
    LIST = "list"  # the page's own script asking for data
    PREVIEW = "preview"  # a messenger looking where a short link leads


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole answer. url: what was asked last, after redirects. found: False for 404 and 410.

    location: where it redirects, absolute, when that was not followed.
    """

    url: str
    body: bytes = field(repr=False)
    found: bool = True
    location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaAnswer:
    """The head of a media answer, and its body as it arrives.

    start, total: which part this is (0, and the whole size where told); partial: a 206.
    length_bytes: of this body as announced. validator: proves two parts belong to one file, fit
    for If-Range; None when the server gives none. chunks: raises UpstreamDown when the line drops.
    """

    status: int
    host: str
    content_type: str
    partial: bool
    start: int
    total: int | None
    length_bytes: int | None
    etag: str | None
    validator: str | None
    chunks: AsyncGenerator[bytes, None] = field(repr=False)


def as_ours(error: BaseException, where: str) -> StoriesError:
    """The StoriesError that a network failure means. where: host and path, never a query."""
    name = type(error).__name__
    if isinstance(error, StoriesError):
        return error
    if isinstance(error, TooBig):
        return UpstreamChanged(f"{where}: larger than any page should be")
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects)):
        return UpstreamChanged(f"{where}: {name}")
    return UpstreamDown(f"{where}: {name}")


@contextmanager
def our_errors(where: str) -> Iterator[None]:
    """Turn everything the network may raise into ours."""
    try:
        yield
    except NETWORK_ERRORS as error:
        raise as_ours(error, where) from error


def retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, at most an hour; None when it says nothing."""
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        return min(float(text), RETRY_AFTER_CEILING_S)
    if re.fullmatch(r"[0-9]+", text, re.ASCII):
        return RETRY_AFTER_CEILING_S
    if not text or len(text) > 64:
        return None
    try:
        when = parsedate_to_datetime(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = (when - (now or datetime.now(UTC))).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_CEILING_S)


def _ahead(date: str | None, now: datetime) -> float | None:
    """How far `now` is ahead of a Date header, in seconds; None when that says nothing."""
    if not date or len(date) > 64:
        return None
    try:
        told = parsedate_to_datetime(date)
        return (now - (told if told.tzinfo else told.replace(tzinfo=UTC))).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def allowed(url: str, *, page: bool) -> str:
    """The host of `url` when we may contact it. Raises UpstreamChanged otherwise.

    https on its own port, no user:password@, and a host of the allow-list: checked before every
    request, so that no page, list or redirect decides whom we talk to.
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
    if not listed or not plain:
        raise UpstreamChanged(f"sent to {parts.scheme[:12]}://{host[:80]}, which is not TikTok")
    return host


class _Sendable(DefaultCookiePolicy):
    """Keeps only cookies that a request can carry: one that cannot would break all that follow."""

    def set_ok(self, cookie: Cookie, request: urllib.request.Request) -> bool:
        text = f"{cookie.name}{cookie.value or ''}"
        return text.isascii() and text.isprintable() and super().set_ok(cookie, request)


def is_login(url: str) -> bool:
    """True for TikTok's sign-in page."""
    path = urlsplit(url).path.lower()
    return path == "/login" or path.startswith("/login/")


class Session:
    """One cookie jar over the shared carriers; cheap to make, nothing to close.

    Pages, lists and media of one author share it: media addresses are tied to the cookies that
    came with the list. clock_ahead_s: our clock against the last page's date; None when it
    had none.
    """

    clock_ahead_s: float | None = None

    def __init__(
        self, *, config: ClientConfig, pages: Carrier, media: Carrier, gate: Gate = ungated
    ) -> None:
        self._config = config
        self._gate = gate
        self._curl = config.page_transport == "curl"
        self._jar = CookieJar(_Sendable())
        timeout = httpx.Timeout(
            config.read_timeout_s, connect=config.connect_timeout_s, pool=config.item_timeout_s
        )
        # Never closed: closing a client would close the carrier under everyone else.
        self._pages = httpx.AsyncClient(
            transport=pages, cookies=self._jar, timeout=timeout, trust_env=False
        )
        self._media = httpx.AsyncClient(
            transport=media, cookies=self._jar, timeout=timeout, trust_env=False
        )

    async def page(
        self,
        url: str,
        purpose: Purpose = Purpose.NAVIGATE,
        *,
        referer: str | None = None,
        follow: bool = True,
        allow_empty: bool = False,
    ) -> Page:
        """Ask for one page or list, whole.

        The challenge page is answered once on the way. Raises Challenged, Refused, RateLimited,
        LoginRequired (a redirect to the sign-in page), RegionLocked, UpstreamDown,
        UpstreamChanged. Without `follow` a redirect is returned as it is, its target not checked.
        allow_empty: hand an answer of zero bytes back instead of raising Refused.
        """
        for _ in range(MAX_REDIRECTS + 1):
            page = await self._answered(url, purpose, referer)
            if not page.body and page.found and page.location is None and not allow_empty:
                raise Refused(f"{_where(url)}: an empty answer")
            if page.location is None or not follow:
                return page
            if is_login(page.location):
                raise LoginRequired(f"{_where(url)} leads to the sign-in page")
            url = page.location
        raise UpstreamChanged(f"{_where(url)}: more than {MAX_REDIRECTS} redirects")

    async def _answered(self, url: str, purpose: Purpose, referer: str | None) -> Page:
        """One request, and a second one when the first is answered by the challenge page."""
        page = await self._asked(url, purpose, referer)
        if not challenge.is_challenge(page.body):
            return page
        # Up to a second of arithmetic: not on the loop.
        cookies = await asyncio.to_thread(challenge.solve, page.body)
        jar = httpx.Cookies(self._jar)
        for name, value in cookies:
            jar.set(name, value, domain=".tiktok.com", path="/")
        try:
            page = await self._asked(url, purpose, referer, at_once=True)
        finally:
            for name, _ in cookies:
                self._forget_cookie(name)
        if challenge.is_challenge(page.body):
            raise Challenged(f"{_where(url)}: the answer to the challenge was not accepted")
        return page

    def _forget_cookie(self, name: str) -> None:
        for cookie in [cookie for cookie in self._jar if cookie.name == name]:
            self._jar.clear(cookie.domain, cookie.path, cookie.name)

    async def _asked(
        self, url: str, purpose: Purpose, referer: str | None, *, at_once: bool = False
    ) -> Page:
        allowed(url, page=True)
        await (self._gate(at_once=True) if at_once else self._gate())
        where = _where(url)
        limit = self._config.max_page_bytes
        total_s = self._config.connect_timeout_s + self._config.read_timeout_s
        with our_errors(where):
            request = self._request(self._pages, url, self._page_headers(purpose, referer))
            # Neither carrier bounds the exchange as a whole: a byte now and then keeps both happy.
            async with asyncio.timeout(total_s):
                response = await self._pages.send(request, stream=True)
                self.clock_ahead_s = _ahead(response.headers.get("date"), datetime.now(UTC))
                try:
                    body = await _bounded(response, limit, unpacked=self._curl)
                finally:
                    await response.aclose()
        if not challenge.is_challenge(body):
            _check_status(response.status_code, response.headers, body, where)
        return Page(
            url=url,
            body=body,
            found=response.status_code not in _NOT_FOUND,
            location=_location(url, response),
        )

    def _page_headers(self, purpose: Purpose, referer: str | None) -> list[tuple[str, str]]:
        if purpose is Purpose.PREVIEW:
            return [
                ("User-Agent", LINK_PREVIEW_AGENT),
                ("Accept", "*/*"),
                ("Accept-Encoding", self._encodings()),
            ]
        navigating = purpose is Purpose.NAVIGATE
        site = "none" if navigating and referer is None else "same-origin"
        headers = [*CLIENT_HINTS, ("User-Agent", USER_AGENT)]
        if navigating:
            headers += [
                ("Upgrade-Insecure-Requests", "1"),
                ("Accept", _PAGE_TYPES),
                ("Sec-Fetch-Site", site),
                ("Sec-Fetch-Mode", "navigate"),
                ("Sec-Fetch-User", "?1"),
                ("Sec-Fetch-Dest", "document"),
            ]
        else:
            headers += [
                ("Accept", "application/json, text/plain, */*"),
                ("Sec-Fetch-Site", site),
                ("Sec-Fetch-Mode", "cors"),
                ("Sec-Fetch-Dest", "empty"),
            ]
        if referer is not None:
            headers.append(("Referer", referer))
        return [
            *headers,
            ("Accept-Encoding", self._encodings()),
            ("Accept-Language", "en-US,en;q=0.9"),
        ]

    def _encodings(self) -> str:
        # What the carrier can really decode; curl brings brotli and zstd along.
        return "gzip, deflate, br, zstd" if self._curl else "gzip, deflate"

    def _request(
        self, client: httpx.AsyncClient, url: str, headers: list[tuple[str, str]]
    ) -> httpx.Request:
        # Not client.build_request: it would add httpx's own headers to a browser's.
        request = httpx.Request(
            "GET", url, headers=headers, extensions={"timeout": client.timeout.as_dict()}
        )
        httpx.Cookies(self._jar).set_cookie_header(request)
        return request

    @asynccontextmanager
    async def media(
        self, url: str, *, start: int = 0, end: int | None = None, validator: str | None = None
    ) -> AsyncIterator[MediaAnswer]:
        """Ask for a file, or for its bytes start … end - 1 when `end` or `start` is given.

        validator: of the file we already hold a part of; when it changed, the whole new file comes
        as a 200. Raises MediaUnavailable when the server refuses, UpstreamDown when it does not
        answer. Redirects are followed within the allow-list.
        """
        headers = [
            ("User-Agent", USER_AGENT),
            ("Accept", "*/*"),
            # The bytes are counted and put in place by range: no encoding may stand between.
            ("Accept-Encoding", "identity"),
            ("Referer", SITE),
        ]
        if start or end is not None:
            headers.append(("Range", f"bytes={start}-{'' if end is None else end - 1}"))
            if validator is not None:
                headers.append(("If-Range", validator))
        for _ in range(MAX_REDIRECTS + 1):
            host = allowed(url, page=False)
            with our_errors(host):
                response = await self._media.send(
                    self._request(self._media, url, headers), stream=True
                )
            try:
                target = _location(url, response)
                if target is None:
                    answer = _media_answer(response, host)
                    async with aclosing(answer.chunks):
                        yield answer
                    return
            finally:
                # Closing a body that was not read to its end closes the connection: nothing more
                # of it is fetched.
                with our_errors(host):
                    await response.aclose()
            if is_login(target):
                raise MediaUnavailable(f"{host} leads to the sign-in page")
            url = target
        raise MediaUnavailable(f"more than {MAX_REDIRECTS} redirects, last {host}")


def _where(url: str) -> str:
    """What an error may say about an address: never its query, which may be signed."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path[:80]}"


async def _bounded(response: httpx.Response, limit: int, *, unpacked: bool) -> bytes:
    """The whole body. unpacked: curl has expanded it already, and kept to the limit itself.

    Otherwise not left to httpx: that expands each chunk whole, and coding upon coding, so that
    two megabytes may become two gigabytes before they can be counted.
    """
    body = bytearray()
    unpack = _as_it_is if unpacked else _unpacker(response.headers.get("content-encoding", ""))
    async for chunk in response.aiter_bytes() if unpacked else response.aiter_raw():
        body += unpack(chunk, limit + 1 - len(body))
        if len(body) > limit:
            raise TooBig(f"more than {limit} bytes", request=response.request)
    return bytes(body)


_Unpack = Callable[[bytes, int], bytes]


def _unpacker(coding: str) -> _Unpack:
    """What undoes this Content-Encoding chunk by chunk; at most one, and one that we announce."""
    match coding.strip().lower():
        case "" | "identity":
            return _as_it_is
        case "gzip" | "x-gzip":
            return _Inflated(gzip=True)
        case "deflate":
            return _Inflated(gzip=False)
    raise httpx.DecodingError(f"an encoding we did not ask for: {coding[:40]}")


def _as_it_is(chunk: bytes, most: int) -> bytes:
    return chunk


class _Inflated:
    """Expands a body, never further than asked."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._start = b""
        self._inflate: zlib._Decompress | None = None

    def __call__(self, chunk: bytes, most: int) -> bytes:
        if self._inflate is None:
            self._start += chunk
            if len(self._start) < 2:
                return b""
            chunk = self._start
            self._inflate = zlib.decompressobj(wbits=self._window(chunk))
        if self._inflate.eof:
            return b""  # what follows would only be collected
        try:
            return self._inflate.decompress(chunk, most)
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error

    def _window(self, start: bytes) -> int:
        if self._gzip:
            return zlib.MAX_WBITS | 16
        # Some servers leave out the two bytes that "deflate" should begin with.
        named = start[0] & 15 == zlib.DEFLATED and int.from_bytes(start[:2]) % 31 == 0
        return zlib.MAX_WBITS if named else -zlib.MAX_WBITS


def _location(url: str, response: httpx.Response) -> str | None:
    """The absolute target of a redirect, not yet checked; None when the answer is none."""
    target: str = response.headers.get("location", "")
    if response.status_code not in _REDIRECTS:
        return None
    if not target or len(target) > MAX_URL:
        raise UpstreamChanged(f"{_where(url)}: a redirect to nowhere")
    try:
        return urljoin(url, target)
    except ValueError as error:
        raise UpstreamChanged(f"{_where(url)}: a redirect that cannot be read") from error


def _check_status(status: int, headers: Mapping[str, str], body: bytes, where: str) -> None:
    """Raise what an answer means, unless it is a page, a redirect or "not found"."""
    wait_s = retry_after(headers.get("retry-after"))
    if status == _RATE_LIMITED:
        raise RateLimited(f"{where}: 429", retry_after_s=max(wait_s or 0.0, RATE_LIMIT_FLOOR_S))
    if status in _REFUSALS:
        raise Refused(f"{where}: status {status}", retry_after_s=wait_s)
    if headers.get("x-tt-system-error", "0").strip() not in {"", "0"}:
        raise Refused(f"{where}: x-tt-system-error")
    if "bdturing-verify" in headers and body:
        raise Refused(f"{where}: a captcha is asked for (bdturing-verify)")
    if status in _SERVER_ERRORS:
        raise UpstreamDown(f"{where}: status {status}", retry_after_s=wait_s)
    if status == _LEGAL:
        raise RegionLocked(f"{where}: status {status}")
    if status in _NOT_FOUND or status in _REDIRECTS:
        return
    if status != _OK:
        raise UpstreamChanged(f"{where}: status {status}")


_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_PARTIAL = 206


def _media_answer(response: httpx.Response, host: str) -> MediaAnswer:
    status, headers = response.status_code, response.headers
    if status not in {_OK, _PARTIAL}:
        raise MediaUnavailable(f"{host}: status {status}")
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise MediaUnavailable(f"{host}: an encoding we did not ask for")
    start, total, length = 0, None, _number(headers.get("content-length"))
    if status == _PARTIAL:
        given = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
        if given is None:
            raise MediaUnavailable(f"{host}: a part that does not say which")
        start, last = int(given[1]), int(given[2])
        total = None if given[3] == "*" else int(given[3])
        if last < start or (total is not None and last >= total):
            raise MediaUnavailable(f"{host}: a part that cannot be")
        length = last + 1 - start
    else:
        total = length
    etag = headers.get("etag")
    strong = etag if etag and etag.startswith('"') else None
    return MediaAnswer(
        status=status,
        host=host,
        content_type=headers.get("content-type", "").partition(";")[0].strip().lower(),
        partial=status == _PARTIAL,
        start=start,
        total=total,
        length_bytes=length,
        etag=etag,
        # A weak ETag may not stand in If-Range; a date may.
        validator=strong or headers.get("last-modified"),
        chunks=_chunks(response, host),
    )


async def _chunks(response: httpx.Response, host: str) -> AsyncGenerator[bytes, None]:
    async with aclosing(_raw(response)) as body:
        while True:
            # Only the network's part: what happens to the chunk is the caller's affair.
            with our_errors(host):
                chunk = await anext(body, None)
            if chunk is None:
                return
            yield chunk


async def _raw(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    # Identity-coded by now, so the same as the raw bytes; it also takes bodies that came whole.
    async for chunk in response.aiter_bytes():
        yield chunk


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,18}", text, re.ASCII) else None
