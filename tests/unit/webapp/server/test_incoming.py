"""A request while it arrives: where it ends, how much of it is read, what is refused early."""

from __future__ import annotations

from typing import Any

import pytest
from gunicorn.http.errors import (
    InvalidHeader,
    InvalidRequestLine,
    LimitRequestHeaders,
    LimitRequestLine,
)
from hypothesis import given
from hypothesis import strategies as st

from webapp import web
from webapp.server import limits
from webapp.server.incoming import Body, Incoming

CONFIG = web.configuration(4)
GET = b"GET / HTTP/1.1\r\nHost: stories.example.org\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n"


def incoming() -> Incoming:
    """Nothing yet, of a connection from this machine."""
    return Incoming(CONFIG, ("127.0.0.1", 50_000))


def read(sent: bytes, piece_bytes: int = 8192) -> tuple[list[Any], int]:
    """The requests in what comes in such pieces, and the bytes that had to come."""
    gathered, requests = incoming(), []
    taken = 0
    for start in range(0, len(sent), piece_bytes):
        gathered.feed(sent[start : start + piece_bytes])
        taken += piece_bytes
        while (request := gathered.take()) is not None:
            requests.append(request)
    return requests, taken


def head(headers: list[str]) -> bytes:
    """A request with these headers."""
    lines = ["GET / HTTP/1.1", "Host: stories.example.org", *headers, "", ""]
    return "\r\n".join(lines).encode()


@given(cuts=st.lists(st.integers(1, 40), max_size=12))
def test_however_it_is_cut_the_same_requests_come_of_it(cuts: list[int]) -> None:
    body = b"\r\n\r\nGET / \r"
    assert len(body) == 11
    sent = GET + POST + body + GET + b"\r\n" + GET
    gathered, bodies = incoming(), []
    for size in [*cuts, len(sent)]:
        gathered.feed(sent[:size])
        sent = sent[size:]
        while (request := gathered.take()) is not None:
            bodies.append((request.method, request.body.read()))
    assert bodies == [("GET", b""), ("POST", body), ("GET", b""), ("GET", b"")]


def test_a_name_that_only_the_server_could_tell_from_another_is_dropped() -> None:
    """Below, `Remote_User` would be `Remote-User`, which a proxy may be asked for."""
    (request,), _taken = read(head(["Remote_User: root", "Remote-User: nora", "REMOTE_USER: root"]))
    assert ("REMOTE-USER", "nora") in request.headers
    assert "root" not in str(request.headers)


def test_it_says_what_it_holds() -> None:
    gathered = incoming()
    assert (len(gathered), gathered.has_begun) == (0, False)
    gathered.feed(POST + b"hello")
    assert gathered.take() is None
    assert (len(gathered), gathered.body_bytes, gathered.has_begun) == (len(POST) + 5, 5, True)
    gathered.feed(b" world")
    assert gathered.take().body.read() == b"hello world"
    assert (len(gathered), gathered.taken_bytes, gathered.has_begun) == (0, len(POST) + 11, False)
    gathered.feed(b"GET")
    gathered.forget()
    assert (len(gathered), gathered.has_begun) == (0, False)


def test_who_wants_to_be_told_to_continue_is_known_once() -> None:
    gathered = incoming()
    gathered.feed(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    assert gathered.take() is None
    assert gathered.wants_to_continue()
    assert not gathered.wants_to_continue()


def test_whose_body_is_here_need_not_be_told() -> None:
    gathered = incoming()
    gathered.feed(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n") + b"hello world")
    assert not gathered.take()._expected_100_continue


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (f"Content-Length: {limits.MAX_BODY_BYTES}", Body.WHOLE),
        (f"Content-Length: {limits.MAX_BODY_BYTES + 1}", Body.TOO_LARGE),
        ("Content-Length: 99999999999999999999999999", Body.TOO_LARGE),
        ("Transfer-Encoding: chunked", Body.CHUNKED),
    ],
)
def test_a_body_that_is_not_read_is_not_waited_for(header: str, body: Body) -> None:
    gathered = incoming()
    gathered.feed(head([header]))
    request = gathered.take()
    assert gathered.body is body
    assert (request is None) == (body is Body.WHOLE)
    if request is not None:
        assert request.should_close()


@pytest.mark.parametrize(
    "headers",
    [
        [f"Cookie: session={'a' * 60_000}"],
        [f"Cookie: session={'a' * 65_536}"],
        [f"X-Auth-{number}: {'a' * 6_000}" for number in range(10)],
        [f"Cookie: a={'a' * 40_000}", f"X-Forwarded-Access-Token: {'b' * 24_000}"],
    ],
    ids=["one cookie", "64 KiB", "ten tokens", "a cookie and a token"],
)
def test_what_a_sign_in_proxy_sends_is_read(headers: list[str]) -> None:
    names = [header.partition(":")[0].upper() for header in headers]
    (request,), _taken = read(head(headers))
    assert [name for name, _ in request.headers] == ["HOST", *names]


@pytest.mark.parametrize(
    "headers",
    [
        [f"Cookie: session={'a' * 1_000_000}"],
        [f"X-{number}: {'a' * 70_000}" for number in range(95)],
        [f"X-{number}: a" for number in range(20_000)],
    ],
    ids=["one of 1 MB", "95 of 70 kB", "20,000 of them"],
)
@pytest.mark.parametrize("piece_bytes", [8192, 65_536])
def test_more_is_refused_before_it_was_read(headers: list[str], piece_bytes: int) -> None:
    gathered, taken = incoming(), 0
    sent = head(headers)
    with pytest.raises(LimitRequestHeaders):  # noqa: PT012 (which piece it is, is the point)
        while taken < len(sent):
            gathered.feed(sent[taken : taken + piece_bytes])
            taken += piece_bytes
            gathered.take()
    assert taken <= limits.MAX_HEAD_BYTES + piece_bytes


def test_a_long_head_that_comes_at_once_is_refused_as_well() -> None:
    with pytest.raises(LimitRequestHeaders):
        read(head([f"Cookie: {'a' * 140_000}"]), 1_000_000)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"GET / HTTP/1.1\n", InvalidRequestLine),
        (b"GET / HTTP/1.1\r\nHost: a\n", InvalidHeader),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", InvalidHeader),
        (b"GET /" + b"a" * 9000, LimitRequestLine),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1, 7, 100_000])
def test_what_never_ends_as_it_should_is_not_waited_for(
    sent: bytes, error: type[Exception], piece_bytes: int
) -> None:
    with pytest.raises(error):
        read(sent, piece_bytes)
