"""Answers that have no end, lie about their length, or grow when they are unpacked."""

from __future__ import annotations

import asyncio
import base64
import gzip
import zlib
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Final

Send = Callable[[asyncio.StreamWriter], Awaitable[None]]

OK: Final = b"HTTP/1.1 200 OK\r\n"
UNPACKED: Final = 96 * 2**20
# 256 MiB of zeros by brotli's own encoder.
_BROTLI: Final = base64.b64decode(
    "y///P/gnAOKxQCD3/o///3/wTwDEYRGA7v0f////4J8AiMMCAN37P/7//8E/ARCHBQC693/8//+DfwIgDgsAdO//+P"
    "//B/8EQBwWAOje//H//w/+CYA4LADQvf/j//8f/BMAcVgAoHv/x///P/gnAOKwAED3/o///3/wTwDEYQGA7v0f////"
    "4J8AiMMCAN37P/7//8E/ARCHBQC693/8//+DfwIgDgsAdO//+P//B/8EQBwWAOje//H//w/+CYA4LADQvf/j//8f/B"
    "MAcVgAoHv/x///P/gnAOKwAED3/o///3/wTwDEYQGA7v0f////4J8AiMMCAN37P/7//8E/ARCHBQC693/8//+DfwIg"
    "DgsAdO//+P//B/8EQBwWAOje//H//w/+CYA4LADQvf/j//8f/BMAcVgAoHv/x///P/gnAOKwAED3/o///3/wTwDEYQ"
    "GA7v0f////4J8AiMMCAN37P/7//8E/ARCHBQC693/8//+DfwIgDgsAdO//+P//B/8EQBwWAOje//H//w/+CYA4LADQ"
    "vf/j//8f/BMAcVgAoHv/Nw=="
)


@cache
def _gzip() -> bytes:
    return gzip.compress(bytes(UNPACKED), 9, mtime=0)


@cache
def _zstd() -> bytes:
    """One frame of blocks that say "this byte, 128 KiB of it"."""
    block, size = 128 * 1024, 8192
    head = b"\x28\xb5\x2f\xfd" + b"\x00" + b"\x50"
    blocks = [(block << 3 | 2).to_bytes(3, "little") + b"\0" for _ in range(size)]
    return head + b"".join(blocks) + (1).to_bytes(3, "little")


def _whole(body: bytes, *headers: str) -> Send:
    async def send(writer: asyncio.StreamWriter) -> None:
        lines = "".join(f"{line}\r\n" for line in headers).encode()
        writer.write(OK + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    return send


def _endless(start: bytes, again: bytes, pause_s: float = 0) -> Send:
    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while not writer.is_closing():
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return send


def _then_closed(data: bytes) -> Send:
    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    return send


CHUNKED: Final = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BODIES: Final[dict[str, Callable[[], Send]]] = {
    "a head without end": lambda: _endless(OK, b"X-More: " + b"x" * 1000 + b"\r\n"),
    "a header without end": lambda: _endless(OK + b"X-More: ", b"x" * 10_000),
    "cookies without end": lambda: _endless(OK, b"Set-Cookie: a=" + b"x" * 1000 + b"\r\n"),
    "a status line without end": lambda: _endless(b"HTTP/1.1 200 ", b"x" * 10_000),
    "hints without end": lambda: _endless(b"", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 50),
    "a head, a byte now and then": lambda: _endless(OK, b"x", 0.05),
    "a body without end": lambda: _endless(OK + b"\r\n", b"x" * 65_536),
    "chunks without end": lambda: _endless(CHUNKED, b"10000\r\n" + b"x" * 65_536 + b"\r\n"),
    "a body, a byte now and then": lambda: _endless(OK + b"\r\n", b"x", 0.05),
    "a chunk's size without end": lambda: _endless(CHUNKED, b"0" * 10_000),
    "a chunk's notes without end": lambda: _endless(CHUNKED + b"5;a=", b"x" * 10_000),
    "trailers without end": lambda: _endless(CHUNKED + b"0\r\n", b"X: " + b"y" * 1000 + b"\r\n"),
    "a chunk larger than any number": lambda: _then_closed(CHUNKED + b"F" * 40 + b"\r\nxxxxx"),
    "a length larger than any number": lambda: _then_closed(
        OK + b"Content-Length: 99999999999999999999999\r\n\r\nxxxxx"
    ),
    "a length of a petabyte": lambda: _endless(
        OK + b"Content-Length: 1125899906842624\r\n\r\n", b"x" * 65_536
    ),
    "a length below zero": lambda: _then_closed(OK + b"Content-Length: -5\r\n\r\nxxxxx"),
    "two lengths": lambda: _then_closed(
        OK + b"Content-Length: 5\r\nContent-Length: 500\r\n\r\nxxxxx"
    ),
    "no HTTP at all": lambda: _endless(b"", b"\0" * 10_000),
    "gzip": lambda: _whole(_gzip(), "Content-Encoding: gzip"),
    "gzip in gzip": lambda: _whole(
        gzip.compress(_gzip(), 9, mtime=0), "Content-Encoding: gzip, gzip"
    ),
    "gzip in gzip, told in two lines": lambda: _whole(
        gzip.compress(_gzip(), 9, mtime=0), "Content-Encoding: gzip", "Content-Encoding: gzip"
    ),
    "deflate": lambda: _whole(zlib.compress(bytes(UNPACKED), 9), "Content-Encoding: deflate"),
    "brotli": lambda: _whole(_BROTLI, "Content-Encoding: br"),
    "zstd": lambda: _whole(_zstd(), "Content-Encoding: zstd"),
    "zstd in brotli, as it says": lambda: _whole(_zstd(), "Content-Encoding: zstd, br"),
    "many codings": lambda: _whole(b"x", "Content-Encoding: " + ", ".join(["gzip"] * 100)),
    "deep JSON": lambda: _whole(b"[" * 4_000_000),
}
