"""One author's requests: a cookie jar, the host allow-list, redirects, and the challenge page.

A session is one cookie jar over the shared transports. Pages and lists are read whole; media is
handed on as it arrives. Every failure of the network is raised as a StoriesError
(http/error_mapping.py).
"""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Protocol, TypeVar

import httpx

from stories import challenge
from stories.config import ClientConfig
from stories.errors import (
    AccessError,
    Challenged,
    InputError,
    LoginRequired,
    Refusal,
    Refused,
    StoriesError,
    UpstreamChanged,
)
from stories.http.addresses import (
    MAX_REDIRECTS,
    allowed_host,
    followed,
    is_login_page,
    redirect_target,
    without_query,
)
from stories.http.body import read_bounded
from stories.http.error_mapping import (
    NOT_FOUND_STATUSES,
    check_status,
    translate_network_errors,
)
from stories.http.headers import Headers, Purpose, media_headers, page_headers
from stories.http.identity_search import IdentitySearch, RefusedTry
from stories.http.media_requests import ReceiveMedia, fetch_media
from stories.http.media_transport import MediaTransport
from stories.http.page_transports import PageTransports
from stories.http.transports import Transport
from stories.identity import Identity, identity_ladder
from stories.site_clock import SiteClock

T = TypeVar("T")

# Whatever else a Date header says, nothing can be reckoned from it.
_CREDIBLE_YEARS = range(2016, 2200)


class RateLimit(Protocol):
    """A rate limit, awaited before each page or list request; raises when none may be sent.

    at_once: for the answer to a challenge, which TikTok takes for about a second only. It counts
    as a request, and does not wait behind the others.
    """

    async def __call__(self, *, at_once: bool = False) -> None: ...


class OnBody(Protocol):
    """Called with each answer to a request for a page or list, whole and before it is judged.

    url: that was asked for. headers: names in lower case. Raises nothing.
    """

    def __call__(
        self, url: str, status: int, headers: Mapping[str, str], body: bytes, /
    ) -> None: ...


async def no_rate_limit(*, at_once: bool = False) -> None:
    """Let every request through at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page or list, whole.

    url: of the last request, after redirects. found: False for 404 and 410. location: absolute
    target of a redirect that was not followed. date: the Date header, None when it says nothing.
    gated: it is empty, and TikTok says that something about the request kept it back.
    """

    url: str
    body: bytes = field(repr=False)
    found: bool = True
    location: str | None = None
    date: datetime | None = None
    gated: bool = False


class _SendableCookiePolicy(DefaultCookiePolicy):
    """Accepts only cookies that a request can carry: any other would break all that follow."""

    def set_ok(self, cookie: Cookie, request: urllib.request.Request) -> bool:
        text = f"{cookie.name}{cookie.value or ''}"
        return text.isascii() and text.isprintable() and super().set_ok(cookie, request)


@dataclass(slots=True)
class _ExtraTry:
    """The one further try that a look-up has, under another identity.

    taken: it was made, or there is no other identity to make it as.
    """

    taken: bool = False


