"""A request while it arrives: gathered without a thread, handed on once all of it is there.

Heads are read by Gunicorn's parser, once their end has come, and how long a body is follows from
what it read: there is no second opinion on where a request ends.
"""

from __future__ import annotations

import os
from enum import Enum, auto
from typing import Any, Final, NoReturn

from gunicorn.http.body import LengthReader
from gunicorn.http.errors import LimitRequestHeaders, NoMoreData
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader

from webapp.server import uploads
from webapp.server.limits import MAX_BODY_BYTES, MAX_HEAD_BYTES

_END: Final = b"\r\n\r\n"


class Body(Enum):
    """What a request brings besides its head, as far as it is read."""

    WHOLE = auto()
    """All of it, be it nothing."""
    TOO_LARGE = auto()
    """More than MAX_BODY_BYTES by its own word; unread."""
    CHUNKED = auto()
    """Of unknown length; unread, for the site takes no such body."""


class _Gathered(Unreader):  # type: ignore[misc]  # the library has no types
    """Bytes that are all there, where Gunicorn's parser would read from a socket."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.add(data)

    def add(self, data: bytes | bytearray) -> None:
        """Put more behind what there is."""
        self.buf.seek(0, os.SEEK_END)
        self.buf.write(data)

    def chunk(self, size_hint: int | None = None) -> bytes:
        """No more: what there is lies in the buffer."""
        return b""


class Incoming:
    """What a connection has sent and nobody has answered yet.

    config: Gunicorn's. client: the other end's address, as `socket.accept` gives it. request: read
    from a complete head, while its body arrives. body: what of it is read. upload: a body that goes
    to the disk. taken_bytes: of the request that was taken last in memory, head and body.
    """

    def __init__(self, config: Any, client: Any) -> None:
        self._config, self._client = config, client
        self._data = bytearray()
        self._searched = 0
        self.request: Any = None
        self._head_bytes = self._length = 0
        self.body = Body.WHOLE
        self.upload: uploads.Upload | None = None
        self.taken_bytes = 0

    def __len__(self) -> int:
        """Bytes held, of a head that was read as well."""
        return self._head_bytes + len(self._data)

    @property
    def body_bytes(self) -> int:
        """Bytes that came of the body of `request`."""
        if self.upload is not None:
            return self.upload.received
        return len(self._data) if self.request is not None else 0

    @property
    def has_begun(self) -> bool:
        """Whether there is a part of a request."""
        return self.request is not None or bool(self._data)

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        if self.upload is not None and self.request is not None:
            data = data[self.upload.feed(data) :]
        self._data += data

    def forget(self) -> None:
        """Let go of what arrived: no request is taken any more."""
        self._data.clear()
        self.request, self._head_bytes = None, 0
        self.close_upload()

    def close_upload(self) -> None:
        """Let go of a body on the disk: its request was answered, or never will be."""
        if self.upload is not None:
            self.upload.close()
            self.upload = None

    def wants_to_continue(self) -> bool:
        """Whether the sender waits for a `100 Continue` with its body; asked once, true once."""
        if self.request is None or not self.request._expected_100_continue:  # noqa: SLF001
            return False
        self.request._expected_100_continue = False  # noqa: SLF001
        return True

    def take(self) -> Any:
        """The next request, with its body, or None while it is not all there.

        What follows it stays for the next call. A request whose `body` is not WHOLE is the last of
        its connection. Raises what Gunicorn's parser raises, and StopIteration or NoMoreData for
        what needs no answer.
        """
        if self.request is None and not self._read_head():
            return None
        if self.upload is not None:
            if not self.upload.is_whole:
                return None
            self._read_from_disk(self.upload)
        elif len(self._data) < self._length:
            return None
        request, length = self.request, self._length
        request._expected_100_continue = False  # noqa: SLF001 (the body is here or not wanted)
        if self.upload is None:
            request.unreader.add(self._data[:length])
            del self._data[:length]
        self.taken_bytes = self._head_bytes + length
        self.request, self._head_bytes, self._length, self._searched = None, 0, 0, 0
        return request

    def _read_head(self) -> bool:
        end = self._data.find(_END, max(0, self._searched - len(_END) + 1))
        if end < 0:
            self._refuse_endless()
            self._searched = len(self._data)
            return False
        if end > MAX_HEAD_BYTES:
            raise LimitRequestHeaders("max buffer headers")
        end += len(_END)
        self.request = Request(self._config, _Gathered(bytes(self._data[:end])), self._client)
        del self._data[:end]
        self._head_bytes = end
        self._measure_body()
        return True

    def _measure_body(self) -> None:
        reader = self.request.body.reader
        if not isinstance(reader, LengthReader):
            self.body = Body.CHUNKED
        elif reader.length > MAX_BODY_BYTES:
            self.upload = uploads.begin(self.request.path, reader.length)
            if self.upload is not None:
                del self._data[: self.upload.feed(self._data)]
            else:
                self.body = Body.TOO_LARGE
        else:
            self._length = reader.length
            return
        self.request.force_close()

    def _read_from_disk(self, upload: uploads.Upload) -> None:
        if upload.failed:
            self.body = Body.TOO_LARGE
        self.request.unreader = self.request.body.reader.unreader = upload.reader()

    def _refuse_endless(self) -> None:
        """Raise the parser's objection to a head that is too long, or ends its lines wrongly."""
        if len(self._data) > MAX_HEAD_BYTES:
            raise LimitRequestHeaders("max buffer headers")
        line: int = self._config.limit_request_line
        start = self._searched
        if start and self._data[start - 1] == ord("\r"):
            start -= 1
        has_bare_feed = self._data.count(b"\n", start) != self._data.count(b"\r\n", start)
        if has_bare_feed or (
            len(self._data) > line + 4 and self._data.find(b"\r\n", 0, line + 4) < 0
        ):
            self._have_it_refused()

    def _have_it_refused(self) -> NoReturn:
        Request(self._config, _Gathered(bytes(self._data)), self._client)
        raise NoMoreData
