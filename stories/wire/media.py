"""The renditions of an item's video, its pictures and its song."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from stories.errors import UpstreamChanged
from stories.protocol.current import current, per_pack
from stories.protocol.pack import Pack
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
MAX_EXTRA = 65_536
"""Characters of `VideoExtra`, at most."""

IMAGE_POSTS = ("imagePost", "imagePostInfo", "image_post_info")
"""Names of the part of an item that declares it a photo, in every dialect."""
_SLIDES = ("images", "displayImages", "display_images", "image_list")
# Of one slide: with a watermark it comes in further words, which are not read.
_PICTURES = ("imageURL", "imageUrl", "image_url", "display_image", "displayImage")


def declares_pictures(item: Raw) -> bool:
    """Whether an item says that it is a photo, with slides or without."""
    return first_object(item, *IMAGE_POSTS) is not None


def listed_slides(item: Raw) -> list[Any]:
    """The raw pictures of a photo item, in the first dialect that lists any."""
    posts = (as_object(item.get(name)) for name in IMAGE_POSTS)
    lists = (as_list(post.get(name)) for post in posts for name in _SLIDES)
    return next(filter(None, lists), [])


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
        shown, addresses = _read_slide(slide)
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


def _read_slide(slide: Raw) -> tuple[Raw, Addresses]:
    """The part of a slide that is its picture, and the addresses in it: the first that has one we
    may use, else the first that has any."""
    fields = [*(slide[name] for name in _PICTURES if name in slide), slide]
    pictures = [(as_object(field), read_addresses(field)) for field in fields]
    pictures.sort(key=lambda picture: (not picture[1].urls, not picture[1].unknown_hosts))
    return pictures[0]


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
        self._sounds: list[tuple[str | None, MediaVariant]] = []

    def read(self, video: Raw) -> None:
        """Read every rendition listed, mirrors together; the watermarked file last."""
        self._read_sounds(video)
        gears = video.get("bitrateInfo")
        for gear in map(as_object, ([gears] if isinstance(gears, dict) else as_list(gears))):
            self._read_gear(gear)
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

    def _read_gear(self, gear: Raw) -> None:
        address = as_object(gear.get("PlayAddr"))
        told = gear.get("Format")
        self._add(
            gear.get("PlayAddr"),
            codec=_codec(gear.get("CodecType"), address.get("UrlKey")),
            bitrate=as_int(gear.get("Bitrate")),
            silent=isinstance(told, str)
            and told.strip().lower() in current().renditions.silent_formats,
            gear=gear,
            **_sizes(address),
        )

    def _read_sounds(self, video: Raw) -> None:
        """Read the sounds that belong to silent gears, the best first."""
        listed = next((video[name] for name in _SOUND_LISTS if video.get(name)), None)
        entries = [listed] if isinstance(listed, dict) else as_list(listed)
        for entry in map(as_object, entries[:MAX_SOUNDS]):
            facts = as_object(entry.get("audio_meta")) or entry
            variant = _variant(
                self._addresses(_first(facts, *_SOUND_ADDRESSES) or facts),
                bitrate=as_int(_first(facts, "Bitrate", "bitrate")),
                size_bytes=as_size(_first(facts, *_SOUND_SIZES)),
            )
            if variant is not None:
                self._sounds.append((_file_id(_first(facts, *_SOUND_IDS)), variant))
        self._sounds.sort(key=lambda sound: sound[1].bitrate or 0, reverse=True)

    def _sound_of(self, gear: Raw) -> MediaVariant | None:
        """The sound a silent gear names; the best if it names none that is listed.

        None where it is not plain which one is meant, as those listed are of several languages.
        """
        named = _named_sound(gear)
        found = [sound for file_id, sound in self._sounds if named is not None and file_id == named]
        if not found and len({_language(sound) for _, sound in self._sounds}) == 1:
            found = [self._sounds[0][1]]
        return found[0] if found else None

    def _addresses(self, value: Any) -> Addresses:
        addresses = read_addresses(value)
        self.unknown_hosts |= dict.fromkeys(addresses.unknown_hosts)
        return addresses

    def _add(self, value: Any, *, gear: Raw | None = None, **facts: Any) -> None:
        """Add a rendition, or its mirrors to the rendition of the same file.

        gear: the entry that lists it, where there is one, and may name its sound.
        """
        new = _variant(self._addresses(value), **facts)
        if new is None or _is_sound(new):
            return
        if new.silent:
            new = replace(new, sound=self._sound_of(gear or {}))
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


def _sizes(address: Raw) -> dict[str, Any]:
    return {
        "width": as_size(address.get("Width")),
        "height": as_size(address.get("Height")),
        "size_bytes": as_size(address.get("DataSize")),
    }


_SOUND_LISTS = (
    "bitrateAudioInfo",
    "bitrateAudioInfos",
    "BitrateAudioInfo",
    "BitrateAudioInfos",
    "bitrate_audio_info",
)
_SOUND_ADDRESSES = ("UrlList", "urlList", "url_list", "PlayAddr", "playAddr", "play_addr")
_SOUND_IDS = ("FileId", "fileId", "file_id", "FileHash", "fileHash", "file_hash")
_SOUND_SIZES = ("AudioDataSize", "DataSize", "dataSize", "data_size", "Size", "size")
_EXTRAS = ("VideoExtra", "videoExtra", "video_extra")
_NAMED_SOUNDS = ("audio_file_id", "audioFileId", "AudioFileId", "audio_fileid")


def _first(fields: Raw, *names: str) -> Any:
    """The value under the first of `names` that holds one; None when none does."""
    return next((fields[name] for name in names if fields.get(name)), None)


def _named_sound(gear: Raw) -> str | None:
    """The id of the sound a gear names in `VideoExtra`, JSON in a text, or beside it."""
    extra = _first(gear, *_EXTRAS)
    if isinstance(extra, str) and len(extra) <= MAX_EXTRA:
        try:
            extra = json.loads(extra)
        except (ValueError, RecursionError):
            extra = None
    return _file_id(_first(as_object(extra), *_NAMED_SOUNDS) or _first(gear, *_NAMED_SOUNDS))


# The path of a sound alone: its language, "und" where it is not told, and its codec.
_SOUND_PATH = re.compile(r"/media-audio-([a-z0-9]+)[a-z0-9-]*/?$")


def _is_sound(variant: MediaVariant) -> bool:
    """Whether every address of a rendition leads to a sound alone."""
    return all(_SOUND_PATH.search(url.partition("?")[0]) for url in variant.urls)


def _language(sound: MediaVariant) -> str:
    """The language of a sound as its address tells it, else "und"."""
    found = (_SOUND_PATH.search(url.partition("?")[0]) for url in sound.urls)
    return next((match[1] for match in found if match), "und")


def _file_id(value: Any) -> str | None:
    """The id of a stored file: a text, or a number; None for anything else."""
    if isinstance(value, str) and len(value) <= 128:
        return value.strip() or None
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
    for codec in current().renditions.codecs:
        if (
            word in codec.words
            or word.startswith(codec.beginnings)
            or any(part in key for part in codec.keys)
        ):
            return codec.name
    return as_text(word, 20, one_line=True) or None


@per_pack
def _track_path(pack: Pack) -> re.Pattern[str]:
    """The path of a video track alone, or without a file."""
    beginnings = "|".join(map(re.escape, pack.renditions.silent_paths))
    return re.compile(rf"/(?:{beginnings})[a-z0-9]+/?$" if beginnings else r"(?!)")


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
) -> MediaVariant | None:
    """A rendition with the addresses on TikTok's media hosts; None when there is none.

    Where one address of it leads to a video track alone, the others are taken; where each does, it
    is silent.
    """
    if not addresses.urls:
        return None
    track = _track_path()
    urls = tuple(url for url in addresses.urls if not track.search(url.partition("?")[0]))
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
        expires_at=addresses.expires_at,
    )
