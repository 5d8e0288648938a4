"""A request to the guard names a listed host and port 443, or gets no tunnel."""

from http import HTTPStatus

import pytest

from stories.http.connect_head import (
    HeadRefused,
    answer,
    connect_host,
    is_success,
    may_begin_head,
)
from tests.attack.hostile_addresses import INSIDE, LOOPBACK

BAD, FORBIDDEN = HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN
METHOD = HTTPStatus.METHOD_NOT_ALLOWED
TIKTOK = "www.tiktok.com:443"


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([line, *headers, "", ""]).encode("utf-8", "surrogateescape")


def refusal(line: str, *headers: str) -> HeadRefused:
    with pytest.raises(HeadRefused) as refused:
        connect_host(head(line, *headers))
    return refused.value


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (TIKTOK, "www.tiktok.com"),
        ("WWW.TikTok.COM:443", "www.tiktok.com"),
        ("p16-sign-va.tiktokcdn.com:443", "p16-sign-va.tiktokcdn.com"),
        ("sf16-website-login.neutral.ttwstatic.com:443",) * 2,
    ],
)
def test_listed_hosts_are_let_through(target: str, host: str) -> None:
    host = host.removesuffix(":443")
    assert connect_host(head(f"CONNECT {target} HTTP/1.1", f"Host: {target}")) == host
    assert connect_host(head(f"CONNECT {target} HTTP/1.0")) == host


def test_usual_headers_are_taken() -> None:
    line = f"CONNECT {TIKTOK} HTTP/1.1"
    headers = ("Proxy-Connection: keep-alive", "User-Agent: Ünicode", "X:", "Content-Length: 0")
    assert connect_host(head(line, *headers)) == "www.tiktok.com"


@pytest.mark.parametrize("host", [*LOOPBACK, *INSIDE])
def test_no_address_of_this_network_is_let_through(host: str) -> None:
    assert refusal(f"CONNECT {host}:443 HTTP/1.1").status in {BAD, FORBIDDEN}


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("accounts.google.com:443", FORBIDDEN),
        ("www.tiktok.com:80", FORBIDDEN),
        ("www.tiktok.com:8443", FORBIDDEN),
        ("www.tiktok.com:0443", FORBIDDEN),
        ("www.tiktok.com:00443", FORBIDDEN),
        ("www.tiktok.com:0", FORBIDDEN),
        ("www.tiktok.com:99999", FORBIDDEN),
        ("www.tiktok.com:443443", BAD),
        ("www.tiktok.com:+443", BAD),
        ("www.tiktok.com:４４３", BAD),
        ("www.tiktok.com:443:443", BAD),
        ("www.tiktok.com:", BAD),
        ("www.tiktok.com", BAD),
        (":443", BAD),
        ("443", BAD),
        ("*", BAD),
        ("/", BAD),
        ("https://www.tiktok.com:443", BAD),
        ("https://www.tiktok.com/", BAD),
        ("www.tiktok.com.:443", FORBIDDEN),
        (".www.tiktok.com:443", FORBIDDEN),
        ("a..tiktok.com:443", FORBIDDEN),
        ("-.tiktokcdn.com:443", FORBIDDEN),
        ("*.tiktok.com:443", FORBIDDEN),
        ("ttwstatic.com:443", FORBIDDEN),
        ("evilttwstatic.com:443", FORBIDDEN),
        ("www.tiktok.com.evil.example:443", FORBIDDEN),
        ("user@www.tiktok.com:443", FORBIDDEN),
        ("user:word@www.tiktok.com:443", BAD),
        ("www.tiktok.com@127.0.0.1:443", FORBIDDEN),
        ("www.tiktok.com#.evil.example:443", FORBIDDEN),
        ("www.tiktok.com/../evil.example:443", FORBIDDEN),
        ("www.tiktok.com%00.evil.example:443", FORBIDDEN),
        ("www.tiktok.com\\.evil.example:443", FORBIDDEN),
        ("www.tıktok.com:443", BAD),
        ("ｗｗｗ.tiktok.com:443", BAD),
        ("xn--tktok-q4a.com:443", FORBIDDEN),
        ("[www.tiktok.com]:443", FORBIDDEN),
        ("[::1]:443", FORBIDDEN),
        ("::1:443", BAD),
        ("a" * 300 + ".tiktok.com:443", FORBIDDEN),
        ("a." * 130 + "tiktok.com:443", FORBIDDEN),
    ],
)
def test_other_hosts_ports_and_spellings_are_not(target: str, status: HTTPStatus) -> None:
    assert refusal(f"CONNECT {target} HTTP/1.1").status is status


