"""The order in which renditions of a media item are tried, and which of two files is better; pure.

The order follows docs/protocol.md, "Choosing a rendition".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from stories.protocol.current import current
from stories.structures import Media, MediaKind, MediaVariant, Playability, Verified

Prefer = Literal["compatible", "highest"]


def no_player() -> frozenset[str]:
    """Codecs as listed that no player opens: never asked for."""
    return current().renditions.no_player


class Quality(NamedTuple):
    """The worth of a file, of one that is here or of one that is listed; the larger is better.

    Compared field by field, in this order. has_sound: what is lost without it cannot be had again.
    is_clean: without watermark. plays: of the player's side, 0 to 2; with "highest", 1 for all that
    more than a few players open. pixels: width times height. plays_everywhere: decides between
    equally large files.
    """

    has_sound: bool
    is_clean: bool
    plays: int
    pixels: int
    plays_everywhere: bool


def quality(
    *,
    has_sound: bool,
    watermarked: bool,
    playability: Playability,
    pixels: int,
    prefer: Prefer,
) -> Quality:
    """The quality of a file with these properties."""
    coarse = min(playability, Playability.MOST) if prefer == "highest" else playability
    return Quality(
        has_sound=has_sound,
        is_clean=not watermarked,
        plays=int(coarse),
        pixels=pixels,
        plays_everywhere=playability is Playability.ALL,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedRendition:
    """A rendition worth trying.

    labels: "hevc" and "watermarked", for the person who gets it. last_resort: not worth its bytes
    unless everything before it turned out to be lesser, or useless.
    """

    variant: MediaVariant
    labels: tuple[str, ...] = ()
    last_resort: bool = False

    def expected(self, prefer: Prefer, tried: Collection[str] = ()) -> Quality:
        """The best this may turn out to be. tried: addresses that are not asked again."""
        variant = self.variant
        sound = variant.sound is not None and not set(tried).issuperset(variant.sound.urls)
        return quality(
            has_sound=not variant.silent or sound,
            watermarked=variant.watermarked,
            playability=(Playability.ALL if variant.codec in {"h264", None} else Playability.MOST),
            pixels=_pixels(variant),
            prefer=prefer,
        )


def actual_quality(rendition: RankedRendition, verified: Verified, prefer: Prefer) -> Quality:
    """The quality of a verified video. Its pixels are as listed, to compare with other listed.

    One that is mislabelled can be corrected: who wants the most pixels need not look further.
    """
    plays = verified.playability
    if verified.mislabelled and prefer == "highest":
        plays = max(plays, Playability.MOST)
    pixels = (verified.width or 0) * (verified.height or 0)
    return quality(
        has_sound=verified.has_audio,
        watermarked=rendition.variant.watermarked,
        playability=plays,
        pixels=_pixels(rendition.variant) or pixels,
        prefer=prefer,
    )


def rank(media: Media, prefer: Prefer = "compatible") -> tuple[RankedRendition, ...]:
    """The renditions to try, best first; empty when none can be played or fetched.

    "compatible": H.264, largest first; HEVC beside it is a last resort. "highest": the most pixels,
    HEVC or not, and of two equally large ones the H.264. Then codecs that we do not know, then
    watermarked files, then video tracks whose sound is nowhere listed. For a picture the one
    rendition comes back with its JPEG mirrors in front.
    """
    if media.kind is MediaKind.PICTURE:
        return tuple(RankedRendition(variant=_jpeg_first(variant)) for variant in media.variants)
    if media.kind is MediaKind.SONG:
        return tuple(RankedRendition(variant=variant) for variant in media.variants)
    playable = [
        variant for variant in media.variants if variant.urls and variant.codec not in no_player()
    ]
    groups: dict[tuple[bool, bool], list[MediaVariant]] = {}
    for variant in playable:
        mute = variant.silent and variant.sound is None
        groups.setdefault((mute, variant.watermarked), []).append(variant)
    return tuple(
        replace(rendition, last_resort=rendition.last_resort or mute)
        for (mute, _), group in sorted(groups.items(), key=lambda item: item[0])
        for rendition in _in_order(group, prefer)
    )


def _in_order(variants: Iterable[MediaVariant], prefer: Prefer) -> list[RankedRendition]:
    largest_first = sorted(variants, key=_listed_rank, reverse=True)
    known = [variant for variant in largest_first if variant.codec in {"h264", "hevc", None}]
    strange = [variant for variant in largest_first if variant not in known]
    first, later = known, list[MediaVariant]()
    if prefer == "compatible":
        h264 = [variant for variant in known if variant.codec == "h264"]
        # Where no codec is listed (the embed lists none), it was H.264 whenever someone looked.
        first = h264 + [variant for variant in known if variant.codec is None]
        later = [variant for variant in known if variant.codec == "hevc"]
        if not first:
            first, later = later, []
    return [
        RankedRendition(variant=variant, labels=_labels(variant), last_resort=last_resort)
        for group, last_resort in ((first, False), (later, True), (strange, bool(known)))
        for variant in group
    ]


def _listed_rank(variant: MediaVariant) -> tuple[int, bool, bool, int, int]:
    # Bit rates of two codecs say nothing about each other, so the codec comes before them. A file
    # that needs no joining is TikTok's own.
    return (
        _pixels(variant),
        variant.codec != "hevc",
        not variant.silent,
        variant.bitrate or 0,
        variant.size_bytes or 0,
    )


def _pixels(variant: MediaVariant) -> int:
    return (variant.width or 0) * (variant.height or 0)


def _labels(variant: MediaVariant) -> tuple[str, ...]:
    labels = []
    if variant.codec == "hevc":
        labels.append("hevc")
    if variant.watermarked:
        labels.append("watermarked")
    return tuple(labels)


def _jpeg_first(variant: MediaVariant) -> MediaVariant:
    return replace(variant, urls=tuple(sorted(variant.urls, key=_picture_rank)))


def _picture_rank(url: str) -> int:
    path = _path(url).lower()
    order = current().renditions.picture_order
    places = (place for place, endings in enumerate(order) if path.endswith(endings))
    return next(places, len(order))


def _path(url: str) -> str:
    return url.partition("?")[0].partition("#")[0]
