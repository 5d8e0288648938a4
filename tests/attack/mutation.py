"""Damage done to bytes, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from tests.fake_tiktok.iso_boxes import boxes

_NOTEWORTHY: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_CONTAINERS: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"meta", b"iprp"})
TEXT: Final = b"<html><script>alert(1)</script><body>404 Not Found</body></html>\n" * 16


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    """One to sixteen bits turned."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def cut(data: bytes, rng: random.Random) -> bytes:
    """Its end missing, or its beginning, or a piece from within."""
    first, last = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return rng.choice((data[:first], data[last:], data[:first] + data[last:]))


def dig(data: bytes, rng: random.Random) -> bytes:
    """A hole of zeros, of text or of noise."""
    size = min(rng.choice((1, 16, 64, 512, 4096)), len(data))
    at = rng.randrange(len(data) - size + 1)
    filling = rng.choice((bytes(size), (TEXT * 5)[:size], rng.randbytes(size)))
    return data[:at] + filling + data[at + size :]


def swap(data: bytes, rng: random.Random) -> bytes:
    """Two boxes of an MP4 in each other's place; of anything else two stretches."""
    spans = _spans(data, 0, len(data))
    if len(spans) < 2:
        step = max(len(data) // 16, 1)
        spans = [(at, min(at + step, len(data))) for at in range(0, len(data), step)]
    (first, first_end), (second, second_end) = sorted(rng.sample(spans, 2))
    if first_end > second:  # one within the other: repeated
        return data[:first] + data[second:second_end] + data[first:]
    return b"".join(
        (
            data[:first],
            data[second:second_end],
            data[first_end:second],
            data[first:first_end],
            data[second_end:],
        )
    )


def lie(data: bytes, rng: random.Random) -> bytes:
    """A number that is much too large, or none, where a size or a count may stand."""
    width = rng.choice((1, 2, 4, 4, 8))
    spans = _spans(data, 0, len(data))
    near = rng.choice(spans)[0] + rng.choice((0, 8, 12, 16, 20)) if spans else 0
    at = near if rng.random() < 0.7 else rng.randrange(len(data))
    at = max(0, min(at, len(data) - width))
    number = rng.choice(_NOTEWORTHY) & ((1 << 8 * width) - 1)
    return data[:at] + number.to_bytes(width, rng.choice(("big", "little"))) + data[at + width :]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """A stretch twice or a hundred times."""
    first, last = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    last = min(last, first + 4096)
    return data[:last] + data[first:last] * rng.choice((1, 3, 100)) + data[last:]


def append(data: bytes, rng: random.Random) -> bytes:
    """Something else behind it, or before."""
    more = rng.choice((TEXT, bytes(1000), rng.randbytes(300), b"PK\x03\x04" + bytes(60)))
    return data + more if rng.random() < 0.7 else more + data


Damage = Callable[[bytes, random.Random], bytes]
KINDS: Final[tuple[Damage, ...]] = (flip_bits, cut, dig, swap, lie, repeat, append)


def damaged(data: bytes, seed: int) -> tuple[str, bytes]:
    """The name of a kind of damage, and the bytes with it."""
    rng = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    if not data:
        return "nothing", rng.randbytes(8)
    return kind.__name__, kind(data, rng)


def _spans(data: bytes, start: int, end: int, depth: int = 0) -> list[tuple[int, int]]:
    """(start, end) of the boxes of an MP4 down to the tables; nothing for other files."""
    if depth == 0 and data[4:8] != b"ftyp":
        return []
    found = []
    for kind, first, last in boxes(data, start, end):
        found.append((first, last))
        if kind in _CONTAINERS and depth < 6:
            found += _spans(data, first + 8, last, depth + 1)
    return found