def test_a_refusal_names_the_host() -> None:
    assert refusal("CONNECT Accounts.Google.com:443 HTTP/1.1").host == "accounts.google.com"
    assert refusal("CONNECT www.tiktok.com:80 HTTP/1.1").host == "www.tiktok.com"


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT", "connect", "TRACE", "X-Y"])
@pytest.mark.parametrize("target", ["/", "https://www.tiktok.com/", TIKTOK, "*"])
def test_other_methods_are_not_allowed(method: str, target: str) -> None:
    assert refusal(f"{method} {target} HTTP/1.1").status is METHOD


@pytest.mark.parametrize(
    "line",
    [
        "",
        "CONNECT",
        f"CONNECT {TIKTOK}",
        f"CONNECT {TIKTOK} HTTP/2.0",
        f"CONNECT {TIKTOK} HTTP/1.2",
        f"CONNECT {TIKTOK} HTTP/1.1 ",
        f"CONNECT  {TIKTOK} HTTP/1.1",
        f"CONNECT\t{TIKTOK} HTTP/1.1",
        f" CONNECT {TIKTOK} HTTP/1.1",
        f"CONNECT {TIKTOK} x HTTP/1.1",
        f"CONNECT {TIKTOK}\n HTTP/1.1",
        f"CONNECT {TIKTOK}\r HTTP/1.1",
        f"CONNECT {TIKTOK}\0 HTTP/1.1",
        f"CONNECT {TIKTOK} HTTP/1.1\nX: y",
        "PRI * HTTP/2.0",
        "\x16\x03\x01",
    ],
)
def test_what_is_no_request_line_is_malformed(line: str) -> None:
    assert refusal(line).status is BAD


@pytest.mark.parametrize(
    "header",
    [
        "no colon",
        ": no name",
        "Na me: x",
        "Name : x",
        " folded: x",
        "X: a\nY: b",
        "X: a\rY: b",
        "X: \0",
        "Content-Length: 5",
        "Content-Length: 0, 5",
        "content-length: -1",
        "Transfer-Encoding: chunked",
    ],
)
def test_malformed_headers_and_bodies_are_refused(header: str) -> None:
    assert refusal(f"CONNECT {TIKTOK} HTTP/1.1", header).status is BAD


def test_what_cannot_become_a_request_is_told_at_once() -> None:
    for data in (b"", b"C", b"CONNECT", b"CONNECT ", b"CONNECT x"):
        assert may_begin_head(data)
    for data in (b"\x16", b"\x16\x03\x01", b" ", b"\r\n", b"\0", b"GET\t", b"\x80"):
        assert not may_begin_head(data)


@pytest.mark.parametrize(
    ("line", "success"),
    [
        ("HTTP/1.1 200 OK", True),
        ("HTTP/1.0 200 Connection established", True),
        ("HTTP/1.1 200", True),
        ("HTTP/1.1 204 x", True),
        ("HTTP/1.1 302 Found", False),
        ("HTTP/1.1 407 Proxy Authentication Required", False),
        ("HTTP/1.1 100 Continue", False),
        ("HTTP/1.1 2000", False),
        ("HTTP/2 200", False),
        ("200 OK", False),
        ("", False),
    ],
)
def test_a_proxys_answer(line: str, *, success: bool) -> None:
    assert is_success(f"{line}\r\n\r\n".encode()) is success


def test_answers_say_nothing_about_why() -> None:
    assert answer(FORBIDDEN) == (
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    assert b"\r\nAllow: CONNECT\r\n" in answer(METHOD)
