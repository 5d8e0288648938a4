"""Answers the server gives without the site, when a request never came to be one."""

from __future__ import annotations

from typing import Final

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def _closing(status: str, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", "Connection: close", "Content-Length: 0", *headers, "", "")
    return "\r\n".join(lines).encode("ascii")


TOO_SLOW: Final = _closing("408 Request Timeout")
TOO_BUSY: Final = _closing("503 Service Unavailable", "Retry-After: 5")
