"""What is sent, to whom, and what the answers and failures mean."""

import asyncio
import gzip
import inspect
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from curl_cffi import CurlError
from curl_cffi.requests import exceptions as curl_exceptions

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
from stories.http import session
from stories.http.session import USER_AGENT, Purpose, Session
from stories.http.transports import TooBig, httpx_error

pytestmark = pytest.mark.anyio

PROFILE = "https://www.tiktok.com/@somebody"
FILE = "https://v16-webapp-prime.tiktok.com/video/tos/x/?expire=1"
Handler = Callable[[httpx.Request], httpx.Response]


def session_on(handler: Handler | Any, **settings: Any) -> Session:
    """A session whose pages and media both come from `handler`."""
    carrier = httpx.MockTransport(handler)
    return Session(config=ClientConfig(**settings), pages=carrier, media=carrier)


def answering(status: int = 200, body: bytes = b"<html>", **headers: str) -> Handler:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, headers=named, content=body)


async def read(session: Session, url: str = FILE, **part: Any) -> bytes:
    async with session.media(url, **part) as answer:
        return b"".join([chunk async for chunk in answer.chunks])


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
        await session.page(url)
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
        await session.page(PROFILE)
    with pytest.raises((UpstreamChanged, MediaUnavailable)):
        await read(session)
    assert set(asked) <= {"www.tiktok.com", "v16-webapp-prime.tiktok.com"}


async def test_pages_do_not_come_from_media_hosts() -> None:
    with pytest.raises(UpstreamChanged):
        await session_on(answering()).page("https://p16-sign.tiktokcdn.com/x")


# --- redirects --------------------------------------------------------------------------------


async def test_redirects_within_the_site_are_followed_and_each_waits_for_the_gate() -> None:
    gates: list[int] = []

    async def gate() -> None:
        gates.append(1)

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/@somebody":
            return httpx.Response(301, headers={"Location": "/@SomeBody?lang=en"})
        return httpx.Response(200, content=b"page")

    carrier = httpx.MockTransport(handler)
    session = Session(config=ClientConfig(), pages=carrier, media=carrier, gate=gate)
    page = await session.page(PROFILE)
    assert page.body == b"page"
    assert page.url == "https://www.tiktok.com/@SomeBody?lang=en"
    assert len(gates) == 2
    await read(session)
    assert len(gates) == 2, "media is not paced"


async def test_endless_redirects_end() -> None:
    asked: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(1)
        return httpx.Response(302, headers={"Location": str(request.url)})

    session = session_on(handler)
    with pytest.raises(UpstreamChanged, match="redirects"):
        await session.page(PROFILE)
    assert len(asked) == 6
    with pytest.raises(MediaUnavailable, match="redirects"):
        await read(session)
    assert len(asked) == 12


@pytest.mark.parametrize("target", ["/login", "/login?redirect_url=x", "/login/phone", "/Login/"])
async def test_the_login_wall(target: str) -> None:
    handler = answering(302, location=target)
    with pytest.raises(LoginRequired):
        await session_on(handler).page(PROFILE)


async def test_media_behind_the_login_wall_is_unavailable() -> None:
    with pytest.raises(MediaUnavailable):
        await read(session_on(answering(302, location="https://www.tiktok.com/login")))


async def test_an_unfollowed_redirect_is_handed_back() -> None:
    page = await session_on(answering(301, location="https://evil.example/")).page(
        PROFILE, follow=False
    )
    assert page.location == "https://evil.example/"


@pytest.mark.parametrize("target", ["", "https://[", "x" * 9000])
async def test_a_redirect_to_nowhere(target: str) -> None:
    with pytest.raises(UpstreamChanged):
        await session_on(answering(302, location=target)).page(PROFILE)


# --- statuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Refused),
        (403, Refused),
        (405, Refused),
        (412, Refused),
        (444, Refused),
        (429, RateLimited),
        (451, RegionLocked),
        (500, UpstreamDown),
        (502, UpstreamDown),
        (503, UpstreamDown),
        (504, UpstreamDown),
        (599, UpstreamDown),
        (400, UpstreamChanged),
        (204, UpstreamChanged),
        (304, UpstreamChanged),
        (418, UpstreamChanged),
    ],
)
async def test_what_a_status_means(status: int, expected: type[StoriesError]) -> None:
    with pytest.raises(StoriesError) as caught:
        await session_on(answering(status)).page(PROFILE)
    assert type(caught.value) is expected


