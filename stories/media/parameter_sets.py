"""The parameter sets of H.264 and HEVC: those in an MP4's head, and those between its pictures.

A sample entry called `hvc1` or `avc1` promises that all of them are in the head. One called `hev1`
or `avc3` does not, though it is so in most files: those can be called by the better name.
"""

from __future__ import annotations

_HEVC_SETS = frozenset({32, 33, 34})
_H264_SETS = frozenset({7, 8})
_HEVC_PICTURES = frozenset(range(32))
_H264_PICTURES = frozenset({1, 2, 3, 4, 5})


def nal_prefix(codec: str, config: bytes | None) -> int:
    """The number of bytes that give a NAL unit's length; 0 when there is none.

    config: the avcC or hvcC record.
    """
    at = 4 if codec == "h264" else 21
    if not config or len(config) <= at or config[0] != 1:
        return 0
    return (config[at] & 3) + 1


def parameter_sets(codec: str, config: bytes | None) -> frozenset[bytes] | None:
    """The parameter sets in an avcC or hvcC record; None unless every kind is among them."""
    if not nal_prefix(codec, config):
        return None
    assert config is not None  # noqa: S101  # nosec B101  # without one there is no prefix
    try:
        sets = _h264_sets(config) if codec == "h264" else _hevc_sets(config)
    except IndexError:
        return None
    kinds = {nal_kind(codec, unit[0]) for unit in sets if unit}
    wanted = _H264_SETS if codec == "h264" else _HEVC_SETS
    return frozenset(sets) if wanted <= kinds else None


def nal_kind(codec: str, first_byte: int) -> int:
    """The type of a NAL unit, by its first byte."""
    return first_byte & 31 if codec == "h264" else (first_byte >> 1) & 63


def is_parameter_set(codec: str, first_byte: int) -> bool:
    """Whether a NAL unit is a parameter set, by its first byte."""
    return nal_kind(codec, first_byte) in (_H264_SETS if codec == "h264" else _HEVC_SETS)


def is_picture_data(codec: str, first_byte: int) -> bool:
    """Whether a NAL unit is coded picture data, by its first byte."""
    return nal_kind(codec, first_byte) in (_H264_PICTURES if codec == "h264" else _HEVC_PICTURES)


def _h264_sets(config: bytes) -> list[bytes]:
    sets, at = list[bytes](), 5
    for mask in (31, 255):
        count, at = config[at] & mask, at + 1
        at = _read_units(config, at, count, sets)
    return sets


def _hevc_sets(config: bytes) -> list[bytes]:
    sets, at = list[bytes](), 23
    for _ in range(config[22]):
        count = int.from_bytes(config[at + 1 : at + 3])
        at = _read_units(config, at + 3, count, sets)
    return sets


def _read_units(config: bytes, at: int, count: int, units: list[bytes]) -> int:
    """Append units, each behind its length of two bytes; the offset behind the last."""
    for _ in range(count):
        if at + 2 > len(config):
            raise IndexError
        length = int.from_bytes(config[at : at + 2])
        units.append(config[at + 2 : at + 2 + length])
        at += 2 + length
    return at
