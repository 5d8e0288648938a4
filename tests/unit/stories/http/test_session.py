"""Which hosts are contacted, how redirects and challenges are met, and what cookies do."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from stories import challenge
from stories.config import ClientConfig
from stories.errors import (
    Challenged,
    LoginRequired,
    MediaUnavailable,
    Refused,
    StoriesError,
    UpstreamChanged,
    UpstreamDown,
)
from stories.http.page_transports import GivenTransport
from stories.http.session import Session
from stories.identity import identity_ladder
from tests.mock_transport import MockTransport
from tests.unit.stories.http.mock_session import PROFILE, answering, read, session_on

pytestmark = pytest.mark.anyio


# --- whom we talk to --------------------------------------------------------------------------


FOREIGN = [
    "https://evil.example/",
    "http://www.tiktok.com/@somebody",
    "https://localhost/",
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://www.tiktok.com:8443/",
    "https://www.tiktok.com:80/",
    "https://user:password@www.tiktok.com/",
    "https://www.tiktok.com@evil.example/",
    "https://www.tiktok.com.evil.example/",
    "https://eviltiktok.com/",
    "https://www.tiktok.com./",
    "https://www.tiktok.com\\.evil.example/",
    "https://evil.example\\@www.tiktok.com/",
    "ftp://www.tiktok.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "//evil.example/",
    "https://www.tiktok.com:99999/",
    "https://[/",
    "https:///path",
    "https://www.tiktok.com/" + "a" * 9000,
]


@pytest.mark.parametrize("url", FOREIGN, ids=lambda url: url[:50])
async def test_nothing_else_is_ever_contacted(url: str) -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, content=b"x")

    session = session_on(handler)
    with pytest.raises(UpstreamChanged):
        await session.get_page(url)
    with pytest.raises(UpstreamChanged):
        await read(session, url)
    assert asked == []


@pytest.mark.parametrize("url", FOREIGN, ids=lambda url: url[:50])
async def test_no_redirect_leads_elsewhere(url: str) -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": url})

    session = session_on(handler)
    with pytest.raises(UpstreamChanged):
        await session.get_page(PROFILE)
    with pytest.raises((UpstreamChanged, MediaUnavailable)):
        await read(session)
    assert set(asked) <= {"www.tiktok.com", "v16-webapp-prime.tiktok.com"}


async def test_pages_do_not_come_from_media_hosts() -> None:
    with pytest.raises(UpstreamChanged):
        await session_on(answering()).get_page("https://p16-sign.tiktokcdn.com/x")


# --- redirects --------------------------------------------------------------------------------


async def test_redirects_within_the_site_are_followed_and_each_waits_for_the_rate_limit() -> None:
    acquired: list[int] = []

    async def rate_limit(*, at_once: bool = False) -> None:
        acquired.append(1)

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/@somebody":
            return httpx.Response(301, headers={"Location": "/@SomeBody?lang=en"})
        return httpx.Response(200, content=b"page")

    transport = MockTransport(handler)
    session = Session(
        config=ClientConfig(),
        page_transports=GivenTransport(transport),
        media_transport=transport,
        rate_limit=rate_limit,
    )
    page = await session.get_page(PROFILE)
    assert page.body == b"page"
    assert page.url == "https://www.tiktok.com/@SomeBody?lang=en"
    assert len(acquired) == 2
    await read(session)
    assert len(acquired) == 2, "media is not paced"


@pytest.mark.parametrize(
    "host", ["us.tiktok.com", "www.tiktokv.us", "US.TikTok.com", "www.us.tiktok.com"]
)
async def test_a_redirect_to_a_regions_host_is_asked_for_on_our_own(host: str) -> None:
    hosts: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        if request.url.path == "/@somebody":
            return httpx.Response(302, headers={"Location": f"https://{host}/@SomeBody?x=1"})
        return httpx.Response(200, content=b"page")

    page = await session_on(handler).get_page(PROFILE)
    assert (page.body, page.url) == (b"page", "https://www.tiktok.com/@SomeBody?x=1")
    assert set(hosts) == {"www.tiktok.com"}


async def test_a_page_that_is_only_on_a_regions_host_is_not_asked_for_again() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"Location": "https://us.tiktok.com/@somebody"})

    with pytest.raises(UpstreamChanged, match="only on us"):
        await session_on(handler).get_page("https://www.tiktok.com/@somebody")
    assert len(asked) == 1


async def test_endless_redirects_end() -> None:
    asked: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(1)
        return httpx.Response(302, headers={"Location": str(request.url)})

    session = session_on(handler)
    with pytest.raises(UpstreamChanged, match="redirects"):
        await session.get_page(PROFILE)
    assert len(asked) == 6
    with pytest.raises(MediaUnavailable, match="redirects"):
        await read(session)
    assert len(asked) == 12


@pytest.mark.parametrize("target", ["/login", "/login?redirect_url=x", "/login/phone", "/Login/"])
async def test_the_login_wall(target: str) -> None:
    handler = answering(302, location=target)
    with pytest.raises(LoginRequired):
        await session_on(handler).get_page(PROFILE)


async def test_media_behind_the_login_wall_is_unavailable() -> None:
    with pytest.raises(MediaUnavailable):
        await read(session_on(answering(302, location="https://www.tiktok.com/login")))


async def test_an_unfollowed_redirect_is_handed_back() -> None:
    page = await session_on(answering(301, location="https://evil.example/")).get_page(
        PROFILE, follow=False
    )
    assert page.location == "https://evil.example/"


@pytest.mark.parametrize("target", ["", "https://[", "x" * 9000])
async def test_a_redirect_to_nowhere(target: str) -> None:
    with pytest.raises(UpstreamChanged):
        await session_on(answering(302, location=target)).get_page(PROFILE)


# --- statuses ---------------------------------------------------------------------------------


async def test_zero_bytes_can_be_asked_for() -> None:
    assert (await session_on(answering(body=b"")).get_page(PROFILE, allow_empty=True)).body == b""


# --- network errors ---------------------------------------------------------------------------


# --- sizes and times --------------------------------------------------------------------------


async def test_a_page_that_trickles_is_given_up_in_the_end() -> None:
    async def trickle() -> Any:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    session = session_on(
        lambda _: httpx.Response(200, content=trickle()),
        connect_timeout_s=0.1,
        read_timeout_s=0.1,
    )
    with pytest.raises(UpstreamDown):
        await session.get_page(PROFILE)


# --- the challenge page -----------------------------------------------------------------------


PUZZLE = (
    b'<title>Please wait...</title><p id="wci" class="_wafchallengeid"></p>'
    b'<p id="cs" class="puzzle"></p><script id="slardar-config"></script>'
)


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = (("_wafchallengeid", "answer=="), ("waforiginalreid", "id"))
    monkeypatch.setattr(challenge, "solve", lambda _: answer)


@pytest.mark.usefixtures("solved")
async def test_the_challenge_is_answered_once_and_its_cookies_dropped() -> None:
    cookies: list[str] = []
    acquired: list[bool] = []

    async def rate_limit(*, at_once: bool = False) -> None:
        acquired.append(at_once)

    def handler(request: httpx.Request) -> httpx.Response:
        cookies.append(request.headers.get("cookie", ""))
        if "_wafchallengeid=answer==" in cookies[-1]:
            return httpx.Response(200, content=b"page")
        return httpx.Response(200, content=PUZZLE if len(cookies) == 1 else b"list")

    transport = MockTransport(handler)
    session = Session(
        config=ClientConfig(),
        page_transports=GivenTransport(transport),
        media_transport=transport,
        rate_limit=rate_limit,
    )
    assert (await session.get_page(PROFILE)).body == b"page"
    assert (await session.get_page(PROFILE)).body == b"list"
    assert ["_waf" in cookie for cookie in cookies] == [False, True, False]
    assert "waforiginalreid=id" in cookies[1]
    assert acquired == [False, True, False], "only the answer does not wait for its turn"


@pytest.mark.usefixtures("solved")
async def test_a_second_challenge_is_a_block() -> None:
    asked: list[int] = []

    def handler(_: httpx.Request) -> httpx.Response:
        asked.append(1)
        return httpx.Response(200, content=PUZZLE)

    with pytest.raises(Challenged):
        await session_on(handler).get_page(PROFILE)
    assert len(asked) == 2


async def test_an_unsolvable_challenge_is_a_block() -> None:
    with pytest.raises(Challenged):
        await session_on(answering(body=PUZZLE)).get_page(PROFILE)


# --- the time ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "date"),
    [
        ({"Date": "Fri, 20 Nov 2026 10:00:00 GMT"}, datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ({"Date": "Fri, 20 Nov 2026 10:00:00 -0000"}, datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ({"Date": "Fri, 20 Nov 2026 12:00:00 +0200"}, datetime(2026, 11, 20, 10, tzinfo=UTC)),
        (
            {"Date": "Fri, 20 Nov 2026 10:00:00 GMT", "Age": "3600"},
            datetime(2026, 11, 20, 11, tzinfo=UTC),
        ),
        (
            {"Date": "Fri, 20 Nov 2026 10:00:00 GMT", "Age": "-5"},
            datetime(2026, 11, 20, 10, tzinfo=UTC),
        ),
        ({"Date": "Fri, 31 Dec 9999 23:59:59 GMT", "Age": "999999999"}, None),
        ({"Date": "Fri, 31 Dec 9999 23:59:59 GMT"}, None),
        ({"Date": "Mon, 01 Jan 0001 00:00:00 +2359"}, None),
        ({"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}, None),
        ({"Date": "tomorrow"}, None),
        ({"Date": "x" * 80}, None),
        ({}, None),
    ],
    ids=str,
)
async def test_the_time_in_an_answers_head(headers: dict[str, str], date: datetime | None) -> None:
    page = await session_on(lambda _: httpx.Response(200, headers=headers, content=b"x")).get_page(
        PROFILE
    )
    assert page.date == date


# --- cookies and headers ----------------------------------------------------------------------


async def test_one_jar_for_pages_and_media_and_none_of_it_abroad() -> None:
    seen: dict[str, str] = {}

    def handler(request: httpx.Request) -> httpx.Response:
        seen[request.url.host] = request.headers.get("cookie", "")
        return httpx.Response(
            200,
            headers=[
                ("Set-Cookie", "tt_chain_token=secret; Domain=.tiktok.com; Path=/; Secure"),
                ("Set-Cookie", "here=only; Path=/"),
                ("Set-Cookie", "planted=1; Domain=.tiktokcdn.com"),
                ("Set-Cookie", "planted=2; Domain=.com"),
            ],
            content=b"x",
        )

    session = session_on(handler)
    await session.get_page(PROFILE)
    await read(session)
    await read(session, "https://p16-common-sign.tiktokcdn.com/x.jpeg")
    await session.get_page(PROFILE)
    assert "tt_chain_token=secret" in seen["v16-webapp-prime.tiktok.com"]
    assert "here" not in seen["v16-webapp-prime.tiktok.com"]
    assert seen["p16-common-sign.tiktokcdn.com"] == ""
    assert "here=only" in seen["www.tiktok.com"]
    other = session_on(handler)
    await read(other, "https://v19-webapp-prime.tiktok.com/x")
    assert seen["v19-webapp-prime.tiktok.com"] == "", "sessions do not share"


@pytest.mark.parametrize("cookie", ["odd=café; Path=/", "oddé=x; Path=/", "odd=a\x01b; Path=/"])
async def test_a_cookie_that_no_request_can_carry_is_not_kept(cookie: str) -> None:
    """It would otherwise break every later request, those for other stories too."""
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie", ""))
        return httpx.Response(
            200,
            headers=[
                (b"Set-Cookie", f"{cookie}; Domain=.tiktok.com".encode()),
                (b"Set-Cookie", b"sound=1; Domain=.tiktok.com; Path=/"),
            ],
            content=b"x",
        )

    for ask in (lambda one: one.get_page(PROFILE), read):
        session, seen[:] = session_on(handler), []
        await ask(session)
        await session.get_page(PROFILE)
        await read(session)
        assert seen == ["", "sound=1", "sound=1"]


async def test_such_a_cookie_on_a_redirect_does_no_harm_either() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/@somebody":
            headers = [
                (b"Set-Cookie", "odd=é; Domain=.tiktok.com; Path=/".encode()),
                (b"Location", b"/@else"),
            ]
            return httpx.Response(302, headers=headers)
        return httpx.Response(200, content=b"page")

    assert (await session_on(handler).get_page(PROFILE)).body == b"page"


async def test_media_is_asked_for_with_the_handshake_of_the_pages() -> None:
    seen: list[object] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions.get("tls_target"))
        return httpx.Response(200, content=b"x")

    await read(session_on(handler))
    await read(session_on(handler, page_transport="httpx"))
    assert seen == ["chrome150", None]


async def test_another_programs_cookies_and_identity_are_taken_over() -> None:
    session = session_on(answering())
    other = session_on(answering())
    httpx.Cookies(other._jar).set("tt_chain_token", "abc", domain=".tiktok.com")
    identity = identity_ladder("httpx")[2]
    session.adopt(other._jar, identity)
    other._jar.clear()
    assert [(cookie.name, cookie.value) for cookie in session._jar] == [("tt_chain_token", "abc")]
    assert await session.identity() == identity


# --- the recorder ---------------------------------------------------------------------------------


async def test_a_recorder_gets_every_answer_whole_before_it_is_judged() -> None:
    told: list[tuple[str, int, str | None, bytes]] = []

    def note(url: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        told.append((url, status, headers.get("x-tt-system-error"), body))

    transport = MockTransport(answering(403, b"kept out", x_tt_system_error="3"))
    session = Session(
        config=ClientConfig(),
        page_transports=GivenTransport(transport),
        media_transport=transport,
        recorder=note,
    )
    for asking in (session, session.sibling()):
        with pytest.raises(Refused):
            await asking.get_page(PROFILE)
    assert told == [(PROFILE, 403, "3", b"kept out")] * 2
    with pytest.raises(StoriesError):
        await read(session)
    assert len(told) == 2, "files are not recorded"