@pytest.mark.parametrize("status", [404, 410])
async def test_not_found_is_for_the_caller_to_read(status: int) -> None:
    assert not (await session_on(answering(status)).page(PROFILE)).found


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(answering(body=b""), id="zero bytes"),
        pytest.param(answering(x_tt_system_error="3"), id="system error"),
        pytest.param(answering(bdturing_verify='{"code":"10000"}'), id="captcha gate"),
    ],
)
async def test_refusals_with_status_200(handler: Handler) -> None:
    with pytest.raises(Refused):
        await session_on(handler).page(PROFILE)


async def test_zero_bytes_can_be_asked_for() -> None:
    assert (await session_on(answering(body=b"")).page(PROFILE, allow_empty=True)).body == b""


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("90", 90.0),
        ("0", 0.0),
        ("999999999", 3600.0),
        ("9" * 5000, 3600.0),
        ("-5", None),
        ("soon", None),
        ("1e9", None),
        ("٣", None),
        (format_datetime(NOW.replace(minute=2), usegmt=True), 120.0),
        (format_datetime(NOW.replace(hour=11), usegmt=True), 0.0),
        (format_datetime(NOW.replace(year=2999), usegmt=True), 3600.0),
        ("Fri, 20 Nov 2026 12:02:00", 120.0),
        ("Fri, 99 Nov 2026 12:02:00 GMT", None),
        ("Fri, 20 Nov 99999999999 12:02:00 GMT", None),
        ("x" * 100_000, None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert session.retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"), [("300", 300), ("5", 60), ("x", 60), ("999999", 3600)]
)
async def test_a_rate_limit_waits_at_least_a_minute(value: str, seconds: int) -> None:
    with pytest.raises(RateLimited) as caught:
        await session_on(answering(429, retry_after=value)).page(PROFILE)
    assert caught.value.retry_after_s == seconds


# --- network errors ---------------------------------------------------------------------------


def every(root: type[BaseException]) -> list[type[BaseException]]:
    found = [root]
    for child in root.__subclasses__():
        found += every(child)
    return found


def made(kind: type[BaseException]) -> BaseException:
    """One of these exceptions, whatever its constructor asks for."""
    request = httpx.Request("GET", PROFILE)
    arguments: dict[str, Any] = {
        "message": "m",
        "msg": "m",
        "request": request,
        "response": httpx.Response(500, request=request),
    }
    asked = inspect.signature(kind.__init__).parameters
    if issubclass(kind, curl_exceptions.RequestException):
        return kind("m", 0)
    return kind(**{name: value for name, value in arguments.items() if name in asked})


HTTPX_ERRORS = [
    value
    for value in vars(httpx).values()
    if inspect.isclass(value) and issubclass(value, Exception)
]
CURL_ERRORS = [
    kind
    for kind in every(curl_exceptions.RequestException)
    if kind.__module__ == curl_exceptions.__name__
    and "Warning" not in kind.__name__
    and kind is not curl_exceptions.JSONDecodeError  # needs a document; nothing here parses JSON
]
OTHERS = [
    *(CurlError, TooBig, OSError, ConnectionResetError, ssl.SSLError, TimeoutError, EOFError),
    ValueError,
]


@pytest.mark.parametrize(
    "kind", [*HTTPX_ERRORS, *CURL_ERRORS, *OTHERS], ids=lambda kind: kind.__name__
)
async def test_no_network_error_escapes(kind: type[BaseException]) -> None:
    error = kind("m") if kind in OTHERS else made(kind)

    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    session = session_on(handler)
    for attempt in (session.page(PROFILE), read(session)):
        with pytest.raises(StoriesError) as caught:
            await attempt
        assert caught.value.__cause__ is error or caught.value is error


def test_the_walk_above_finds_them_all() -> None:
    assert {httpx.ReadTimeout, httpx.ProxyError, httpx.DecodingError, httpx.InvalidURL} <= set(
        HTTPX_ERRORS
    )
    assert {curl_exceptions.Timeout, curl_exceptions.IncompleteRead} <= set(CURL_ERRORS)


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (6, "Could not resolve", httpx.ConnectError),
        (7, "", httpx.ConnectError),
        (28, "Connection timed out after 10 ms", httpx.ConnectTimeout),
        (28, "Operation timed out", httpx.ReadTimeout),
        (35, "", httpx.ConnectError),
        (52, "", httpx.RemoteProtocolError),
        (56, "Recv failure", httpx.ReadError),
        (56, "CONNECT tunnel failed, response 403", httpx.ProxyError),
        (60, "", httpx.ConnectError),
        (61, "", httpx.DecodingError),
        (63, "", TooBig),
        (92, "", httpx.RemoteProtocolError),
        (97, "", httpx.ProxyError),
        (0, "", httpx.TransportError),
        (9999, "", httpx.TransportError),
    ],
)
def test_curl_codes(code: int, text: str, expected: type[Exception]) -> None:
    error = CurlError(text, code)  # type: ignore[arg-type]
    found = httpx_error(error, httpx.Request("GET", FILE))
    assert type(found) is expected
    assert "expire" not in str(found), "no signed address in an error"


