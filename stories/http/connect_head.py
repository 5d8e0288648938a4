"""The head of a CONNECT, as a guard and a proxy are asked, and of the answers (RFC 9110, 9.3.6)."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from stories.hosts import is_browser_host

MAX_HEAD_BYTES: Final = 16 * 1024
HEAD_END: Final = b"\r\n\r\n"

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # nosec B105  # of HTTP
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([\x21-\x7e]+) HTTP/1\.[01]")
_HEADER_LINE = re.compile(rf"({_TOKEN}):[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(r"([^:]+|\[[^\]]*\]):([0-9]{1,5})")
_STATUS_LINE = re.compile(r"HTTP/1\.[01] ([0-9]{3})(?: [\t\x20-\x7e\x80-\xff]*)?")


class HeadRefused(Exception):
    """A request that gets no tunnel. status: the answer. host: whom it named, "" for nobody."""

    def __init__(self, status: HTTPStatus, host: str = "") -> None:
        super().__init__(status.phrase)
        self.status, self.host = status, host


def may_begin_head(data: bytes | bytearray) -> bool:
    """False when bytes cannot become a request's head, however many follow."""
    return re.match(rf"{_TOKEN}( |\Z)|\Z".encode(), data) is not None


def connect_host(head: bytes) -> str:
    """The host, in lower case, that a CONNECT asks for. head: with the empty line at its end.

    Raises HeadRefused: 400 for what is no request, 405 for another method, 403 for a host or a
    port that is not let through.
    """
    first, *headers = head.removesuffix(HEAD_END).decode("latin-1").split("\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise HeadRefused(HTTPStatus.BAD_REQUEST)
    if line[1] != "CONNECT":
        raise HeadRefused(HTTPStatus.METHOD_NOT_ALLOWED)
    target = _TARGET.fullmatch(line[2])
    if target is None or not all(map(_is_harmless, headers)):
        raise HeadRefused(HTTPStatus.BAD_REQUEST)
    host = target[1].lower()
    if target[2] != "443" or not is_browser_host(host):
        raise HeadRefused(HTTPStatus.FORBIDDEN, host)
    return host


def _is_harmless(line: str) -> bool:
    """Whether a header line is well formed, and announces no body."""
    header = _HEADER_LINE.fullmatch(line)
    if header is None:
        return False
    name = header[1].lower()
    return name != "transfer-encoding" and (
        name != "content-length" or line.partition(":")[2].strip() == "0"
    )


def is_success(head: bytes) -> bool:
    """Whether the head of a proxy's answer to a CONNECT says that the tunnel is open."""
    line = _STATUS_LINE.fullmatch(head.partition(b"\r\n")[0].decode("latin-1"))
    return line is not None and line[1].startswith("2")


def answer(status: HTTPStatus) -> bytes:
    """A whole answer, without a body: nothing is said about why."""
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append("Allow: CONNECT")
    lines += ["Content-Length: 0", "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode("ascii")
