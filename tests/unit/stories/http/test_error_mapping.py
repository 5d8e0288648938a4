"""What statuses, headers and network failures mean."""

import inspect
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from curl_cffi import CurlError
from curl_cffi.requests import exceptions as curl_exceptions

from stories.errors import (
    ClockWrong,
    RateLimited,
    Refused,
    RegionLocked,
    StoriesError,
    UpstreamChanged,
    UpstreamDown,
)
from stories.http import error_mapping
from stories.http.body import BodyTooLarge
from tests.unit.stories.http import proxied_session
from tests.unit.stories.http.loopback import loopback
from tests.unit.stories.http.mock_session import FILE, PROFILE, Handler, answering, read, session_on

pytestmark = pytest.mark.anyio


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
        await session_on(answering(status)).get_page(PROFILE)
    assert type(caught.value) is expected


@pytest.mark.parametrize("status", [404, 410])
async def test_not_found_is_for_the_caller_to_read(status: int) -> None:
    assert not (await session_on(answering(status)).get_page(PROFILE)).found


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
        await session_on(handler).get_page(PROFILE)


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
    assert error_mapping.retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"), [("300", 300), ("5", 60), ("x", 60), ("999999", 3600)]
)
async def test_a_rate_limit_waits_at_least_a_minute(value: str, seconds: int) -> None:
    with pytest.raises(RateLimited) as caught:
        await session_on(answering(429, retry_after=value)).get_page(PROFILE)
    assert caught.value.retry_after_s == seconds


async def test_retry_after_is_reckoned_by_the_servers_own_clock() -> None:
    """Ours may be days off: it would wait for an hour, or not at all."""
    date, later = "Fri, 20 Nov 2020 12:00:00 GMT", "Fri, 20 Nov 2020 12:02:00 GMT"
    with pytest.raises(RateLimited) as caught:
        await session_on(answering(429, date=date, retry_after=later)).get_page(PROFILE)
    assert caught.value.retry_after_s == 120


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
    *(CurlError, BodyTooLarge, OSError, ConnectionResetError, ssl.SSLError, TimeoutError, EOFError),
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
    with pytest.raises(StoriesError) as caught:
        await session.get_page(PROFILE)
    assert caught.value.__cause__ is error or caught.value is error
    if isinstance(error, httpx.TransportError):  # all that the transport of media raises
        with pytest.raises(StoriesError) as caught:
            await read(session)
        assert caught.value.__cause__ is error


def test_the_walk_above_finds_them_all() -> None:
    assert {httpx.ReadTimeout, httpx.ProxyError, httpx.DecodingError, httpx.InvalidURL} <= set(
        HTTPX_ERRORS
    )
    assert {curl_exceptions.Timeout, curl_exceptions.IncompleteRead} <= set(CURL_ERRORS)


async def test_errors_name_the_place_and_no_signature() -> None:
    with pytest.raises(StoriesError) as caught:
        await session_on(answering(403)).get_page("https://www.tiktok.com/@a?secret=1")
    assert caught.value.detail == "www.tiktok.com/@a: status 403"
    with pytest.raises(StoriesError) as caught:
        await read(session_on(answering(403)), f"{FILE}&signature=abc")
    assert caught.value.detail == "v16-webapp-prime.tiktok.com: status 403"


# --- a clock that is wrong ---------------------------------------------------------------------


@pytest.mark.parametrize("curl", [True, False], ids=["curl", "httpx"])
@pytest.mark.parametrize("days", [1, -9], ids=["not yet valid", "expired"])
async def test_a_certificate_out_of_its_time_is_named_as_a_wrong_clock(
    tmp_path: Path, curl: bool, days: int
) -> None:
    begins = datetime.now(UTC) + timedelta(days=days)
    valid = (begins, begins + timedelta(days=8))
    async with (
        loopback(tmp_path, proxied_session.say_ok, valid=valid) as server,
        proxied_session.session_through(server, curl=curl) as session,
    ):
        with pytest.raises(ClockWrong, match=r"certificate (is not yet valid|has expired)"):
            await session.get_page(PROFILE)
        with pytest.raises(ClockWrong):
            await read(session)


@pytest.mark.parametrize("curl", [True, False], ids=["curl", "httpx"])
async def test_a_certificate_of_a_stranger_says_nothing_of_the_clock(
    tmp_path: Path, curl: bool
) -> None:
    async with (
        loopback(tmp_path, proxied_session.say_ok) as server,
        proxied_session.session_through(server, curl=curl, trusting=False) as session,
    ):
        with pytest.raises(UpstreamDown):
            await session.get_page(PROFILE)
