"""nal_units: damage that shows in the bytes of a video packet."""

from __future__ import annotations

import random

import pytest

from stories.errors import MediaCorrupt
from stories.media.nal_units import nal_units, refuse_foreign_bytes, refuse_hole

NOISE = bytes(byte or 7 for byte in random.Random(7).randbytes(200_000))
TEXT = b"The requested page was not found on this server. Try again later, please!\r\n" * 20


def unit(content: bytes) -> bytes:
    return len(content).to_bytes(4) + content


def test_units_fill_a_packet_one_behind_the_other() -> None:
    packet = unit(b"\x67abc") + unit(b"\x65de")
    assert [packet[start:end] for start, end in nal_units(packet, 4, 1)] == [b"\x67abc", b"\x65de"]


@pytest.mark.parametrize(
    "packet",
    [unit(b"\x65abc")[:-1], unit(b""), unit(b"\xe5abc"), unit(b"\x65abc") + b"\0\0\1"],
    ids=["cut", "empty", "no unit", "a rest"],
)
def test_what_is_not_made_of_whole_units_is_refused(packet: bytes) -> None:
    with pytest.raises(MediaCorrupt, match="broken data in video packet 7"):
        list(nal_units(packet, 4, 7))


def refused(content: bytes) -> bool:
    """Whether picture data, with as much as that around it, is refused."""
    try:
        refuse_foreign_bytes(b"\0" * 9 + content + b"\0" * 9, 9, 9 + len(content), 1)
    except MediaCorrupt:
        return True
    return False


def test_picture_data_passes() -> None:
    assert not refused(NOISE)
    assert not refused(b"")


@pytest.mark.parametrize("at", [10, 1000, 150_001, len(NOISE) - 5])
@pytest.mark.parametrize("last", [0, 1, 2])
def test_what_emulation_prevention_takes_out_is_never_inside_picture_data(
    at: int, last: int
) -> None:
    assert refused(NOISE[:at] + bytes([0, 0, last]) + NOISE[at:])
    assert not refused(NOISE[:at] + bytes([0, 0, 3]) + NOISE[at:])
    assert not refused(NOISE[:at] + bytes(2) + NOISE[at:])


def test_zeros_behind_picture_data_are_padding() -> None:
    assert not refused(NOISE + bytes(40))


@pytest.mark.parametrize("at", [0, 1, 31, 77_777, len(NOISE)])
def test_text_is_never_inside_picture_data(at: int) -> None:
    assert refused(NOISE[:at] + TEXT[:600] + NOISE[at:])


def test_a_little_text_is_chance() -> None:
    assert not refused(NOISE[:500] + TEXT[:300] + NOISE[500:])


def test_evenly_coloured_areas_repeat_a_few_bytes_that_may_be_printable() -> None:
    assert not refused(NOISE[:500] + b"pxZ:4J" * 400 + NOISE[500:])


def test_a_long_run_of_zeros_is_a_hole_wherever_it_is() -> None:
    refuse_hole(NOISE + bytes(63), 3)
    with pytest.raises(MediaCorrupt, match="a hole of zeros in video packet 3"):
        refuse_hole(NOISE + bytes(64), 3)