class Session:
    """One cookie jar and one identity over the shared transports; cheap to make, nothing to close.

    Pages, lists and media of one author share it: media addresses are tied to the cookies that
    came with the list, and to its user agent. search: of the client, which all its sessions share;
    None for a session by itself. may_search: another identity may be tried. clock: noted from every
    answer. recorder: called with every answer to a request for a page or list.
    """

    def __init__(
        self,
        *,
        config: ClientConfig,
        page_transports: PageTransports,
        media_transport: MediaTransport,
        rate_limit: RateLimit = no_rate_limit,
        search: IdentitySearch | None = None,
        may_search: bool = True,
        clock: SiteClock | None = None,
        recorder: OnBody | None = None,
    ) -> None:
        self._config, self._recorder = config, recorder
        self._page_transports = page_transports
        self._media_transport = media_transport
        self._rate_limit = rate_limit
        self._search = search or IdentitySearch(identity_ladder(config.page_transport))
        self._clock = clock or SiteClock()
        self._identity: Identity | None = None
        self._served, self._extra_try = False, _ExtraTry(taken=not may_search)
        self._jar = CookieJar(_SendableCookiePolicy())
        self._timeout = httpx.Timeout(
            config.read_timeout_s, connect=config.connect_timeout_s, pool=config.item_timeout_s
        )

    def _client(self, transport: Transport) -> httpx.AsyncClient:
        # Never closed: closing a client would close the transport under everyone else.
        return httpx.AsyncClient(
            transport=transport, cookies=self._jar, timeout=self._timeout, trust_env=False
        )

    def sibling(self, *, with_cookies: bool = False) -> Session:
        """A session of the same look-up with a jar of its own; the further try is one for both.

        with_cookies: it keeps the identity and the cookies of this moment, whatever this one does.
        """
        sibling = Session(
            config=self._config,
            page_transports=self._page_transports,
            media_transport=self._media_transport,
            rate_limit=self._rate_limit,
            search=self._search,
            clock=self._clock,
            recorder=self._recorder,
        )
        sibling._extra_try, sibling._served = self._extra_try, self._served
        if with_cookies:
            sibling.adopt(self._jar, self._identity)
        return sibling

    def adopt(self, cookies: Iterable[Cookie], identity: Identity | None) -> None:
        """Take over another's cookies, and ask as its identity from now on; None for any."""
        self._identity = identity
        for cookie in cookies:
            self._jar.set_cookie(copy(cookie))

    # --- identities ---------------------------------------------------------------------------

    async def identity(self) -> Identity:
        """The identity that pages and media are asked for as."""
        if self._identity is None:
            self._identity = await self._search.current()
        return self._identity

    async def ask(self, request: Callable[[], Awaitable[T]]) -> T:
        """The result of `request`, which asks for pages of this session and reads them.

        When TikTok refuses the identity, `request` is called once more under another one, with an
        empty jar; once in a look-up, however many requests it takes. Raises what `request` does.
        """
        identity, began = await self.identity(), self._search.ended
        try:
            result = await request()
        except (Challenged, Refused, LoginRequired) as error:
            if self._extra_try.taken or not _is_of_identity(error):
                raise
            refusal = error
        except (InputError, AccessError):
            await self._note_served(identity)
            raise
        else:
            await self._note_served(identity)
            return result
        self._extra_try.taken = True

        async def retry(other: Identity) -> T:
            self._identity = other
            # A cookie of the session that was refused would follow it.
            self._jar.clear()
            return await request()

        first = RefusedTry(
            identity=identity,
            error=refusal,
            began=began,
            served=self._served,
        )
        return await self._search.try_another(first, retry)

    async def _note_served(self, identity: Identity) -> None:
        if not self._served:
            self._served = True
            await self._search.note_served(identity)

    # --- pages and lists ----------------------------------------------------------------------

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
        LoginRequired (it leads to the sign-in page), RegionLocked, UpstreamDown, UpstreamChanged.
        """
        for _ in range(MAX_REDIRECTS + 1):
            page = await self._get_past_challenge(url, purpose, referer)
            if not page.body and page.found and page.location is None and not allow_empty:
                raise Refused(f"{without_query(url)}: an empty answer")
            if page.location is None or not follow:
                return page
            if is_login_page(page.location):
                raise login_wall(without_query(url))
            url = followed(url, page.location)
        raise UpstreamChanged(f"{without_query(url)}: more than {MAX_REDIRECTS} redirects")

    async def _get_past_challenge(self, url: str, purpose: Purpose, referer: str | None) -> Page:
        """One request, and a second one when the first is answered by the challenge page."""
        page = await self._get(url, purpose, referer)
        if not challenge.is_challenge(page.body):
            return page
        if (await self.identity()).runs_scripts:
            # A browser has tried by itself, and longer than any answer of ours is good for.
            raise Challenged(f"{without_query(url)}: a browser is not let through either")
        # Up to a second of arithmetic: not on the loop.
        cookies = await asyncio.to_thread(challenge.solve, page.body)
        jar = httpx.Cookies(self._jar)
        for name, value in cookies:
            jar.set(name, value, domain=".tiktok.com", path="/")
        try:
            page = await self._get(url, purpose, referer, at_once=True)
        finally:
            for name, _ in cookies:
                _delete_cookie(self._jar, name)
        if challenge.is_challenge(page.body):
            raise Challenged(f"{without_query(url)}: the answer to the challenge was not accepted")
        return page

    async def _get(
        self, url: str, purpose: Purpose, referer: str | None, *, at_once: bool = False
    ) -> Page:
        allowed_host(url, page=True)
        try:
            await (self._rate_limit(at_once=True) if at_once else self._rate_limit())
        except Refusal as error:
            error.unasked = True
            raise
        where = without_query(url)
        identity = await self.identity()
        limit = self._config.max_page_bytes
        total_s = self._config.connect_timeout_s + self._config.read_timeout_s
        by_curl = identity.tls_target is not None
        # What the transport can really decode; curl brings brotli and zstd along.
        encodings = "gzip, deflate, br, zstd" if by_curl else "gzip, deflate"
        headers = page_headers(purpose, identity, referer=referer, encodings=encodings)
        with translate_network_errors(where):
            # Neither transport bounds the exchange as a whole: a byte now and then is enough for
            # both.
            async with (
                asyncio.timeout(total_s),
                self._page_transports.lease(identity) as transport,
            ):
                request = self._request(url, headers)
                request.extensions["purpose"] = purpose
                response = await self._client(transport).send(request, stream=True)
                try:
                    body = await read_bounded(response, limit, decompressed=by_curl)
                finally:
                    await response.aclose()
        if self._recorder is not None:
            self._recorder(url, response.status_code, response.headers, body)
        date = _sent_at(response.headers)
        if date is not None:
            self._clock.note_date(date)
        if not challenge.is_challenge(body):
            check_status(response.status_code, response.headers, body, where, sent_at=date)
        return Page(
            url=url,
            body=body,
            found=response.status_code not in NOT_FOUND_STATUSES,
            location=redirect_target(
                url, response.status_code, response.headers.get("location", "")
            ),
            date=date,
            gated=not body and _is_gated(response.headers),
        )

    def _request(self, url: str, headers: Headers) -> httpx.Request:
        # Not client.build_request: it would add httpx's own headers to a browser's.
        request = httpx.Request(
            "GET", url, headers=headers, extensions={"timeout": self._timeout.as_dict()}
        )
        httpx.Cookies(self._jar).set_cookie_header(request)
        return request

    async def fetch_media(
        self,
        url: str,
        receive: ReceiveMedia,
        *,
        start: int = 0,
        end: int | None = None,
        validator: str | None = None,
    ) -> None:
        """Request a file, or its bytes start … end - 1 when `end` or `start` is given.

        receive: called with the head of the response, before any byte of it; returns who takes the
        bytes as they arrive. What either raises ends the transfer at once and is raised here.
        validator: of the file of which a part is held already; when it changed, the whole new file
        comes as a 200. Redirects are followed within the allow-list. Raises MediaUnavailable when
        the server refuses, UpstreamDown when it does not answer or breaks off.
        """
        identity = await self.identity()
        headers = media_headers(identity.user_agent, start=start, end=end, validator=validator)

        def make_request(address: str) -> httpx.Request:
            request = self._request(address, headers)
            request.extensions["tls_target"] = identity.tls_target
            return request

        transport, jar = self._media_transport, self._jar
        await fetch_media(url, receive, transport=transport, jar=jar, make_request=make_request)


def _delete_cookie(jar: CookieJar, name: str) -> None:
    for cookie in [cookie for cookie in jar if cookie.name == name]:
        jar.clear(cookie.domain, cookie.path, cookie.name)


def login_wall(where: str) -> LoginRequired:
    """The error for a request that leads to the sign-in page, which may be the identity's."""
    return LoginRequired(f"{where} leads to the sign-in page", by_redirect=True)


def _is_of_identity(error: StoriesError) -> bool:
    """Whether an error came from TikTok, and another identity may be spared it."""
    if isinstance(error, LoginRequired):
        return error.by_redirect
    return not (isinstance(error, Refusal) and error.unasked)


def _is_gated(headers: Mapping[str, str]) -> bool:
    """Whether an empty answer was kept back for want of something, and no captcha is asked for."""
    gate = headers.get("tt_orcas_res", "0").strip()
    return gate not in {"", "0"} and "bdturing-verify" not in headers


def _sent_at(headers: Mapping[str, str]) -> datetime | None:
    """The time in a Date header, and how long a cache has had it; None when it says nothing."""
    date, age = headers.get("date", ""), headers.get("age", "")
    if not date or len(date) > 64:
        return None
    cached_s = int(age) if re.fullmatch(r"[0-9]{1,9}", age, re.ASCII) else 0
    try:
        sent_at = parsedate_to_datetime(date)
        sent_at = sent_at if sent_at.tzinfo else sent_at.replace(tzinfo=UTC)
        sent_at = sent_at.astimezone(UTC) + timedelta(seconds=cached_s)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return sent_at if sent_at.year in _CREDIBLE_YEARS else None
