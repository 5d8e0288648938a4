"""The pipe to a browser of our own: two pipes, and a NUL byte after each message.

Nothing else on the machine can drive such a browser, as it could through a debugging port; and a
browser whose pipe closes ends by itself, even when its worker was killed.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import BinaryIO, Final

from stories.browser.cdp import MAX_MESSAGE_BYTES, BrowserGone

_END: Final = b"\0"
_CHUNK: Final = 64 * 1024


class PipeChannel:
    """A Channel over two pipes. reads, writes: the ends that are ours."""

    def __init__(self, reader: asyncio.StreamReader, transports: _Transports) -> None:
        self._reader = reader
        self._transports = transports
        self._buffer = bytearray()
        self._searched = 0

    @classmethod
    async def open(cls, reads: BinaryIO, writes: BinaryIO) -> PipeChannel:
        """The channel over two pipes' ends, which it closes with itself."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK)
        incoming, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), reads
        )
        try:
            outgoing, flow = await loop.connect_write_pipe(_Flow, writes)
        except BaseException:
            incoming.close()
            raise
        return cls(reader, _Transports(incoming, outgoing, flow))

    async def send(self, message: bytes) -> None:
        """Send one message. Raises BrowserGone."""
        outgoing, flow = self._transports.outgoing, self._transports.flow
        if outgoing.is_closing():
            raise BrowserGone("the browser ended")
        outgoing.write(message + _END)
        await flow.drained()

    async def receive(self) -> bytes:
        """The next message. Raises BrowserGone at the end, and for one that is too large."""
        while True:
            end = self._buffer.find(_END, self._searched)
            if end >= 0:
                message = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._searched = 0
                return message
            self._searched = len(self._buffer)
            if self._searched > MAX_MESSAGE_BYTES:
                raise BrowserGone("the browser sent a message that is too large")
            chunk = await self._reader.read(_CHUNK)
            if not chunk:
                raise BrowserGone("the browser ended")
            self._buffer += chunk

    async def aclose(self) -> None:
        """Close both pipes."""
        if not self._transports.outgoing.is_closing():
            self._transports.outgoing.abort()
        self._transports.incoming.close()
        self._buffer.clear()


class _Flow(asyncio.BaseProtocol):
    """Holds senders back while the browser does not read."""

    def __init__(self) -> None:
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._lost = False

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._may_write.set()

    async def drained(self) -> None:
        """Wait until more may be sent. Raises BrowserGone."""
        await self._may_write.wait()
        if self._lost:
            raise BrowserGone("the browser ended")


class _Transports:
    """Both directions."""

    def __init__(
        self,
        incoming: asyncio.ReadTransport,
        outgoing: asyncio.WriteTransport,
        flow: _Flow,
    ) -> None:
        self.incoming, self.outgoing, self.flow = incoming, outgoing, flow


def pipe_pair() -> tuple[BinaryIO, BinaryIO]:
    """The reading and the writing end of a new pipe, for whoever closes both."""
    reads, writes = os.pipe()
    opened: list[BinaryIO] = []
    try:
        opened.append(os.fdopen(reads, "rb", buffering=0))
        opened.append(os.fdopen(writes, "wb", buffering=0))
    except BaseException:
        for descriptor in (reads, writes):
            with suppress(OSError):
                os.close(descriptor)
        raise
    return opened[0], opened[1]
