"""What has arrived of a file."""

from __future__ import annotations

from typing import Any

import pytest

from stories.config import ClientConfig
from stories.http.media_head import MediaHead
from stories.media.arrived import Arrived, ByteRange, divided


def head(**more: Any) -> MediaHead:
    given: dict[str, Any] = {
        "status": 206,
        "host": "a.tiktokcdn.com",
        "content_type": "video/mp4",
        "partial": True,
        "start": 0,
        "total": 1000,
        "length_bytes": 100,
        "etag": '"one"',
        "validator": '"one"',
    }
    return MediaHead(**{**given, **more})


def part(**more: Any) -> Arrived:
    arrived = Arrived()
    arrived.begin(head(**more))
    arrived.bytes_done = 600
    arrived.ranges = [ByteRange(100, 100), ByteRange(700, 1000), ByteRange(200, 300)]
    return arrived


def test_what_is_missing_is_told_in_order() -> None:
    arrived = part()
    assert arrived.missing == [ByteRange(200, 300), ByteRange(700, 1000)]
    assert arrived.mostly
    arrived.bytes_done = 500
    assert not arrived.mostly


def test_parts_of_the_same_file() -> None:
    arrived = part()
    assert arrived.is_of(head())
    assert not arrived.is_of(head(etag='"two"', validator='"two"'))
    assert not arrived.is_of(head(total=999))
    dated = part(etag=None, validator="Fri, 20 Nov 2026 08:00:00 GMT")
    assert dated.is_of(head(etag=None, validator=None)), "a part need not tell the date again"
    assert dated.begin_elsewhere()
    assert not dated.is_of(head(etag=None, validator=None)), "another address has to"


@pytest.mark.parametrize(
    "unproven", [{"validator": None, "etag": 'W/"one"'}, {"total": None}], ids=["tag", "length"]
)
def test_what_cannot_be_proven_is_not_gone_on_with_elsewhere(unproven: dict[str, Any]) -> None:
    arrived = part(**unproven)
    assert not arrived.begin_elsewhere()
    assert arrived == Arrived()


def test_nothing_is_nothing_elsewhere_too() -> None:
    assert not Arrived().begin_elsewhere()


def test_what_lacks_nothing_and_failed_all_the_same_is_begun_anew() -> None:
    arrived = part()
    arrived.ranges = [ByteRange(1000, 1000)]
    assert not arrived.begin_elsewhere()
    assert arrived.bytes_done == 0


@pytest.mark.parametrize("total", [0, 1, 100, 101, 4_321, 100_000])
@pytest.mark.parametrize("start", [0, 100])
def test_the_rest_is_divided_without_gap_or_overlap(start: int, total: int) -> None:
    ranges = list(divided(start, total, ClientConfig(segment_bytes=100, segments=4)))
    ends = [start, *(found.end for found in ranges)]
    assert [found.position for found in ranges] == ends[:-1]
    assert ends[-1] == max(total, start)
    assert all(found.position < (found.end or 0) <= found.position + 800 for found in ranges)
