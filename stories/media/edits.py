"""Small changes to a large file, applied while its bytes pass by.

What a file should say of itself is put in without reading it into memory and without decoding it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes that are left out of a file, and others in their place.

    at: offset in the file as it is. drop: how many bytes are left out there. insert: what comes
    instead of them.
    """

    at: int
    drop: int
    insert: bytes


def growth(edits: Iterable[Edit]) -> int:
    """How many bytes longer a file is with these edits."""
    return sum(len(edit.insert) - edit.drop for edit in edits)


def apply_edits(chunks: Iterable[bytes], edits: Sequence[Edit]) -> Iterator[bytes]:
    """The chunks of a file with its edits applied; one chunk in memory at a time.

    chunks: the whole file, in order. edits: none may overlap another. Those past the end of the
    file are not applied.
    """
    waiting = sorted(edits, key=lambda edit: edit.at)[::-1]
    at = skip = 0
    for chunk in chunks:
        start = 0
        while True:
            if skip:
                skipped = min(skip, len(chunk) - start)
                start, skip = start + skipped, skip - skipped
            if not waiting or waiting[-1].at >= at + len(chunk):
                break
            edit = waiting.pop()
            upto = max(start, edit.at - at)
            yield chunk[start:upto] + edit.insert
            start, skip = upto, edit.drop
        at += len(chunk)
        if start < len(chunk):
            yield chunk[start:] if start else chunk
    while waiting and waiting[-1].at <= at:
        yield waiting.pop().insert
