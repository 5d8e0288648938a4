"""The renditions of an item's video, its pictures and its song."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stories.errors import UpstreamChanged
from stories.structures import Media, MediaKind, MediaVariant
from stories.wire.addresses import (
    MAX_MIRRORS,
    MAX_UNKNOWN_HOSTS,
    Addresses,
    read_addresses,
    stored_path,
)
from stories.wire.values import (
    Raw,
    as_flag,
    as_id,
    as_int,
    as_list,
    as_object,
    as_seconds,
    as_size,
    as_text,
    first_object,
)

MAX_PICTURES = 100
MAX_RENDITIONS = 64
MAX_SOUNDS = 16
MAX_EXTRA = 20_000
"""Characters of `VideoExtra`, at most."""


def _image_post(item: Raw) -> Raw | None:
    """The part of an item that declares it a photo, in any dialect."""
    return first_object(item, "imagePost", "imagePostInfo", "image_post_info")


def declares_pictures(item: Raw) -> bool:
    """Whether an item says that it is a photo, with slides or without."""
    return _image_post(item) is not None


def listed_slides(item: Raw) -> list[Any]:
    """The raw pictures of a photo item, in any dialect."""
    post = _image_post(item) or {}
    return as_list(post.get("images")) or as_list(post.get("displayImages"))


def read_pictures(item: Raw, where: str) -> tuple[Media, ...]:
    """One Media per slide, also for a slide whose mirrors we may not use; () when none is usable.

    A slide left out would make "4 of 5 arrived" read as "4 of 4". Slides on hosts we do not know
    are there, too, so that their failure can name the hosts.
    """
    slides = listed_slides(item)
    if len(slides) > MAX_PICTURES:
        raise UpstreamChanged(f"{where}.imagePost.images holds {len(slides)} entries")
    pictures = []
    for position, slide in enumerate(map(as_object, slides), start=1):
        shown = first_object(slide, "imageURL", "display_image", "displayImage") or slide
        addresses = read_addresses(shown)
        if shown is not slide and addresses == Addresses():
            addresses = read_addresses(slide)
        variant = _variant(
            addresses,
            width=_first_size(slide, shown, "imageWidth", "width"),
            height=_first_size(slide, shown, "imageHeight", "height"),
        )
        pictures.append(
            Media(
                kind=MediaKind.PICTURE,
                position=position,
                variants=() if variant is None else (variant,),
                unknown_hosts=addresses.unknown_hosts,
            )
        )
    known = any(picture.variants or picture.unknown_hosts for picture in pictures)
    return tuple(pictures) if known else ()


def _first_size(slide: Raw, shown: Raw, *names: str) -> int | None:
    sizes = (as_size(fields.get(name)) for fields in (slide, shown) for name in names)
    return next((size for size in sizes if size is not None), None)


def read_song(item: Raw) -> Media | None:
    """The attached song; None when no address of it is listed."""
    music = as_object(item.get("music"))
    addresses = read_addresses(music.get("playUrl"))
    variant = _variant(addresses)
    if variant is None and not addresses.unknown_hosts:
        return None
    return Media(
        kind=MediaKind.SONG,
        position=0,
        variants=() if variant is None else (variant,),
        duration_s=as_seconds(music.get("duration")),
        unknown_hosts=addresses.unknown_hosts,
    )


def read_video(item: Raw) -> tuple[Media, ...]:
    """The video in all its renditions, none where all are on hosts we do not know; () without any.

    Its `muted` is what the item says: the bytes may still have a sound track.
    """
    video = as_object(item.get("video"))
    listed = _Listed()
    listed.read(video)
    if not listed.variants and not listed.unknown_hosts:
        return ()
    return (
        Media(
            kind=MediaKind.VIDEO,
            position=1,
            variants=tuple(listed.variants),
            duration_s=as_seconds(video.get("duration")),
            muted=as_flag(item.get("itemMute")),
            unknown_hosts=tuple(listed.unknown_hosts)[:MAX_UNKNOWN_HOSTS],
        ),
    )


class _Listed:
    """The renditions of a video read so far, each once, and the unknown hosts among them."""

    def __init__(self) -> None:
        self.variants: list[MediaVariant] = []
        self.unknown_hosts: dict[str, None] = {}

    def read(self, video: Raw) -> None:
        """Read every rendition listed, mirrors together; the watermarked file last."""
        sounds = self._sounds(video)
        gears = video.get("bitrateInfo")
        for gear in map(as_object, ([gears] if isinstance(gears, dict) else as_list(gears))):
            self._read_gear(gear, sounds)
            if len(self.variants) >= MAX_RENDITIONS:
                break
        # The default rendition; H.264 unless the item itself says otherwise.
        default = _codec(video.get("codecType"), None) or "h264"
        bitrate = as_int(video.get("bitrate"))
        struct = as_object(video.get("PlayAddrStruct"))
        self._add(
            struct, codec=_codec(default, struct.get("UrlKey")), bitrate=bitrate, **_sizes(struct)
        )
        width, height = as_size(video.get("width")), as_size(video.get("height"))
        self._add(
            video.get("playAddr"),
            codec=default,
            bitrate=bitrate,
            size_bytes=as_size(video.get("size")),
            width=width,
            height=height,
        )
        self._add(video.get("embedUrls"), width=width, height=height)
        marked = _variant(self._addresses(video.get("downloadAddr")), watermarked=True)
        # Sometimes "Save video" is the clean file itself: then it is no rendition of its own.
        if marked is not None and not any(_same_file(other, marked) for other in self.variants):
            self.variants.append(marked)

    def _read_gear(self, gear: Raw, sounds: Mapping[str, MediaVariant]) -> None:
        address = as_object(gear.get("PlayAddr"))
        track = str(gear.get("Format")).lower() == "dash"
        self._add(
            gear.get("PlayAddr"),
            codec=_codec(gear.get("CodecType"), address.get("UrlKey")),
            bitrate=as_int(gear.get("Bitrate")),
            silent=track,
            sound=_sound_of(gear, sounds) if track else None,
            **_sizes(address),
        )

    def _sounds(self, video: Raw) -> dict[str, MediaVariant]:
        """File id -> the rendition of a sound that belongs to silent gears."""
        listed = video.get("bitrateAudioInfo")
        entries = [listed] if isinstance(listed, dict) else as_list(listed)
        sounds = []
        for entry in map(as_object, entries[:MAX_SOUNDS]):
            variant = _variant(
                self._addresses(entry.get("UrlList") or entry),
                bitrate=as_int(entry.get("Bitrate")),
                size_bytes=as_size(entry.get("DataSize")) or as_size(entry.get("Size")),
            )
            file_id = _file_id(entry.get("FileId"))
            if variant is not None and file_id is not None:
                sounds.append((file_id, variant))
        sounds.sort(key=lambda sound: sound[1].bitrate or 0)  # of one id, the last stays
        return dict(sounds)

    def _addresses(self, value: Any) -> Addresses:
        addresses = read_addresses(value)
        self.unknown_hosts |= dict.fromkeys(addresses.unknown_hosts)
        return addresses

    def _add(self, addresses: Any, **facts: Any) -> None:
        """Add a rendition, or its mirrors to the rendition of the same file."""
        new = _variant(self._addresses(addresses), **facts)
        if new is None:
            return
        for index, known in enumerate(self.variants):
            if _same_file(known, new):
                ends = [end for end in (known.expires_at, new.expires_at) if end is not None]
                self.variants[index] = replace(
                    known,
                    urls=tuple(dict.fromkeys(known.urls + new.urls))[: 2 * MAX_MIRRORS],
                    width=known.width or new.width,
                    height=known.height or new.height,
                    bitrate=known.bitrate or new.bitrate,
                    size_bytes=known.size_bytes or new.size_bytes,
                    expires_at=min(ends, default=None),
                )
                return
        self.variants.append(new)


def _sizes(address: Raw) -> dict[str, int | None]:
    return {
        "width": as_size(address.get("Width")),
        "height": as_size(address.get("Height")),
        "size_bytes": as_size(address.get("DataSize")),
    }


def _sound_of(gear: Raw, sounds: Mapping[str, MediaVariant]) -> MediaVariant | None:
    """The sound a silent gear names in `VideoExtra`, JSON in a text; the only one if it names none.

    None when it names one that is not listed.
    """
    extra = gear.get("VideoExtra")
    if isinstance(extra, str) and len(extra) <= MAX_EXTRA:
        try:
            extra = json.loads(extra)
        except (ValueError, RecursionError):
            extra = None
    named = _file_id(as_object(extra).get("audio_file_id"))
    if named is not None:
        return sounds.get(named)
    return next(iter(sounds.values())) if len(sounds) == 1 else None


def _file_id(value: Any) -> str | None:
    """The id of a stored file: text without spaces, or a number; None for anything else."""
    if isinstance(value, str) and 0 < len(value) <= 128 and not value.isspace():
        return value
    return as_id(value)


def _same_file(one: MediaVariant, other: MediaVariant) -> bool:
    paths = set(map(stored_path, one.urls))
    return not paths.isdisjoint(map(stored_path, other.urls))


def _codec(codec_type: Any, url_key: Any) -> str | None:
    """ "h264", "hevc", "h266", TikTok's own word for one we do not know, or None.

    The key in the address counts beside the listed type: either saying H.264 is enough.
    """
    word = codec_type.lower() if isinstance(codec_type, str) else ""
    key = url_key if isinstance(url_key, str) else ""
    if word in {"h264", "avc", "avc1"} or "_h264_" in key:
        return "h264"
    if word in {"bytevc2", "h266", "vvc"} or "_bytevc2_" in key:
        return "h266"
    if word.startswith(("h265", "hevc", "hvc1", "hev1")) or word == "bytevc1" or "_bytevc1_" in key:
        return "hevc"
    return as_text(word, 20, one_line=True) or None


# The path of a video track alone, or without a file.
_TRACK_PATH = re.compile(r"/media-video-[a-z0-9]+/?$")


def _variant(
    addresses: Addresses,
    *,
    codec: str | None = None,
    bitrate: int | None = None,
    width: int | None = None,
    height: int | None = None,
    size_bytes: int | None = None,
    watermarked: bool = False,
    silent: bool = False,
    sound: MediaVariant | None = None,
) -> MediaVariant | None:
    """A rendition with the addresses on TikTok's media hosts; None when there is none.

    Where one address of it leads to a video track alone, the others are taken; where each does, it
    is silent.
    """
    if not addresses.urls:
        return None
    urls = tuple(url for url in addresses.urls if not _TRACK_PATH.search(url.partition("?")[0]))
    if silent:
        urls = addresses.urls
    return MediaVariant(
        urls=urls or addresses.urls,
        codec=codec,
        width=width,
        height=height,
        bitrate=bitrate,
        size_bytes=size_bytes,
        watermarked=watermarked,
        silent=silent or not urls,
        sound=sound,
        expires_at=addresses.expires_at,
    )
