"""How much a request's head may hold: what sign-in proxies send passes, an attack does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser

from webapp.processes import gunicorn, request_head


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a web process; the class of before comes back afterwards."""
    monkeypatch.setattr(RequestParser, "mesg_class", Request)
    request_head.install()


class Line:
    """What comes over the wire, in pieces of 8 KiB; `taken` counts the bytes that were read."""

    def __init__(self, headers: list[str]) -> None:
        head = "\r\n".join(["GET / HTTP/1.1", "Host: stories.example.org", *headers, "", ""])
        self._data = head.encode()
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._data), 8192):
            piece = self._data[start : start + 8192]
            self.taken += len(piece)
            yield piece


def read(line: Line) -> Any:
    """The request these headers make."""
    config = Config()
    config.set("limit_request_field_size", gunicorn.limit_request_field_size)
    return next(RequestParser(config, iter(line), ("127.0.0.1", 50_000)))


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
    request = read(Line(headers))
    assert [name for name, _ in request.headers] == ["HOST", *names]


@pytest.mark.parametrize(
    "headers",
    [
        [f"Cookie: session={'a' * 1_000_000}"],
        [f"X-{number}: {'a' * 70_000}" for number in range(95)],
        [f"X-{number}: a" for number in range(2_000)],
    ],
    ids=["one of 1 MB", "95 of 70 kB", "2,000 of them"],
)
def test_more_is_refused_before_it_was_read(headers: list[str]) -> None:
    line = Line(headers)
    with pytest.raises(LimitRequestHeaders):
        read(line)
    assert line.taken < request_head.MAX_HEAD_BYTES + 50_000
