"""ISO base media boxes, of which MP4 and HEIC files are made: read, written and moved."""

from __future__ import annotations

import struct


def boxes(data: bytes, start: int = 0, end: int | None = None) -> list[tuple[bytes, int, int]]:
    """The ISO boxes in a stretch of bytes: (type, start, end), header included."""
    spans = []
    end = len(data) if end is None else end
    while start + 8 <= end:
        size = int.from_bytes(data[start : start + 4])
        if size == 1:
            size = int.from_bytes(data[start + 8 : start + 16])
        if size < 8:
            size = end - start
        spans.append((data[start + 4 : start + 8], start, min(start + size, end)))
        start += size
    return spans


def _shifted(moov: bytes, by: int) -> bytes:
    """The index with every chunk offset moved, for when bytes were put before the media."""
    out = bytearray(moov)

    def walk(start: int, end: int) -> None:
        for kind, at, stop in boxes(moov, start, end):
            if kind in {b"moov", b"trak", b"mdia", b"minf", b"stbl"}:
                walk(at + 8, stop)
            elif kind in {b"stco", b"co64"}:
                code = ">I" if kind == b"stco" else ">Q"
                width = struct.calcsize(code)
                for n in range(int.from_bytes(moov[at + 12 : at + 16])):
                    place = at + 16 + n * width
                    old = int.from_bytes(moov[place : place + width])
                    struct.pack_into(code, out, place, old + by)

    walk(0, len(moov))
    return bytes(out)


def index_first(data: bytes) -> bytes:
    """The same MP4 with its index (`moov`) before the media."""
    parts = {kind: data[start:end] for kind, start, end in boxes(data)}
    moov = _shifted(parts[b"moov"], len(parts[b"moov"]))
    rest = [data[start:end] for kind, start, end in boxes(data) if kind not in {b"ftyp", b"moov"}]
    return b"".join([parts[b"ftyp"], moov, *rest])


def padded(data: bytes, extra: int) -> bytes:
    """The same MP4 with a `free` box of `extra` bytes before the media."""
    extra = max(extra, 8)
    free = extra.to_bytes(4) + b"free" + bytes(extra - 8)
    out = []
    for kind, start, end in boxes(data):
        if kind == b"mdat":
            out.append(free)
        out.append(_shifted(data[start:end], len(free)) if kind == b"moov" else data[start:end])
    return b"".join(out)


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box around its parts."""
    body = b"".join(parts)
    return (8 + len(body)).to_bytes(4) + kind + body


def full_box(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    """A box with a version and flags, which most have."""
    return box(kind, bytes([version]) + flags.to_bytes(3), *parts)
