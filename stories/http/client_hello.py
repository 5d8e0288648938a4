"""The first message of TLS, as a client sends it: which server it says it wants (RFC 8446, 6066).

Read strictly, so that no server can understand another name than the one found here.
"""

from __future__ import annotations

from typing import Final

MAX_HELLO_BYTES: Final = 16 * 1024
"""Longest ClientHello that is read, without the heads of its records."""

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_RECORD_HEAD, _MESSAGE_HEAD = 5, 4
_MAX_RECORD: Final = 2**14
_SERVER_NAME, _HOST_NAME = 0, 0


class NoClientHello(Exception):
    """The bytes are not the start of TLS, or name no server, or more than one."""


class ClientHelloReader:
    """Reads a ClientHello as it arrives, in pieces and records of any size. data: all that came."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._message = bytearray()
        self._record_at = 0

    def feed(self, chunk: bytes) -> str | None:
        """The server name (SNI) in lower case once the ClientHello is whole; None before.

        Raises NoClientHello as soon as no further byte can help.
        """
        self.data += chunk
        while self._take_record():
            size = self._size()
            if size is not None and len(self._message) == size:
                return _name_in(bytes(self._message[_MESSAGE_HEAD:]))
        return None

    def _take_record(self) -> bool:
        """Whether a whole record was there, which is part of the message now."""
        start = self._record_at + _RECORD_HEAD
        head = self.data[self._record_at : start]
        _check_record(head)
        end = start + int.from_bytes(head[3:], "big")
        # The first bytes of a long record tell already that it is none of ours.
        _check_message(self.data[start : min(end, start + 1)] if not self._message else b"")
        if len(head) < _RECORD_HEAD or len(self.data) < end:
            return False
        self._message += self.data[start:end]
        self._record_at = end
        return True

    def _size(self) -> int | None:
        """Bytes of the message, its head included; None while that is not known."""
        if len(self._message) < _MESSAGE_HEAD:
            return None
        size = int.from_bytes(self._message[1:_MESSAGE_HEAD], "big")
        if size > MAX_HELLO_BYTES:
            raise NoClientHello("the ClientHello is too long")
        if len(self._message) > _MESSAGE_HEAD + size:
            raise NoClientHello("more than a ClientHello in its record")
        return _MESSAGE_HEAD + size


def _check_message(start: bytes | bytearray) -> None:
    if start and start[0] != _CLIENT_HELLO:
        raise NoClientHello("the first message is not a ClientHello")


def _check_record(head: bytes | bytearray) -> None:
    """Raise NoClientHello for a record head, or the start of one, that is not of a handshake."""
    if (
        head[:1] not in (b"", bytes([_HANDSHAKE]))
        or head[1:2] not in (b"", b"\x03")
        or (len(head) > 2 and head[2] > 4)
    ):
        raise NoClientHello("not TLS")
    if len(head) == _RECORD_HEAD and not 0 < int.from_bytes(head[3:], "big") <= _MAX_RECORD:
        raise NoClientHello("a record of an impossible length")


class _Fields:
    """Bytes that are read from the front; each method raises NoClientHello when they end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._position = data, 0

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise NoClientHello("the ClientHello ends within a field")
        taken, self._position = self._data[self._position : end], end
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """Bytes that their own length of `size` bytes stands before."""
        return self.take(self.number(size))

    def end(self) -> None:
        if self:
            raise NoClientHello("bytes are left over in the ClientHello")


def _name_in(message: bytes) -> str:
    fields = _Fields(message)
    fields.take(2 + 32)  # version and random
    fields.vector(1)  # session id
    fields.vector(2)  # cipher suites
    fields.vector(1)  # compression methods
    extensions = _Fields(fields.vector(2))
    fields.end()
    names: list[bytes] = []
    while extensions:
        kind, body = extensions.number(2), extensions.vector(2)
        if kind == _SERVER_NAME:
            names.append(body)
    if len(names) != 1:
        raise NoClientHello("no server name, or two")
    extension = _Fields(names[0])
    entries = _Fields(extension.vector(2))
    extension.end()
    if entries.number(1) != _HOST_NAME:
        raise NoClientHello("a server name that is no host name")
    name = entries.vector(2)
    entries.end()
    if not name.isascii():
        raise NoClientHello("a server name that is not ASCII")
    return name.decode("ascii").lower()
