"""What the fake TikTok holds: accounts, their stories and posts, and the files of each."""

from __future__ import annotations

import hashlib
import random
import string
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, Protocol

from tests.fake_tiktok import media
from tests.fake_tiktok.cdn import MediaObject

HOURS = 3600.0
LABELS = ("Good morning", "High noon", "Golden hour")

Gear = tuple[media.Codec, tuple[int, int]]
H264: Gear = ("h264", (576, 1024))
HEVC_1080: Gear = ("hevc", (1080, 1920))
HEVC_720: Gear = ("hevc", (720, 1280))

GEAR_NAMES = {576: "540", 720: "720", 1080: "1080", 540: "540", 360: "360"}


class Site(Protocol):
    """Where accounts put what they post. stories: by id. objects: files by key."""

    stories: dict[str, FakeStory]
    objects: dict[str, MediaObject]

    def now(self) -> float:
        """Unix seconds."""

    def new_id(self, created: float) -> str:
        """An id for what was posted then."""


@dataclass(eq=False)
class Rendition:
    """One gear of a video: the file, and what the listing says of it.

    sound: of a DASH gear, whose own file has none; its key is the file id.
    """

    thing: MediaObject
    codec: str
    size: tuple[int, int]
    bitrate: int
    gear_name: str
    quality: int
    format: str = "mp4"
    sound: MediaObject | None = None

    @property
    def fault_match(self) -> dict[str, Any]:
        return self.thing.fault_match


def _preference(rendition: Rendition) -> tuple[bool, int, int]:
    return rendition.codec != "h264", -rendition.size[0], -rendition.bitrate


@dataclass(eq=False)
class FakeStory:
    """A story or a post. Its files are made when it is declared.

    created: Unix seconds. kind: "video", "photo", "carousel" or "nothing" (no media at all).
    listed: whether the list shows it; an unlisted expired story is simply gone. page_code,
    page_message: what its page says instead of the item. embed: data of its embed that is put over
    the usual; None takes a key away. oembed: whether oEmbed knows it.
    """

    account: Account
    id: str
    created: float
    kind: str
    caption: str
    is_story: bool = True
    listed: bool = True
    expires: float = 0.0
    seconds: float = 0.0
    renditions: list[Rendition] = field(default_factory=list)
    watermarked: MediaObject | None = None
    pictures: list[tuple[MediaObject, tuple[int, int]]] = field(default_factory=list)
    cover: MediaObject | None = None
    song: MediaObject | None = None
    song_seconds: float = 0.0
    posed_as: Account | None = None
    gears_listed: bool = True
    item: dict[str, Any] = field(default_factory=dict)
    page_code: int = 0
    page_message: str | None = None
    embed: dict[str, Any] = field(default_factory=dict)
    oembed: bool = True

    @property
    def files(self) -> list[MediaObject]:
        """What a saver should fetch: the best H.264 (else the first gear), or the pictures."""
        if self.pictures:
            return [file for file, _ in self.pictures]
        best = min(self.renditions, key=_preference, default=None)
        return [best.thing] if best else []

    @property
    def url(self) -> str:
        """The permalink, without tracking."""
        middle = "story" if self.is_story else ("video" if self.kind == "video" else "photo")
        return f"https://www.tiktok.com/@{self.account.name}/{middle}/{self.id}"

    @property
    def shared_url(self) -> str:
        """As the app's Share sheet gives it, markers and tracking included."""
        kind = 40 if self.is_story else (0 if self.kind == "video" else 150)
        return (
            f"https://www.tiktok.com/@{self.account.name}/video/{self.id}?_r=1&_t=ZN-90abc"
            f"&aweme_type={kind}&share_item_id={self.id}&source=h5_m"
            f"&story_type={int(self.is_story)}&timestamp={int(self.created)}&u_code=0"
        )

    @property
    def fault_match(self) -> dict[str, Any]:
        return {"item": self.id, "endpoint": "media"}