async def test_errors_name_the_place_and_no_signature() -> None:
    with pytest.raises(StoriesError) as caught:
        await session_on(answering(403)).page("https://www.tiktok.com/@a?secret=1")
    assert caught.value.detail == "www.tiktok.com/@a: status 403"
    with pytest.raises(StoriesError) as caught:
        await read(session_on(answering(403)), f"{FILE}&signature=abc")
    assert caught.value.detail == "v16-webapp-prime.tiktok.com: status 403"


# --- sizes and times --------------------------------------------------------------------------


async def test_a_page_over_the_limit_is_not_read() -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 1000

    session = session_on(lambda _: httpx.Response(200, content=endless()), max_page_bytes=10_000)
    with pytest.raises(UpstreamChanged, match="larger"):
        await session.page(PROFILE)
    assert sent <= 12


async def test_a_gzip_bomb_is_not_expanded() -> None:
    bomb = gzip.compress(b"0" * 30_000_000)

    async def trickle() -> Any:
        for start in range(0, len(bomb), 256):
            yield bomb[start : start + 256]

    session = session_on(
        lambda _: httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=trickle()),
        max_page_bytes=1_000_000,
        page_transport="httpx",
    )
    with pytest.raises(UpstreamChanged, match="larger"):
        await session.page(PROFILE)


