"""What has arrived of a file, and what is still to come: kept from one address to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from stories.config import ClientConfig
from stories.http.media_head import MediaHead

# A range of a large file is at most this many segments long, so that a thousand requests are not
# needed for half a gigabyte.
LARGEST_RANGE_IN_SEGMENTS = 8


@dataclass(slots=True)
class ByteRange:
    """Bytes still to fetch: position moves towards end; None: to wherever the file ends."""

    position: int
    end: int | None

    @property
    def complete(self) -> bool:
        """Whether nothing of it is missing."""
        return self.end is not None and self.position >= self.end


@dataclass(slots=True, kw_only=True)
class Arrived:
    """The part of a file that is in the sink, and whose it is.

    bytes_done: how many bytes arrived. total_bytes: of the whole file, None while not known. etag,
    validator, content_type: as the first answer told them. ranges: every range asked for so far or
    to be asked for, the complete ones included. elsewhere: what is here came from another address.
    """

    bytes_done: int = 0
    total_bytes: int | None = None
    etag: str | None = None
    validator: str | None = None
    content_type: str = ""
    ranges: list[ByteRange] = field(default_factory=list)
    elsewhere: bool = False

    def begin(self, head: MediaHead) -> None:
        """Take the first answer's word for which file this is."""
        self.content_type, self.total_bytes = head.content_type, head.total
        self.etag, self.validator = head.etag, head.validator

    def begin_elsewhere(self) -> bool:
        """Go on at another address; True when it can be proven to have the same file.

        Otherwise nothing is kept.
        """
        known = self.total_bytes is not None and self.validator is not None
        if not (known and self.bytes_done and self.missing):
            self.clear()
            return False
        self.elsewhere = True
        return True

    def clear(self) -> None:
        """Forget all of it: the file is to be fetched from its beginning."""
        self.bytes_done, self.total_bytes, self.elsewhere = 0, None, False
        self.etag = self.validator = None
        self.content_type, self.ranges = "", []

    @property
    def mostly(self) -> bool:
        """Whether more than half of it is here."""
        return self.total_bytes is not None and self.bytes_done * 2 > self.total_bytes

    @property
    def missing(self) -> list[ByteRange]:
        """The ranges that are not complete, in order."""
        return sorted(
            (part for part in self.ranges if not part.complete), key=lambda part: part.position
        )

    def is_of(self, head: MediaHead) -> bool:
        """Whether a part is of the file that is here.

        Compared here too: not every server looks at If-Range. One that does may omit the date; one
        that had no say in what is here has to prove that it has the same.
        """
        same = {self.validator} if self.elsewhere else {None, self.validator}
        if head.etag != self.etag or head.validator not in same:
            return False
        return self.total_bytes is None or head.total == self.total_bytes


def divided(start: int, total: int, config: ClientConfig) -> Iterator[ByteRange]:
    """What lies behind `start`, in equal ranges of about a segment or more."""
    segment = config.segment_bytes
    rest, most = total - start, segment * LARGEST_RANGE_IN_SEGMENTS
    if rest <= 0:
        return
    size = min(max(-(-rest // max(config.segments, 1)), segment), most)
    size = -(-rest // max(round(rest / size), -(-rest // most)))
    for at in range(start, total, size):
        yield ByteRange(at, min(at + size, total))
