"""Response bodies of bounded size: read whole and decompressed, without ever expanding a bomb."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import httpx


class BodyTooLarge(httpx.TransportError):
    """The body exceeds the limit, announced or not, compressed or not."""


async def read_bounded(response: httpx.Response, limit: int, *, decompressed: bool) -> bytes:
    """The whole body, decompressed, of at most `limit` bytes.

    decompressed: True when the transport has expanded the body already (curl does, and keeps to
    the limit by itself). Otherwise gzip and deflate are undone here and not by httpx, which expands
    each chunk whole, and coding upon coding: two megabytes may become two gigabytes before they can
    be counted. Raises BodyTooLarge, httpx.DecodingError and what reading raises.
    """
    body = bytearray()
    coding = "" if decompressed else response.headers.get("content-encoding", "")
    decompress = _decompressor(coding)
    async for chunk in response.aiter_bytes() if decompressed else response.aiter_raw():
        body += decompress(chunk, limit + 1 - len(body))
        if len(body) > limit:
            raise BodyTooLarge(f"more than {limit} bytes", request=response.request)
    return bytes(body)


# From a compressed chunk and the most bytes wanted to the decompressed bytes.
_Decompress = Callable[[bytes, int], bytes]


def _decompressor(coding: str) -> _Decompress:
    """The decompressor for a Content-Encoding: at most one coding, and one that is announced.

    Raises httpx.DecodingError for any other value.
    """
    match coding.strip().lower():
        case "" | "identity":
            return _identity
        case "gzip" | "x-gzip":
            return _Inflater(gzip=True)
        case "deflate":
            return _Inflater(gzip=False)
    raise httpx.DecodingError(f"an encoding we did not ask for: {coding[:40]}")


def _identity(chunk: bytes, most: int) -> bytes:
    return chunk


class _Inflater:
    """Incremental gzip or deflate decompression, never further than asked."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._start = b""
        self._inflate: zlib._Decompress | None = None

    def __call__(self, chunk: bytes, most: int) -> bytes:
        if self._inflate is None:
            self._start += chunk
            if len(self._start) < 2:
                return b""
            chunk = self._start
            self._inflate = zlib.decompressobj(wbits=self._window(chunk))
        if self._inflate.eof:
            return b""  # what follows would only be collected
        try:
            return self._inflate.decompress(chunk, most)
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error

    def _window(self, start: bytes) -> int:
        if self._gzip:
            return zlib.MAX_WBITS | 16
        # Some servers leave out the two bytes that "deflate" should begin with.
        has_header = start[0] & 15 == zlib.DEFLATED and int.from_bytes(start[:2]) % 31 == 0
        return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS
