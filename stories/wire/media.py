"""The renditions of an item's video, its pictures and its song."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from stories.errors import UpstreamChanged
from stories.hosts import is_media_host
from stories.structures import Media, MediaKind, MediaVariant
from stories.wire.values import (
    Raw,
    as_instant,
    as_int,
    as_list,
    as_object,
    as_seconds,
    as_size,
    as_text,
)

MAX_PICTURES = 100
MAX_RENDITIONS = 64
MAX_MIRRORS = 10
MAX_URL = 4096


def listed_slides(item: Raw) -> list[Any]:
    """The raw pictures of a photo item, in either dialect."""
    post = as_object(item.get("imagePost"))
    return as_list(post.get("images")) or as_list(post.get("displayImages"))


def read_pictures(item: Raw, where: str) -> tuple[Media, ...]:
    """One Media per slide, also for a slide whose mirrors we may not use; () when none is usable.

    A slide left out would make "4 of 5 arrived" read as "4 of 4".
    """
    slides = listed_slides(item)
    if len(slides) > MAX_PICTURES:
        raise UpstreamChanged(f"{where}.imagePost.images holds {len(slides)} entries")
    pictures = []
    for position, slide in enumerate(map(as_object, slides), start=1):
        addresses = as_object(slide.get("imageURL")).get("urlList") or slide.get("urlList")
        variant = _variant(
            addresses,
            width=as_size(slide.get("imageWidth")) or as_size(slide.get("width")),
            height=as_size(slide.get("imageHeight")) or as_size(slide.get("height")),
        )
        variants = () if variant is None else (variant,)
        pictures.append(Media(kind=MediaKind.PICTURE, position=position, variants=variants))
    return tuple(pictures) if any(picture.variants for picture in pictures) else ()


def read_song(item: Raw) -> Media | None:
    """The attached song; None when no usable address is listed."""
    music = as_object(item.get("music"))
    variant = _variant([music.get("playUrl")])
    if variant is None:
        return None
    duration = as_seconds(music.get("duration"))
    return Media(kind=MediaKind.SONG, position=0, variants=(variant,), duration_s=duration)


def read_video(item: Raw) -> tuple[Media, ...]:
    """The video in all its renditions; () when none is usable."""
    video = as_object(item.get("video"))
    variants = _renditions(video)
    if not variants:
        return ()
    duration = as_seconds(video.get("duration"))
    return (Media(kind=MediaKind.VIDEO, position=1, variants=variants, duration_s=duration),)


def _renditions(video: Raw) -> tuple[MediaVariant, ...]:
    """Every rendition listed, each once, mirrors together; the watermarked file last."""
    variants: list[MediaVariant] = []
    gears = video.get("bitrateInfo")
    for gear in map(as_object, ([gears] if isinstance(gears, dict) else as_list(gears))):
        address = as_object(gear.get("PlayAddr"))
        codec = _codec(gear.get("CodecType"), address.get("UrlKey"))
        _merge(variants, _from_struct(address, codec, as_int(gear.get("Bitrate"))))
        if len(variants) >= MAX_RENDITIONS:
            break
    # The default rendition; H.264 unless the item itself says otherwise.
    default = _codec(video.get("codecType"), None) or "h264"
    bitrate = as_int(video.get("bitrate"))
    struct = as_object(video.get("PlayAddrStruct"))
    _merge(variants, _from_struct(struct, _codec(default, struct.get("UrlKey")), bitrate))
    width, height = as_size(video.get("width")), as_size(video.get("height"))
    _merge(
        variants,
        _variant(
            _addresses(video.get("playAddr")),
            codec=default,
            bitrate=bitrate,
            size_bytes=as_size(video.get("size")),
            width=width,
            height=height,
        ),
    )
    _merge(variants, _variant(video.get("embedUrls"), width=width, height=height))
    marked = _variant(_addresses(video.get("downloadAddr")), watermarked=True)
    # Sometimes "Save video" is the clean file itself: then it is no rendition of its own.
    if marked is not None and not any(_same_file(other, marked) for other in variants):
        variants.append(marked)
    return tuple(variants)


def _from_struct(address: Raw, codec: str | None, bitrate: int | None) -> MediaVariant | None:
    return _variant(
        address.get("UrlList"),
        codec=codec,
        bitrate=bitrate,
        width=as_size(address.get("Width")),
        height=as_size(address.get("Height")),
        size_bytes=as_size(address.get("DataSize")),
    )


def _merge(variants: list[MediaVariant], new: MediaVariant | None) -> None:
    """Add a rendition, or its mirrors to the rendition of the same file."""
    if new is None:
        return
    for index, known in enumerate(variants):
        if _same_file(known, new):
            ends = [end for end in (known.expires_at, new.expires_at) if end is not None]
            variants[index] = replace(
                known,
                urls=tuple(dict.fromkeys(known.urls + new.urls))[: 2 * MAX_MIRRORS],
                width=known.width or new.width,
                height=known.height or new.height,
                bitrate=known.bitrate or new.bitrate,
                size_bytes=known.size_bytes or new.size_bytes,
                expires_at=min(ends, default=None),
            )
            return
    variants.append(new)


def _same_file(one: MediaVariant, other: MediaVariant) -> bool:
    return not _file_paths(one).isdisjoint(_file_paths(other))


def _file_paths(variant: MediaVariant) -> set[str]:
    """The part that the addresses of one file share: its stored path, without host or signature.

    The play endpoint has one path for every file, so there the whole address counts.
    """
    paths = set()
    for url in variant.urls:
        path = url.partition("?")[0].partition("://")[2].partition("/")[2]
        path = _HEX_EXPIRY.sub("", f"/{path}")
        paths.add(url if path.startswith("/aweme/") else path)
    return paths


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
    if word.startswith(("h265", "hevc", "hvc1")) or word == "bytevc1" or "_bytevc1_" in key:
        return "hevc"
    return as_text(word, 20, one_line=True) or None


def _addresses(value: Any) -> list[Any]:
    """The raw addresses of a field that holds a string, or a list of {src} objects."""
    if isinstance(value, list):
        return [as_object(entry).get("src") or entry for entry in value[:MAX_MIRRORS]]
    return [value]


def _variant(
    addresses: Any,
    *,
    codec: str | None = None,
    bitrate: int | None = None,
    width: int | None = None,
    height: int | None = None,
    size_bytes: int | None = None,
    watermarked: bool = False,
) -> MediaVariant | None:
    """A rendition with the addresses on TikTok's media hosts; None when there is none."""
    urls = dict.fromkeys(
        url for url in map(_url, as_list(addresses)[:MAX_MIRRORS]) if url is not None
    )
    if not urls:
        return None
    ends = [end for end in map(_expiry, urls) if end is not None]
    return MediaVariant(
        urls=tuple(urls),
        codec=codec,
        width=width,
        height=height,
        bitrate=bitrate,
        size_bytes=size_bytes,
        watermarked=watermarked,
        expires_at=min(ends, default=None),
    )


# Plain printable ASCII, no user part, no odd port, no fragment.
_MEDIA_URL = re.compile(r"https://([A-Za-z0-9.-]+)(?::443)?/[!$-\[\]-~]*", re.ASCII)
_QUERY_EXPIRY = re.compile(r"[?&](?:x-expires|expire)=(\d{9,11})(?:&|$)", re.ASCII)
_HEX_EXPIRY = re.compile(r"^/[0-9a-f]{32}/([0-9a-f]{8})(?=/)")
_URL_PATH = re.compile(r"https://[^/?]*([^?]*)")


def _url(value: Any) -> str | None:
    """The value if it is an https address on one of TikTok's media hosts, else None."""
    if not isinstance(value, str) or len(value) > MAX_URL:
        return None
    match = _MEDIA_URL.fullmatch(value)
    return value if match and is_media_host(match[1]) else None


def _expiry(url: str) -> datetime | None:
    """The time the signature ends: a query parameter, or the second part of the path in hex."""
    asked = _QUERY_EXPIRY.search(url)
    if asked:
        return as_instant(asked[1])
    path = _URL_PATH.match(url)
    hexed = _HEX_EXPIRY.match(path[1]) if path else None
    return as_instant(int(hexed[1], 16)) if hexed else None
