"""The data structures: targets, authors, stories and their media, fetched and verified files."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum


class TargetKind(StrEnum):
    """The kind of thing a pasted line points at."""

    USER = "user"
    STORY = "story"
    POST = "post"  # an ordinary post link, which may turn out to be a story
    SHORT = "short"  # a short link: resolve first


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing a line asks for, read from the text alone.

    name: lower case, without "@"; None for nameless links and short links.
    user_id: digits; set for `/@<id>` links, and for an all-digit name as the fallback reading.
    sec_uid: TikTok's opaque account id (`MS4wLjABAAAA…`).
    item_id: 18-19 digits, for a story or a post.
    short_url: the https short link, tracking removed; only for SHORT.
    """

    kind: TargetKind
    name: str | None = None
    user_id: str | None = None
    sec_uid: str | None = None
    item_id: str | None = None
    short_url: str | None = None

    @property
    def key(self) -> str:
        """A key that is equal for two lines that ask for the same thing."""
        if self.item_id:
            return f"item:{self.item_id}"
        if self.short_url:
            return f"short:{self.short_url}"
        return f"user:{self.name or self.user_id or self.sec_uid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """An account. The id never changes; the name can.

    id: digits; empty where a single item's page names its author without one.
    name: lower case, without "@". private: True when TikTok says so, None when the answer does not
    tell. avatar_urls: of its picture, the most useful size first; signed and short-lived, so they
    are neither stored nor logged. story_hint: its profile says that it has active stories (True)
    or none (False), and may be hours behind; None where nothing is said. Neither is a part of what
    makes two accounts equal.
    """

    id: str
    name: str
    nickname: str = ""
    sec_uid: str | None = None
    private: bool | None = None
    avatar_urls: tuple[str, ...] = field(default=(), repr=False, compare=False)
    story_hint: bool | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaVariant:
    """One rendition of a media item, with every mirror that serves the same bytes.

    urls: signed and short-lived, best first. Fetch soon; do not store or log.
    codec: "h264", "hevc", "h266", or TikTok's own word for another one; None where the listing
    does not say, and for pictures.
    width, height: pixels, None where the listing does not say.
    size_bytes: what the listing announces; a hint, not a promise.
    silent: listed as a video track alone. sound: the rendition of the sound that belongs to it,
    with a codec of None; None where the listing has none.
    expires_at: when the earliest signature ends, None where the URL does not tell.
    """

    urls: tuple[str, ...] = field(repr=False)
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    bitrate: int | None = None
    size_bytes: int | None = None
    watermarked: bool = False
    silent: bool = False
    sound: MediaVariant | None = None
    expires_at: datetime | None = None


class MediaKind(StrEnum):
    """The kind of file a media item promises to be."""

    VIDEO = "video"
    PICTURE = "picture"
    SONG = "song"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One video, one picture or the attached song, in the renditions TikTok lists.

    position: 1-based place within the story; the song is 0.
    variants: as listed; renditions.py orders them. Empty where it is listed without a usable
    address: it is counted and reported as missing, not left out.
    duration_s: announced, in seconds, None where the listing does not say.
    muted: the listing says that its author took the sound out.
    unknown_hosts: names of the hosts of addresses that were left out, as they are on no list of
    ours; plain DNS names, a few at most.
    """

    kind: MediaKind
    position: int
    variants: tuple[MediaVariant, ...]
    duration_s: float | None = None
    muted: bool = False
    unknown_hosts: tuple[str, ...] = ()


class StoryKind(StrEnum):
    """The kinds of story; a carousel holds two or more pictures."""

    VIDEO = "video"
    PHOTO = "photo"
    CAROUSEL = "carousel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One story, or an ordinary post when `is_story` is False.

    id: TikTok's item id, digits; its high 32 bits are the posting time in Unix seconds.
    leaves_at: when TikTok stops showing it (posting time + 24 h); None for a post.
    media: one VIDEO, or the PICTUREs in order.
    song: the whole song attached to pictures, when TikTok hands it out; a video has its own sound.
    source_url: the public permalink; holds no signature.
    """

    id: str
    kind: StoryKind
    author: Author
    posted_at: datetime
    leaves_at: datetime | None
    caption: str
    media: tuple[Media, ...]
    song: Media | None = None
    is_story: bool = True
    source_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that was fetched whole, not yet opened.

    sha256: hex. content_type: as the server called it. variant: the rendition whose bytes these
    are.
    """

    size_bytes: int
    sha256: str
    content_type: str
    variant: MediaVariant


class Playability(IntEnum):
    """How many players open a video; media/playback.py decides it from the decoded file.

    FEW: some programs on computers. MOST: phones and computers of the last years, not each. ALL:
    everything that plays videos.
    """

    FEW = 0
    MOST = 1
    ALL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A file as a real decoder saw it.

    content_type, suffix: by the bytes, never by the URL ("image/jpeg", ".jpg").
    width, height: pixels as shown (rotation applied); None for sound.
    duration_s: None for pictures.
    sample_entry: the four letters an MP4 calls its video by ("avc1", "hvc1"). mislabelled: they
    make players refuse it that could play it, and may be corrected (media/remux.py).
    checked: missing or foreign data inside would have shown; False where the format hides it, so
    that the file is known to open and no more.
    """

    content_type: str
    suffix: str
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    has_audio: bool = False
    codec: str | None = None
    playability: Playability = Playability.ALL
    sample_entry: str | None = None
    mislabelled: bool = False
    checked: bool = True