def compressed(data: bytes, window: int) -> bytes:
    """window: as in zlib; 31 is gzip, 15 is deflate as meant, -15 as many servers send it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return packer.compress(data) + packer.flush()


async def sent(data: bytes, piece: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), piece):
        yield data[start : start + piece]


@pytest.mark.parametrize(
    ("coding", "window"),
    [("gzip", 31), ("x-gzip", 31), ("GZip", 31), ("deflate", 15), ("deflate", -15)],
)
@pytest.mark.parametrize("piece", [1, 7, 100_000])
async def test_compressed_pages_are_read(coding: str, window: int, piece: int) -> None:
    text = b"".join(b"%d " % number for number in range(5000))
    body = compressed(text, window)
    session = session_on(
        lambda _: httpx.Response(
            200, headers={"Content-Encoding": coding}, content=sent(body, piece)
        ),
        max_page_bytes=len(text),
        page_transport="httpx",
    )
    assert (await session.page(PROFILE)).body == text


@pytest.mark.parametrize("window", [31, 15, -15])
async def test_a_bomb_takes_no_more_memory_than_a_page_may(window: int) -> None:
    coding = "gzip" if window == 31 else "deflate"
    bomb = compressed(bytes(64 * 2**20), window)
    session = session_on(
        lambda _: httpx.Response(
            200, headers={"Content-Encoding": coding}, content=sent(bomb, len(bomb))
        ),
        max_page_bytes=100_000,
        page_transport="httpx",
    )
    tracemalloc.start()
    try:
        with pytest.raises(UpstreamChanged, match="larger"):
            await session.page(PROFILE)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "codings", [["gzip, gzip"], ["gzip", "gzip"], ["deflate,gzip"], ["br"], ["gzip, identity, br"]]
)
async def test_codings_we_did_not_ask_for_are_not_even_read(codings: list[str]) -> None:
    pieces: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        pieces.append(1)
        yield b"x"

    session = session_on(
        lambda _: httpx.Response(
            200, headers=[("Content-Encoding", coding) for coding in codings], content=body()
        ),
        page_transport="httpx",
    )
    with pytest.raises(UpstreamDown):
        await session.page(PROFILE)
    assert pieces == []


async def test_broken_compression_is_the_servers_trouble() -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        headers = {"Content-Encoding": "gzip"}
        return httpx.Response(200, headers=headers, content=sent(b"not gzip", 3))

    with pytest.raises(UpstreamDown):
        await session_on(handler, page_transport="httpx").page(PROFILE)


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
        await session.page(PROFILE)


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
    gates: list[bool] = []

    async def gate(*, at_once: bool = False) -> None:
        gates.append(at_once)

    def handler(request: httpx.Request) -> httpx.Response:
        cookies.append(request.headers.get("cookie", ""))
        if "_wafchallengeid=answer==" in cookies[-1]:
            return httpx.Response(200, content=b"page")
        return httpx.Response(200, content=PUZZLE if len(cookies) == 1 else b"list")

    carrier = httpx.MockTransport(handler)
    session = Session(config=ClientConfig(), pages=carrier, media=carrier, gate=gate)
    assert (await session.page(PROFILE)).body == b"page"
    assert (await session.page(PROFILE)).body == b"list"
    assert ["_waf" in cookie for cookie in cookies] == [False, True, False]
    assert "waforiginalreid=id" in cookies[1]
    assert gates == [False, True, False], "only the answer does not wait for its turn"


@pytest.mark.usefixtures("solved")
async def test_a_second_challenge_is_a_block() -> None:
    asked: list[int] = []

    def handler(_: httpx.Request) -> httpx.Response:
        asked.append(1)
        return httpx.Response(200, content=PUZZLE)

    with pytest.raises(Challenged):
        await session_on(handler).page(PROFILE)
    assert len(asked) == 2


async def test_an_unsolvable_challenge_is_a_block() -> None:
    with pytest.raises(Challenged):
        await session_on(answering(body=PUZZLE)).page(PROFILE)


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
    await session.page(PROFILE)
    await read(session)
    await read(session, "https://p16-common-sign.tiktokcdn.com/x.jpeg")
    await session.page(PROFILE)
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

    for ask in (lambda one: one.page(PROFILE), read):
        session, seen[:] = session_on(handler), []
        await ask(session)
        await session.page(PROFILE)
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

    assert (await session_on(handler).page(PROFILE)).body == b"page"


async def test_one_user_agent_and_always_a_referer_for_media() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"x")

    session = session_on(handler)
    await session.page(PROFILE)
    await session.page(PROFILE, Purpose.LIST, referer=PROFILE)
    await read(session, start=5, end=10, validator='"e"')
    await session.page(PROFILE, Purpose.PREVIEW)
    page, listing, media, preview = (request.headers for request in seen)
    assert {head["user-agent"] for head in (page, listing, media)} == {USER_AGENT}
    assert page["sec-fetch-mode"] == "navigate"
    assert "referer" not in page
    assert listing["sec-fetch-mode"] == "cors"
    assert listing["referer"] == PROFILE
    assert "upgrade-insecure-requests" not in listing
    assert media["referer"] == "https://www.tiktok.com/"
    assert media["range"] == "bytes=5-9"
    assert media["if-range"] == '"e"'
    assert media["accept-encoding"] == "identity"
    assert preview["user-agent"] == "facebookexternalhit/1.1"
    assert "sec-ch-ua" not in preview


async def test_the_hints_agree_with_the_user_agent() -> None:
    assert "Chrome/150." in session.USER_AGENT
    assert '"Chromium";v="150"' in dict(session.CLIENT_HINTS)["sec-ch-ua"]


# --- media answers ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [204, 304, 400, 401, 403, 404, 410, 416, 429, 500, 503])
async def test_media_that_is_refused(status: int) -> None:
    with pytest.raises(MediaUnavailable, match=str(status)):
        await read(session_on(answering(status, b"")))


@pytest.mark.parametrize(
    "told",
    ["", "bytes 0-1", "bytes 5-1/10", "bytes 0-10/10", "bytes */10", "items 0-1/2", "bytes 0-1/x"],
)
async def test_a_part_that_makes_no_sense(told: str) -> None:
    with pytest.raises(MediaUnavailable):
        await read(session_on(answering(206, b"ab", content_range=told)), end=2)


async def test_what_a_media_answer_tells() -> None:
    handler = answering(
        206,
        b"abc",
        content_range="bytes 4-6/100",
        content_type="Video/MP4; charset=x",
        etag='W/"weak"',
        last_modified="Fri, 20 Nov 2026 08:00:00 GMT",
    )
    async with session_on(handler).media(FILE, start=4, end=7) as answer:
        assert (answer.partial, answer.start, answer.total, answer.length_bytes) == (
            True,
            4,
            100,
            3,
        )
        assert answer.content_type == "video/mp4"
        assert answer.validator == "Fri, 20 Nov 2026 08:00:00 GMT", "a weak tag proves nothing"


async def test_compressed_media_is_refused() -> None:
    handler = answering(200, gzip.compress(b"x"), content_encoding="gzip")
    with pytest.raises(MediaUnavailable, match="encoding"):
        await read(session_on(handler))


async def test_a_consumers_own_error_is_not_taken_for_the_networks() -> None:
    async with session_on(answering(200, b"x")).media(FILE) as answer:
        with pytest.raises(OSError, match="disk full"):  # noqa: PT012
            async for _ in answer.chunks:
                raise OSError("disk full")
