"""The order in which renditions of a media item are tried, and the labels they carry; pure.

The order follows docs/protocol.md, "Choosing a rendition".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from stories.structures import Media, MediaKind, MediaVariant

Prefer = Literal["compatible", "highest"]

# The path of a rendition without sound, or without a file.
_SILENT_PATH = "/media-video-hvc1"
_PICTURE_ORDER = ((".jpeg", ".jpg"), (".png",), (".webp",), (".heic", ".heif", ".avif"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedRendition:
    """A rendition worth trying. labels: "hevc" and "watermarked", for the person who gets it."""

    variant: MediaVariant
    labels: tuple[str, ...] = ()


def rank(media: Media, prefer: Prefer = "compatible") -> tuple[RankedRendition, ...]:
    """The renditions to try, best first; empty when none can be played or fetched.

    "compatible": H.264, largest first; HEVC only when there is no other clean file. "highest": the
    most pixels, HEVC or not, and of two equally large ones the H.264. Watermarked files come last
    either way. For a picture the one rendition comes back with its JPEG mirrors in front.
    """
    if media.kind is MediaKind.PICTURE:
        return tuple(RankedRendition(variant=_jpeg_first(variant)) for variant in media.variants)
    if media.kind is MediaKind.SONG:
        return tuple(RankedRendition(variant=variant) for variant in media.variants)
    playable = [
        variant
        for variant in map(_with_sound, media.variants)
        if variant.urls and variant.codec in {"h264", "hevc", None}
    ]
    clean = [variant for variant in playable if not variant.watermarked]
    marked = [variant for variant in playable if variant.watermarked]
    return tuple(
        RankedRendition(variant=variant, labels=_labels(variant))
        for group in (clean, marked)
        for variant in _in_order(group, prefer)
    )


def _in_order(variants: Iterable[MediaVariant], prefer: Prefer) -> list[MediaVariant]:
    largest_first = sorted(variants, key=_quality, reverse=True)
    if prefer == "highest":
        return largest_first
    h264 = [variant for variant in largest_first if variant.codec == "h264"]
    # Where no codec is listed (the embed lists none), it was H.264 whenever someone looked.
    unknown = [variant for variant in largest_first if variant.codec is None]
    return h264 + unknown or largest_first


def _quality(variant: MediaVariant) -> tuple[int, bool, int, int]:
    pixels = (variant.width or 0) * (variant.height or 0)
    # Bit rates of two codecs say nothing about each other, so the codec comes before them.
    is_compatible = variant.codec != "hevc"
    return pixels, is_compatible, variant.bitrate or 0, variant.size_bytes or 0


def _labels(variant: MediaVariant) -> tuple[str, ...]:
    labels = []
    if variant.codec == "hevc":
        labels.append("hevc")
    if variant.watermarked:
        labels.append("watermarked")
    return tuple(labels)


def _with_sound(variant: MediaVariant) -> MediaVariant:
    urls = tuple(url for url in variant.urls if not _path(url).rstrip("/").endswith(_SILENT_PATH))
    return variant if len(urls) == len(variant.urls) else replace(variant, urls=urls)


def _jpeg_first(variant: MediaVariant) -> MediaVariant:
    return replace(variant, urls=tuple(sorted(variant.urls, key=_picture_rank)))


def _picture_rank(url: str) -> int:
    path = _path(url).lower()
    places = (place for place, endings in enumerate(_PICTURE_ORDER) if path.endswith(endings))
    return next(places, len(_PICTURE_ORDER))


def _path(url: str) -> str:
    return url.partition("?")[0].partition("#")[0]
