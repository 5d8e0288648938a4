"""A browser's answers as today's client takes them."""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import Any

import httpx
import pytest

from stories.browser.answers import (
    MAX_COOKIES,
    network_error,
    redirect_to,
    response_of,
    set_cookies,
)
from stories.browser.traffic import Exchange
from stories.errors import UpstreamDown
from stories.http.body import BodyTooLarge
from stories.http.error_mapping import to_stories_error

URL = "https://www.tiktok.com/@a"


def request() -> httpx.Request:
    """A request for a page."""
    return httpx.Request("GET", URL)


def exchange(**facts: Any) -> Exchange:
    """An exchange that has ended."""
    return Exchange(id="1", url=URL, first_url=URL, done=True, **{"status": 200, **facts})


def cookie(**facts: Any) -> dict[str, Any]:
    """A cookie as a browser has it."""
    usual = {"name": "ttwid", "value": "1", "domain": ".tiktok.com", "path": "/", "secure": True}
    return {**usual, **facts}


def test_an_answer_keeps_what_belongs_to_its_body_and_loses_what_belongs_to_the_wire() -> None:
    headers = {
        "content-type": "text/html",
        "content-encoding": "br",
        "content-length": "5",
        "transfer-encoding": "chunked",
        "set-cookie": "a=b",
        "x-tt-system-error": "3",
        "x-many": "one\ntwo",
        "x-odd": "caf\u00e9",
        "n\u00e4me": "x",
    }
    response = response_of(exchange(headers=headers, body=b"page"), request(), [cookie()])
    assert response.content == b"page"
    assert response.headers["x-tt-system-error"] == "3"
    assert response.headers.get_list("x-many") == ["one", "two"]
    assert "content-encoding" not in response.headers
    assert "x-odd" not in response.headers
    assert response.headers.get_list("set-cookie") == [
        "ttwid=1; Domain=.tiktok.com; Path=/; Secure"
    ]


def test_cookies_arrive_in_the_jar_of_a_session() -> None:
    jar = CookieJar()
    cookies = [cookie(), cookie(name="own", domain="www.tiktok.com", secure=False, value='a="b"')]
    response = response_of(exchange(body=b""), request(), cookies)
    httpx.Cookies(jar).extract_cookies(response)
    assert {(c.name, c.value, c.domain, c.secure) for c in jar} == {
        ("ttwid", "1", ".tiktok.com", True),
        ("own", 'a="b"', "www.tiktok.com", False),
    }


@pytest.mark.parametrize(
    "odd",
    [
        {"name": ""},
        {"name": "a=b"},
        {"name": "a;b"},
        {"name": 5},
        {"value": None},
        {"value": "x; Domain=evil.example"},
        {"value": "x\r\nX-Evil: y"},
        {"value": "caf\u00e9"},
        {"value": "x" * 5000},
        {"domain": ""},
        {"domain": None},
    ],
)
def test_a_cookie_that_no_header_can_say_is_left_out(odd: dict[str, Any]) -> None:
    assert set_cookies([cookie(**odd), cookie(name="good")]) == [
        ("set-cookie", "good=1; Domain=.tiktok.com; Path=/; Secure")
    ]


def test_cookies_without_end_are_cut() -> None:
    assert len(set_cookies([cookie(name=f"c{n}") for n in range(1000)])) == MAX_COOKIES


def test_a_redirect_leads_where_the_browser_ended() -> None:
    response = redirect_to("https://www.tiktok.com/login", request(), [cookie()])
    assert (response.status_code, response.headers["location"]) == (
        302,
        "https://www.tiktok.com/login",
    )
    assert "set-cookie" in response.headers


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("net::ERR_TUNNEL_CONNECTION_FAILED", httpx.ConnectError),
        ("net::ERR_PROXY_CONNECTION_FAILED", httpx.ConnectError),
        ("net::ERR_NAME_NOT_RESOLVED", httpx.ConnectError),
        ("net::ERR_CONNECTION_REFUSED", httpx.ConnectError),
        ("net::ERR_CERT_AUTHORITY_INVALID", httpx.ConnectError),
        ("net::ERR_SSL_PROTOCOL_ERROR", httpx.ConnectError),
        ("net::ERR_CONNECTION_TIMED_OUT", httpx.ConnectTimeout),
        ("net::ERR_CONNECTION_RESET", httpx.ReadError),
        ("net::ERR_EMPTY_RESPONSE", httpx.ReadError),
        ("net::ERR_ABORTED", httpx.ReadError),
        ("net::ERR_SOMETHING_NEW", httpx.ReadError),
        ("", httpx.ReadError),
    ],
)
def test_an_error_of_the_browser_is_one_of_the_network(
    error: str, kind: type[httpx.TransportError]
) -> None:
    found = network_error(error, request())
    assert type(found) is kind
    assert isinstance(to_stories_error(found, "here"), UpstreamDown)
    with pytest.raises(kind):
        response_of(exchange(error=error or "net::ERR_FAILED", status=0), request(), [])


def test_a_status_without_a_body_is_an_answer_though_the_browser_calls_it_an_error() -> None:
    odd = exchange(status=403, error="net::ERR_HTTP_RESPONSE_CODE_FAILURE")
    assert response_of(odd, request(), []).status_code == 403


def test_a_body_that_breaks_off_is_an_error_whatever_its_status() -> None:
    broken = exchange(status=404, error="net::ERR_CONTENT_LENGTH_MISMATCH", received=5)
    with pytest.raises(httpx.ReadError):
        response_of(broken, request(), [])


def test_a_body_that_is_too_large_is_told() -> None:
    with pytest.raises(BodyTooLarge):
        response_of(exchange(too_large=True), request(), [])


@pytest.mark.parametrize("lost", [{"received": 5}, {"status": 0}])
def test_a_body_that_is_lost_is_not_an_empty_one(lost: dict[str, Any]) -> None:
    with pytest.raises(httpx.ReadError, match="lost"):
        response_of(exchange(**lost), request(), [])


def test_an_empty_answer_is_empty() -> None:
    assert response_of(exchange(), request(), []).content == b""
