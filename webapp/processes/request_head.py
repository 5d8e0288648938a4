"""The size of a request's head: long cookies and tokens of a sign-in proxy pass, no more than that.

Gunicorn limits each header and their number, and reads up to the product of both before it refuses;
searching what it has after every piece takes seconds at 8 MB. A limit for all of them is ours.
"""

from __future__ import annotations

from typing import Any, Final

from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser

MAX_FIELD_BYTES: Final = 80 * 1024
"""Bytes of one header, its name included. Proxies pass on 64 KiB and add a few of their own."""
MAX_HEAD_BYTES: Final = 128 * 1024
"""Bytes of all headers of a request together."""


class BoundedRequest(Request):  # type: ignore[misc]
    """A request whose headers are refused (431) beyond MAX_HEAD_BYTES in all."""

    max_buffer_headers: int

    def parse(self, unreader: Any) -> Any:
        """Read the head; returns what came after it. Raises LimitRequestHeaders."""
        self.max_buffer_headers = min(self.max_buffer_headers, MAX_HEAD_BYTES)
        return super().parse(unreader)


def install() -> None:
    """Have this process read every request as a BoundedRequest."""
    RequestParser.mesg_class = BoundedRequest
