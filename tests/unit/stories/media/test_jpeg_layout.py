"""The layout of JPEGs: the usual kind is told from others, and from what lacks something."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from PIL import Image

from stories.media.decoders import JPEG
from stories.media.jpeg_layout import Plain, plain_jpeg, segments, usual_grid
from stories.media.strict_decoding import inspect
from tests.unit.stories.media.grain import coloured_grain

DQT, DHT, SOF, SOS = b"\xff\xdb", b"\xff\xc4", b"\xff\xc0", b"\xff\xda"
ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\0"


@cache
def noise() -> Image.Image:
    return coloured_grain((203, 171))


def saved(mode: str = "RGB", **how: Any) -> bytes:
    out = io.BytesIO()
    noise().convert(mode).save(out, "JPEG", **how)
    return out.getvalue()


def plain(data: bytes) -> Plain:
    found = plain_jpeg(data)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("subsampling", "columns", "rows"), [("4:4:4", 26, 22), ("4:2:2", 13, 22), ("4:2:0", 13, 11)]
)
@pytest.mark.parametrize("how", [{}, {"optimize": True}, {"restart_marker_blocks": 5}], ids=str)
def test_the_usual_kind(subsampling: str, columns: int, rows: int, how: dict[str, Any]) -> None:
    grid = usual_grid(plain(saved(subsampling=subsampling, **how)))
    assert grid is not None
    assert (grid.width, grid.height, grid.columns, grid.rows) == (203, 171, columns, rows)
    assert grid.is_ycbcr


@pytest.mark.parametrize(
    "data",
    [
        saved(progressive=True),
        saved("L"),
        saved("CMYK"),
        saved(qtables=[[300] * 64]),
        saved()[:-200] + b"\xaa\xbb" * 99 + b"\xff\xd9",
        saved()[:2000] + bytes(600) + saved()[2000:],
    ],
    ids=["progressive", "grey", "CMYK", "fine tables", "an end that repeats", "a run of zeros"],
)
def test_others_are_not(data: bytes) -> None:
    assert usual_grid(plain(data)) is None


def _replaced(marker: bytes, at: int, value: int) -> Callable[[bytes], bytes]:
    """Put one byte into the first segment of a kind, or into its marker; at: from its start."""

    def change(data: bytes) -> bytes:
        place = data.index(marker) + at
        return data[:place] + bytes([value]) + data[place + 1 :]

    return change


def _inserted(segment: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(SOS, segment + SOS, 1)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no table of steps": _replaced(DQT, 1, 0xFE),
    "a step of zero": _replaced(DQT, 30, 0),
    "steps of another number": _replaced(DQT, 4, 3),
    "steps of two bytes": _replaced(DQT, 4, 0x10),
    "steps that lead out of their segment": _replaced(DQT, 3, 60),
    "no table of codes": _replaced(DHT, 1, 0xFE),
    "codes of another number": _replaced(DHT, 4, 3),
    "codes of a third kind": _replaced(DHT, 4, 0x20),
    "more codes than there can be": _replaced(DHT, 5, 3),
    "a code of all ones": lambda data: _replaced(DHT, 12, 2)(_replaced(DHT, 13, 0)(data)),
    "more symbols than there are": _replaced(DHT, 20, 99),
    "a size that no number has": _replaced(DHT, 22, 16),
    "a frame of other components": _replaced(SOF, 10, 9),
    "a frame with other tables": _replaced(SOF, 12, 3),
    "a scan of other components": _replaced(SOS, 5, 9),
    "a scan with other tables": _replaced(SOS, 6, 0x33),
    "a scan of some coefficients": _replaced(SOS, 12, 62),
    "components in another order": lambda data: _replaced(SOS, 7, 3)(_replaced(SOS, 9, 2)(data)),
    "two components of one name": lambda data: _replaced(SOF, 13, 1)(_replaced(SOS, 7, 1)(data)),
    "a second frame": lambda data: data.replace(SOS, data[data.index(SOF) :][:19] + SOS, 1),
    "an interval of another length": _inserted(b"\xff\xdd\0\3\0"),
    "a number of lines": _inserted(b"\xff\xdc\0\4\0\x10"),
    "a hierarchy": _inserted(b"\xff\xde\0\4\0\x10"),
    "a mark of no meaning": _inserted(b"\xff\xf3\0\2"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_what_lacks_something_is_not_looked_at_alone(damage: Callable[[bytes], bytes]) -> None:
    assert usual_grid(plain(damage(saved()))) is None


@pytest.mark.parametrize(
    "damage", [DAMAGES["no table of steps"], DAMAGES["components in another order"]]
)
def test_a_photo_that_libjpeg_refuses_gets_no_poster_of_another_picture(
    damage: Callable[[bytes], bytes],
) -> None:
    data = damage(saved(subsampling=0))
    with pytest.raises(OSError):  # noqa: PT011 - whatever its words
        Image.open(io.BytesIO(data)).load()
    assert inspect(data, JPEG, least_side=100).planes is None


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_colours_that_are_stored_as_such_are_told(subsampling: int) -> None:
    data = saved(subsampling=subsampling)
    rgb = data[:2] + ADOBE_RGB + data[20:]  # in place of JFIF's
    named = bytearray(data[:2] + data[20:])
    at, scan = named.index(SOF) + 10, named.index(SOS) + 5
    named[at : at + 9 : 3] = named[scan : scan + 6 : 2] = b"RGB"
    for stored in (rgb, bytes(named)):
        grid = usual_grid(plain(stored))
        assert grid is not None
        assert not grid.is_ycbcr
        found = inspect(stored, JPEG, least_side=100)
        assert (found.damaged or False, found.planes) == (False, None)


def test_a_change_in_the_joined_picture_is_all_that_changes() -> None:
    data = saved(comment=b"a note")
    picture = plain(data)
    joined = picture.joined()
    assert b"a note" in data
    assert b"a note" not in joined
    at = data.index(SOF) + 5
    changed = picture.joined((at, b"\x12\x34"))
    here = joined.index(SOF) + 5
    assert changed == joined[:here] + b"\x12\x34" + joined[here + 2 :]
    assert Image.open(io.BytesIO(joined)).convert("RGB").tobytes() == (
        Image.open(io.BytesIO(data)).convert("RGB").tobytes()
    )


def test_many_segments_take_no_memory() -> None:
    data = saved()
    bomb = data.replace(SOS, b"\xff\xdd\0\4\0\0" * 5000 + SOS, 1)
    assert sum(1 for _ in segments(bomb)) > 5000
    assert plain_jpeg(bomb) is None
    assert inspect(bomb, JPEG).damaged is None