@dataclass(eq=False)
class Account:
    """An account and what it has posted. Each method adds one story and returns it."""

    site: Site
    name: str
    id: str
    nickname: str
    private: bool = False
    secret: bool = False
    verified: bool = False
    embeddable: bool = True
    profile_code: int = 0
    story_status: int | None = None
    user: dict[str, Any] = field(default_factory=dict)
    avatar_body: bytes | None = None  # None: a portrait is drawn
    stories: list[FakeStory] = field(default_factory=list)
    posts: list[FakeStory] = field(default_factory=list)

    @property
    def sec_uid(self) -> str:
        letters = string.ascii_letters + string.digits + "_-"
        rng = random.Random(self.id)
        return "MS4wLjABAAAA" + "".join(rng.choice(letters) for _ in range(64))

    @property
    def url(self) -> str:
        return f"https://www.tiktok.com/@{self.name}"

    @property
    def fault_match(self) -> dict[str, Any]:
        return {"account": self.name}

    def _begin(
        self, kind: str, caption: str | None, ago_s: float | None, post: bool, **more: Any
    ) -> FakeStory:
        site = self.site
        placed = len(self.stories) + len(self.posts)
        created = site.now() - (ago_s if ago_s is not None else 6 * HOURS - placed * 60)
        story = FakeStory(
            account=self,
            id=site.new_id(created),
            created=created,
            kind=kind,
            caption=f"A {kind} of mine" if caption is None else caption,
            is_story=not post,
            expires=int(created) + 24 * HOURS,
            **more,
        )
        (self.posts if post else self.stories).append(story)
        site.stories[story.id] = story
        return story

    def video(
        self,
        seconds: float = 2,
        *,
        gears: Sequence[Gear] = (H264,),
        caption: str | None = None,
        label: str | None = None,
        ago_s: float | None = None,
        audio: bool = True,
        min_bytes: int | None = None,
        moov: Literal["first", "last"] = "first",
        low: bool = True,
        watermark: bool = True,
        song: media.SongFormat | None = None,
        post: bool = False,
        listed_gears: bool = True,
        bodies: Sequence[bytes] = (),
        **more: Any,
    ) -> FakeStory:
        """A video. low: also a smaller H.264 gear. watermark: also a `downloadAddr`.

        listed_gears: False leaves `bitrateInfo` out, as old answers do. bodies: a file for each
        gear, made elsewhere. more: fields of FakeStory.
        """
        story = self._begin("video", caption, ago_s, post, **more)
        story.seconds = seconds
        story.gears_listed = listed_gears
        label = label or LABELS[(len(self.stories) + len(self.posts)) % len(LABELS)]
        quality = 20
        encoded = partial(
            media.video, seconds, audio=audio, min_bytes=min_bytes, moov=moov, label=label
        )
        for place, (codec, size) in enumerate(gears):
            body = bodies[place] if bodies else encoded(size=size, codec=codec)
            number = 0 if codec == "h264" else 1
            kind = "normal" if codec == "h264" else "adapt_lower"
            name = f"{kind}_{GEAR_NAMES.get(size[0], size[0])}_{number}"
            self._rendition(story, body, codec, size, name, quality)
            quality -= 1
        first = story.renditions[0]
        if low and any(codec == "h264" for codec, _ in gears):
            plain = next(rendition for rendition in story.renditions if rendition.codec == "h264")
            self._rendition(
                story, plain.thing.parts[0], "h264", plain.size, "lowest_540_0", 25, share=0.5
            )
        if watermark:
            story.watermarked = self._file(
                story, "video", first.thing.parts[0], "video/mp4", 1, "watermarked"
            )
        story.cover = self._file(
            story,
            "cover",
            media.picture("jpeg", (360, 640), label),
            "image/jpeg",
            0,
            "cover",
            ".image",
        )
        self._attach(story, song, label)
        return story

    def add_dash(
        self,
        story: FakeStory,
        size: tuple[int, int],
        codec: media.Codec = "h264",
        *,
        sound: MediaObject | None = None,
        sound_seconds: float | None = None,
    ) -> Rendition:
        """Add a DASH gear to a video: a silent file, and its sound as another one.

        sound: an earlier gear's, to share. sound_seconds: of a new one, other than the picture's.
        """
        length_s = story.seconds
        body = media.video(length_s, size, codec, audio=False)
        name = f"dash_{size[0]}_{codec}"
        self._rendition(story, body, codec, size, name, 20)
        rendition = story.renditions[-1]
        rendition.format = "dash"
        rendition.sound = sound or self._file(
            story,
            "video",
            media.song("m4a", sound_seconds or length_s),
            "audio/mp4",
            1,
            f"{name}_sound",
        )
        return rendition

    def replace_body(self, rendition: Rendition, body: bytes) -> None:
        """Have other bytes behind a gear's addresses than it was declared with."""
        thing = replace(rendition.thing, parts=(body,))
        self.site.objects[thing.key] = rendition.thing = thing

    def photo(self, **options: Any) -> FakeStory:
        """A single photo; options as for `carousel`."""
        return self.carousel(1, **options)

    def carousel(
        self,
        count: int = 3,
        *,
        formats: Sequence[media.PictureFormat] = ("jpeg",),
        size: tuple[int, int] = (1080, 1920),
        caption: str | None = None,
        label: str | None = None,
        ago_s: float | None = None,
        min_bytes: int | None = None,
        orientation: int | None = None,
        song: media.SongFormat | None = None,
        post: bool = False,
        bodies: Sequence[bytes] = (),
        **more: Any,
    ) -> FakeStory:
        """Several photos in order; formats are taken in turn. bodies: files made elsewhere."""
        kind = "carousel" if count > 1 else "photo"
        story = self._begin(kind, caption, ago_s, post, **more)
        label = label or LABELS[(len(self.stories) + len(self.posts)) % len(LABELS)]
        types = {"jpeg": ("image/jpeg", ".jpeg"), "png": ("image/png", ".png")}
        taken = partial(media.picture, size=size, orientation=orientation, min_bytes=min_bytes)
        for number in range(1, count + 1):
            fmt = formats[(number - 1) % len(formats)]
            words = label if count == 1 else f"{label} {number}"
            body = bodies[number - 1] if bodies else taken(fmt, label=words)
            plain = fmt.removesuffix("_animated")
            content_type, suffix = types.get(fmt, (f"image/{plain}", f".{plain}"))
            file = self._file(story, "picture", body, content_type, number, fmt, suffix)
            story.pictures.append((file, size))
        story.cover = story.pictures[0][0]
        self._attach(story, song, label)
        return story

    def expired(self, *, listed: bool = True, **options: Any) -> FakeStory:
        """A story whose day is over; still listed unless told otherwise."""
        options.setdefault("ago_s", 25 * HOURS)
        return self.photo(listed=listed, **options)

    def post(
        self, kind: Literal["video", "photo", "carousel"] = "video", **options: Any
    ) -> FakeStory:
        """An ordinary post: not in the story list, but it has its page."""
        options.setdefault("ago_s", 3 * 24 * HOURS)
        story: FakeStory = getattr(self, kind)(post=True, **options)
        return story

    def nothing(self, **options: Any) -> FakeStory:
        """An item that declares no media at all."""
        options = {"caption": None, "ago_s": None, "post": False, **options}
        return self._begin("nothing", **options)

    def _rendition(
        self,
        story: FakeStory,
        body: bytes,
        codec: str,
        size: tuple[int, int],
        name: str,
        quality: int,
        share: float = 1.0,
    ) -> None:
        file = self._file(story, "video", body, "video/mp4", 1, name)
        rate = max(int(file.size * 8 / story.seconds * share), 1)
        story.renditions.append(Rendition(file, codec, size, rate, name, quality))

    def _attach(self, story: FakeStory, fmt: media.SongFormat | None, label: str) -> None:
        if fmt is not None:
            story.song_seconds = 6
            kind = "audio/mpeg" if fmt == "mp3" else "audio/mp4"
            body = media.song(fmt, 6, label)
            story.song = self._file(story, "song", body, kind, 0, fmt)

    def _file(
        self,
        story: FakeStory,
        kind: str,
        body: bytes,
        content_type: str,
        position: int,
        gear: str,
        suffix: str = "",
    ) -> MediaObject:
        key = hashlib.sha256(f"{story.id}/{position}/{kind}/{gear}".encode()).hexdigest()[:32]
        file = MediaObject(
            key=key,
            kind=kind,
            parts=media.salted(body, key),
            content_type=content_type,
            account=self.name,
            item=story.id,
            position=position,
            gear=gear,
            suffix=suffix,
        )
        self.site.objects[key] = file
        return file


def avatar_key(account: Account) -> str:
    """The name of an account's picture in every address, whatever the size."""
    return hashlib.sha256(f"avatar/{account.id}".encode()).hexdigest()[:32]


def avatar_of(account: Account) -> MediaObject:
    """An account's picture, drawn when it is first asked for."""
    body = account.avatar_body
    return MediaObject(
        key=avatar_key(account),
        kind="avatar",
        parts=(media.portrait(account.name) if body is None else body,),
        content_type="image/jpeg",
        account=account.name,
        item="",
        position=0,
        gear="avatar",
    )
