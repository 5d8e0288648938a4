"""The fake itself: accounts, stories, short links, sessions, and the answer to every request.

tiktok = FakeTikTok()
alice = tiktok.account("sample.user")
clip = alice.video(seconds=3)
alice.photo(); alice.carousel(4); alice.expired()
tiktok.short_link("ZM123", to=clip)
tiktok.fault(clip, "drop", after=50_000, times=1)
client = httpx.AsyncClient(transport=tiktok.transport())
"""

from __future__ import annotations

import hashlib
import random
import string
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, unquote

from tests.fake_tiktok import cdn, media, pages
from tests.fake_tiktok.cdn import MediaObject
from tests.fake_tiktok.exchange import (
    MEDIA,
    Fault,
    Faults,
    Request,
    Response,
    Seen,
    Where,
    match_of,
    sliced,
)

if TYPE_CHECKING:
    import httpx

HOURS = 3600.0
LABELS = ("Good morning", "High noon", "Golden hour")
SUFFIXES = (".tiktok.com", ".tiktokcdn.com", ".tiktokcdn-us.com", ".tiktokcdn-eu.com")
PAGE_HOSTS = frozenset({"www.tiktok.com", "tiktok.com", "m.tiktok.com"})
SHORT_HOSTS = frozenset({"vm.tiktok.com", "vt.tiktok.com"})

Gear = tuple[media.Codec, tuple[int, int]]
H264: Gear = ("h264", (576, 1024))
HEVC_1080: Gear = ("hevc", (1080, 1920))
HEVC_720: Gear = ("hevc", (720, 1280))

_NAMES = {576: "540", 720: "720", 1080: "1080", 540: "540", 360: "360"}


@dataclass(eq=False)
class Rendition:
    """One gear of a video: the file, and what the listing says of it."""

    thing: MediaObject
    codec: str
    size: tuple[int, int]
    bitrate: int
    gear_name: str
    quality: int

    @property
    def fault_match(self) -> dict[str, Any]:
        return self.thing.fault_match


@dataclass(eq=False)
class FakeStory:
    """A story or a post. Its files are made when it is declared.

    created: Unix seconds. kind: "video", "photo", "carousel" or "nothing" (no media at all).
    listed: whether the list shows it; an unlisted expired story is simply gone.
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

    @property
    def files(self) -> list[MediaObject]:
        """What a saver should fetch: the best H.264 (else the first gear), or the pictures."""
        if self.pictures:
            return [thing for thing, _ in self.pictures]
        best = sorted(
            self.renditions, key=lambda one: (one.codec != "h264", -one.size[0], -one.bitrate)
        )
        return [best[0].thing] if best else []

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

    site: FakeTikTok
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
        **more: Any,
    ) -> FakeStory:
        """A video. low: also a smaller H.264 gear. watermark: also a `downloadAddr`.

        listed_gears: False leaves `bitrateInfo` out, as old answers do. more: fields of FakeStory.
        """
        story = self._begin("video", caption, ago_s, post, **more)
        story.seconds = seconds
        story.gears_listed = listed_gears
        label = label or LABELS[(len(self.stories) + len(self.posts)) % len(LABELS)]
        quality = 20
        for codec, size in gears:
            body = media.video(
                seconds, size, codec, audio=audio, min_bytes=min_bytes, moov=moov, label=label
            )
            number = 0 if codec == "h264" else 1
            name = (
                f"{'normal' if codec == 'h264' else 'adapt_lower'}_{_NAMES.get(size[0], size[0])}"
            )
            self._rendition(story, body, codec, size, f"{name}_{number}", quality)
            quality -= 1
        first = story.renditions[0]
        if low and any(codec == "h264" for codec, _ in gears):
            plain = next(one for one in story.renditions if one.codec == "h264")
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
        **more: Any,
    ) -> FakeStory:
        """Several photos in order; formats are taken in turn."""
        kind = "carousel" if count > 1 else "photo"
        story = self._begin(kind, caption, ago_s, post, **more)
        label = label or LABELS[(len(self.stories) + len(self.posts)) % len(LABELS)]
        types = {"jpeg": ("image/jpeg", ".jpeg"), "png": ("image/png", ".png")}
        for number in range(1, count + 1):
            fmt = formats[(number - 1) % len(formats)]
            words = label if count == 1 else f"{label} {number}"
            body = media.picture(fmt, size, words, orientation=orientation, min_bytes=min_bytes)
            plain = fmt.removesuffix("_animated")
            content_type, suffix = types.get(fmt, (f"image/{plain}", f".{plain}"))
            thing = self._file(story, "picture", body, content_type, number, fmt, suffix)
            story.pictures.append((thing, size))
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
        made: FakeStory = getattr(self, kind)(post=True, **options)
        return made

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
        thing = self._file(story, "video", body, "video/mp4", 1, name)
        rate = max(int(thing.size * 8 / story.seconds * share), 1)
        story.renditions.append(Rendition(thing, codec, size, rate, name, quality))

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
        thing = MediaObject(
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
        self.site.objects[key] = thing
        return thing


class FakeTikTok:
    """See the module. All of it is in memory, and safe to ask from several threads.

    now: the site's clock, Unix seconds. needs_referer, needs_token, same_agent: what video hosts
    insist on. page_bytes: how large pages are. most_per_page: the list never gives more at once.
    """

    def __init__(
        self, *, now: Callable[[], float] = time.time, page_bytes: int = 390_000, seed: int = 1
    ) -> None:
        self._clock = now
        self._moved_s = 0.0
        self._lock = threading.RLock()
        self._rng = random.Random(seed)
        self._serial = 0
        self._puzzles: dict[str, pages.Puzzle] = {}
        self._short: dict[tuple[str, str], str] = {}
        self._agents: dict[str, str] = {}  # tt_chain_token -> User-Agent of its page request
        self.accounts: dict[str, Account] = {}
        self.stories: dict[str, FakeStory] = {}
        self.objects: dict[str, MediaObject] = {}
        self.faults = Faults()
        self.requests: list[Seen] = []
        self.strays: list[str] = []
        self.page_bytes = page_bytes
        self.most_per_page = 50
        self.media_life_s = 48 * HOURS
        self.song_life_s = 6 * HOURS
        self.needs_referer = True
        self.needs_token = True
        self.same_agent = True
        self.cursor_as: type[int] | type[str] = int
        self.embed_slash = False

    # --- what tests say ---------------------------------------------------------------------

    def now(self) -> float:
        return self._clock() + self._moved_s

    def advance(self, seconds: float) -> None:
        """Move the site's clock: addresses and stories run out, nothing waits."""
        self._moved_s += seconds

    def account(self, name: str, *, nickname: str | None = None, **facts: Any) -> Account:
        """A new account; facts: fields of Account (private=True, profile_code=10221 …)."""
        number = int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)
        made = Account(
            site=self,
            name=name,
            id=facts.pop("id", str(6_800_000_000_000_000_000 + number)),
            nickname=nickname if nickname is not None else name.replace(".", " ").title(),
            **facts,
        )
        self.accounts[name.lower()] = made
        return made

    def short_link(
        self,
        code: str,
        to: FakeStory | Account | str | None,
        *,
        host: str = "vm.tiktok.com",
        hops: int = 1,
    ) -> str:
        """A short link; None leads home, as dead codes do. Returns its URL.

        host: "vm.tiktok.com", "vt.tiktok.com" or "www.tiktok.com" (for `/t/<code>`).
        """
        if isinstance(to, FakeStory):
            target = to.shared_url
        elif isinstance(to, Account):
            target = f"{to.url}?_r=1&_t=ZN-90abc&sec_uid={to.sec_uid}"
        else:
            target = to or "https://www.tiktok.com/?_r=1"
        for hop in range(hops - 1):
            step = f"{code}h{hop}"
            self._short["www.tiktok.com", step] = target
            target = f"https://www.tiktok.com/t/{step}/"
        self._short[host, code] = target
        middle = "t/" if host == "www.tiktok.com" else ""
        return f"https://{host}/{middle}{code}/"

    def fault(
        self, what: object, kind: str | int, *, times: int | None = None, **options: Any
    ) -> Fault:
        """From now on, matching requests fail in this way; `times` times, or always.

        what: an endpoint ("profile", "list", "page", "embed", "embed_item", "short", "play",
        "video", "picture", "song", "cover", or the groups "media", "pages", "any"), part of a URL
        ("v16-"), an Account, a FakeStory (its files), a Rendition or MediaObject, or a mapping of
        {endpoint, account, item, position, gear, host, method, ranged, text}.
        kind: a status number, or a name in exchange.FAULTS. The returned Fault counts its hits.
        """
        if isinstance(kind, int) or kind.isdigit():
            options["status"], kind = int(kind), "status"
        return self.faults.add(Fault(kind, match_of(what), times, options))

    def count(self, endpoint: str | None = None, **where: Any) -> int:
        """How many requests were answered; filters as in `fault`."""
        return len(self.seen(endpoint, **where))

    def seen(self, endpoint: str | None = None, **where: Any) -> list[Seen]:
        """The requests so far, in order."""
        match = {**({"endpoint": endpoint} if endpoint else {}), **where}
        if isinstance(match.get("account"), Account):
            match["account"] = match["account"].name
        if isinstance(match.get("item"), FakeStory):
            match["item"] = match["item"].id
        probe = Fault("status", match)
        with self._lock:
            log = list(self.requests)
        return [
            one
            for one in log
            if probe.matches(Request(one.method, one.host, one.path, one.headers), one.where)
        ]

    def forget_requests(self) -> None:
        """Empty the log, faults stay."""
        with self._lock:
            self.requests.clear()
            self.strays.clear()

    def new_id(self, created: float) -> str:
        """A snowflake: its high 32 bits are the second of creation."""
        with self._lock:
            self._serial += 1
            low = (self._serial * 0x9E3779B1 + 0x6A09E667) & 0xFFFFFFFF
        return str((int(created) << 32) | low)

    def knows(self, host: str) -> bool:
        """Whether a host is one of TikTok's; anything else asked for is a stray."""
        return host == "tiktok.com" or host.endswith(SUFFIXES)

    def stray(self, host: str) -> None:
        with self._lock:
            self.strays.append(host)

    def transport(self) -> httpx.MockTransport:
        """For `httpx.Client` and `httpx.AsyncClient`; nothing in it waits."""
        from tests.fake_tiktok.mock import mock_transport

        return mock_transport(self)

    def media_list(self, user_agent: str = "curl") -> dict[str, Any]:
        """Every file a saver would fetch, with addresses and headers that work in curl."""
        token = self._new_token(user_agent)
        found = []
        for account in list(self.accounts.values()):
            for story in account.stories:
                for thing in story.files:
                    if thing.kind == "video":
                        url = cdn.video_urls(thing, self.now(), self.media_life_s, token, story.id)[
                            0
                        ]
                    else:
                        url = cdn.picture_urls(thing, self.now(), self.media_life_s)[0]
                    found.append(
                        {
                            "url": url,
                            "size": thing.size,
                            "sha256": hashlib.sha256(thing.body).hexdigest(),
                            "account": account.name,
                            "item": story.id,
                            "position": thing.position,
                        }
                    )
        return {
            "headers": {
                "User-Agent": user_agent,
                "Referer": "https://www.tiktok.com/",
                "Cookie": f"tt_chain_token={token}",
            },
            "files": found,
        }

    # --- one request ------------------------------------------------------------------------

    def handle(self, method: str, host: str, path: str, headers: Mapping[str, str]) -> Response:
        """Answer one request; path: with the query. Strays are the caller's to refuse."""
        lower = {name.lower(): value for name, value in headers.items()}
        request = Request(method, host.lower().partition(":")[0], path, lower)
        with self._lock:
            where = self._where(request)
            fault = self.faults.find(request, where)
            response = self._faulty(fault, request, where) if fault else None
            acted = response is not None
            if response is None:
                response = self._answer(request, where)
            if acted and fault is not None:
                self.faults.hit(fault)
            self.requests.append(
                Seen(
                    method,
                    request.host,
                    path,
                    lower,
                    where,
                    0 if response.silent else response.status,
                    fault.kind if fault and acted else None,
                )
            )
        return response

    def _where(self, request: Request) -> Where:
        host, steps = request.host, [step for step in request.bare_path.split("/") if step]
        if cdn.is_media_host(host):
            thing = self.objects.get(cdn.key_in(request.bare_path))
            return thing.where if thing else Where("other")
        if host in SHORT_HOSTS or (steps[:1] == ["t"] and host in PAGE_HOSTS):
            return Where("short")
        if host not in PAGE_HOSTS:
            return Where("other")
        return self._page_where(steps, request)

    def _page_where(self, steps: list[str], request: Request) -> Where:
        first = unquote(steps[0]) if steps else ""
        if not steps:
            return Where("home")
        if first == "login":
            return Where("login")
        if steps[:2] == ["aweme", "v1"]:
            story = self.stories.get(request.parameters.get("item_id", ""))
            return Where("play", story.account.name if story else None, story.id if story else None)
        if steps[:3] == ["api", "story", "item_list"]:
            return Where("list", self._name_of(request.parameters.get("authorId", "")))
        if first == "api":
            return Where("api")
        if first == "embed" and len(steps) > 1:
            last = unquote(steps[-1])
            if last.startswith("@"):
                return Where("embed", last[1:].lower())
            return Where("embed_item", self._owner_of(last), last)
        if first.startswith("@"):
            if len(steps) == 1:
                return Where("profile", self._name_of(first[1:]))
            if len(steps) == 3 and steps[1] in {"video", "photo", "story"}:
                return Where("page", self._owner_of(steps[2]), steps[2])
        return Where("other")

    def _name_of(self, said: str) -> str:
        """The account's name for a name, an id or a secUid."""
        account = self._find(said)
        return account.name if account else said.lower()

    def _find(self, said: str) -> Account | None:
        if said.lower() in self.accounts:
            return self.accounts[said.lower()]
        return next((a for a in self.accounts.values() if said in {a.id, a.sec_uid}), None)

    def _owner_of(self, item: str) -> str | None:
        story = self.stories.get(item)
        return story.account.name if story else None

    # --- sessions ---------------------------------------------------------------------------

    def _new_token(self, user_agent: str) -> str:
        letters = string.ascii_letters + string.digits
        token = "".join(self._rng.choice(letters) for _ in range(22)) + "=="
        self._agents[token] = user_agent
        return token

    def _session(self, request: Request) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The session's tt_chain_token, and the cookies to set when it is new."""
        token = request.cookies.get("tt_chain_token", "").strip('"')
        if token in self._agents:
            self._agents[token] = request.user_agent
            return token, ()
        token = self._new_token(request.user_agent)
        scope = "; Path=/; Domain=.tiktok.com; Max-Age=15552000; HttpOnly; Secure"
        made = [
            ("ttwid", f"1%7C{token[:12]}%7C{int(self.now())}%7Cabcdef"),
            ("tt_csrf_token", f"{token[:8]}-{token[8:16]}"),
            ("tt_chain_token", token),
        ]
        return token, tuple(("Set-Cookie", f"{name}={value}{scope}") for name, value in made)

    # --- answers ----------------------------------------------------------------------------

    def _answer(self, request: Request, where: Where) -> Response:
        if cdn.is_media_host(request.host):
            return self._media(request)
        answer = {
            "profile": self._profile,
            "list": self._list,
            "page": self._page,
            "embed": self._embed,
            "embed_item": self._embed_item,
            "short": self._short_hop,
            "play": self._play,
        }.get(where.endpoint)
        if answer is not None:
            return answer(request, where)
        if where.endpoint == "api":
            # What unsigned calls get: 200 and nothing.
            return Response(200, [("Content-Type", "application/json"), ("Bdturing-Verify", "1")])
        if where.endpoint in {"home", "login"}:
            return pages.plain_page(request, "TikTok - Make Your Day")
        return pages.plain_page(request, "Not found", 404)

    def _profile(self, request: Request, where: Where) -> Response:
        account = self._find(where.account or "")
        _, cookies = self._session(request)
        detail: dict[str, Any] = {"needFix": False, "statusCode": 0, "statusMsg": ""}
        if account is None or account.profile_code in {10221, 10202}:
            code = account.profile_code if account else 10221
            said = "user banned" if code == 10221 else "user not exist"
            detail |= {"statusCode": code, "statusMsg": said}
        else:
            detail["statusCode"] = account.profile_code or (10222 if account.private else 0)
            detail["userInfo"] = {
                "itemList": [],
                "stats": _stats(account, text=False),
                "statsV2": _stats(account, text=True),
                "user": self._user(account),
            }
        scope = {"webapp.user-detail": detail}
        return pages.rehydration(request, scope, "Profile", self.page_bytes, *cookies)

    def _list(self, request: Request, where: Where) -> Response:
        asked = request.parameters
        token, cookies = self._session(request)
        count = int(asked.get("count") or 0) if asked.get("count", "").isdigit() else 0
        if asked.get("aid") != "1988" or not asked.get("authorId") or not 1 <= count <= 50:
            return self._list_answer(request, 10201, "invalid parameter", cookies)
        account = next((a for a in self.accounts.values() if a.id == asked["authorId"]), None)
        if account is None:
            return self._list_answer(request, 10202, "user not exist", cookies)
        if account.private or account.secret:
            return self._list_answer(request, 10222, "private account", cookies)
        after = int(asked.get("cursor") or 0)
        every = sorted((s for s in account.stories if s.listed), key=lambda s: s.created)
        rest = [s for s in every if int(s.created * 1000) > after]
        given = rest[: min(count, self.most_per_page)]
        more: dict[str, Any] = {
            "HasMoreAfter": len(given) < len(rest),
            "HasMoreBefore": False,
            "MaxCursor": self.cursor_as(int(given[-1].created * 1000) if given else after),
            "MinCursor": self.cursor_as(int(given[0].created * 1000) if given else after),
            "TotalCount": str(len(every)),
        }
        if given:
            more["itemList"] = [self.item(story, token) for story in given]
        return self._list_answer(request, 0, "", cookies, **more)

    def _list_answer(
        self, request: Request, code: int, said: str, cookies: Any, **more: Any
    ) -> Response:
        logid = f"20261120{self._serial:010d}N2M2313060356N6F"
        return pages.json_answer(
            request,
            {
                **more,
                "extra": {
                    "fatal_item_ids": [],
                    "logid": logid,
                    "now": int(self.now() * 1000),
                },
                "log_pb": {"impr_id": logid},
                "statusCode": code,
                "status_code": code,
                "status_msg": said,
            },
            *cookies,
        )

    def _page(self, request: Request, where: Where) -> Response:
        token, cookies = self._session(request)
        # The data is there on /video/ pages only.
        if "/video/" not in request.bare_path:
            return pages.rehydration(request, {}, "TikTok", self.page_bytes, *cookies)
        story = self.stories.get(where.item or "")
        detail: dict[str, Any] = {"itemInfo": {}, "statusCode": 0, "statusMsg": ""}
        if story is None or (story.is_story and story.expires <= self.now()):
            detail |= {"statusCode": 10204, "statusMsg": "item doesn't exist"}
        elif story.page_code or story.account.private:
            code = story.page_code or 10222
            detail |= {"statusCode": code, "statusMsg": f"code {code}"}
        else:
            detail["itemInfo"] = {"itemStruct": self.item(story, token, page=True)}
            detail["shareMeta"] = {"desc": story.caption, "title": story.account.nickname}
        scope = {"webapp.video-detail": detail}
        return pages.rehydration(request, scope, "Video", self.page_bytes, *cookies)

    def _embed(self, request: Request, where: Where) -> Response:
        account = self.accounts.get(where.account or "")
        user: dict[str, Any] = {}
        if account is None or account.profile_code in {10221, 10202}:
            user = {"code": 10202, "customErrorCode": 10202}
        elif account.embeddable and not account.private:
            user = {
                "avatarThumbUrl": "",
                "code": 200,
                "customErrorCode": 0,
                "followerCount": 122222,
                "followingCount": 122,
                "heartCount": 1222222,
                "id": account.id,
                "nickname": account.nickname,
                "privateAccount": False,
                "signature": "Sample bio",
                "uniqueId": account.name,
                "verified": account.verified,
            }
        name = account.name if account else where.account
        route = f"/embed/@{name}"
        entry = {
            "isError": False,
            "isFetching": False,
            "isReady": True,
            "link": route,
            "page": 1,
            "pageName": "creator",
            "playlistId": name,
            "playlistType": "creator",
            "query": {},
            "route": f"{route}/",
            "userInfo": user,
            "videoList": [],
        }
        key = f"{route}/" if self.embed_slash else route
        return pages.frontity(request, key, entry, self.page_bytes * 3 // 4)

    def _embed_item(self, request: Request, where: Where) -> Response:
        story = self.stories.get(where.item or "")
        route = f"/embed/v2/{where.item}"
        data: dict[str, Any] = {}
        gone = story is None or (story.is_story and story.expires <= self.now())
        if story is not None and not gone and not story.account.private:
            data = self._embed_data(story)
        entry = {"isError": not data, "isReady": True, "link": route, "route": f"{route}/"}
        entry["videoData"] = data
        return pages.frontity(request, route, entry, self.page_bytes * 3 // 4)

    def _embed_data(self, story: FakeStory) -> dict[str, Any]:
        now, life = self.now(), self.media_life_s
        size = story.renditions[0].size if story.renditions else (0, 0)
        files = story.files if story.kind == "video" else []
        data: dict[str, Any] = {
            "itemInfos": {
                "id": story.id,
                "text": story.caption,
                "createTime": str(int(story.created)),
                "authorId": story.account.id,
                "covers": [],
                "video": {
                    "urls": [cdn.app_url(t, now, life, cdn.EMBED_HOST) for t in files],
                    "videoMeta": {
                        "width": size[0],
                        "height": size[1],
                        "duration": round(story.seconds),
                    },
                },
            },
            "authorInfos": {
                "userId": story.account.id,
                "uniqueId": story.account.name,
                "secUid": story.account.sec_uid,
                "nickName": story.account.nickname,
                "verified": story.account.verified,
            },
            "musicInfos": {"musicId": "7400000000000000001", "musicName": "Sample sound title"},
        }
        if story.pictures:
            data["imagePostInfo"] = {
                "displayImages": [
                    {"urlList": cdn.picture_urls(t, now, life), "width": w, "height": h}
                    for t, (w, h) in story.pictures
                ]
            }
        return data

    def _short_hop(self, request: Request, where: Where) -> Response:
        code = request.bare_path.removeprefix("/t/").strip("/")
        host = request.host if request.host in SHORT_HOSTS else "www.tiktok.com"
        target = self._short.get((host, code), "https://www.tiktok.com/?_r=1")
        return pages.redirect(target, status=301)

    def _play(self, request: Request, where: Where) -> Response:
        token = request.cookies.get("tt_chain_token")
        thing = self.objects.get(cdn.play_target(request, token) or "")
        if thing is None or token is None:
            return pages.plain_page(request, "Forbidden", 403)
        urls = cdn.video_urls(thing, self.now(), self.media_life_s, token, thing.item)
        return pages.redirect(urls[0])

    def _media(self, request: Request) -> Response:
        thing = self.objects.get(cdn.key_in(request.bare_path))
        if thing is None:
            return pages.plain_page(request, "Not found", 404)
        why = self._media_refusal(request)
        if why is not None:
            refused = pages.plain_page(request, f"Forbidden: {why}", 403)
            refused.headers.append(("X-Fake-Reason", why))
            return refused
        return cdn.serve(thing, request)

    def _media_refusal(self, request: Request) -> str | None:
        tied = "tk" in request.parameters
        token = request.cookies.get("tt_chain_token")
        if tied and not self.needs_token:
            # Nothing but the token is forgiven: whose session it was is not known any more.
            token = next(
                (t for t in self._agents if cdn.why_refused(request, self.now(), t) is None), token
            )
        why = cdn.why_refused(request, self.now(), token if tied else None)
        if why is not None or not tied:
            return why
        if self.needs_referer and not request.headers.get("referer", "").startswith(
            "https://www.tiktok.com/"
        ):
            return "referer"
        if self.same_agent and self._agents.get(token or "") != request.user_agent:
            return "user agent"
        return None

    # --- items ------------------------------------------------------------------------------

    def _user(self, account: Account) -> dict[str, Any]:
        status = account.story_status
        if status is None:
            status = int(any(s.expires > self.now() for s in account.stories))
        return {
            "UserStoryStatus": status,
            **_avatars(account),
            "canExpPlaylist": True,
            "commentSetting": 0,
            "createTime": 1600000000,
            "ftc": False,
            "id": account.id,
            "isADVirtual": False,
            "isEmbedBanned": not account.embeddable,
            "nickname": account.nickname,
            "openFavorite": False,
            "privateAccount": account.private,
            "profileEmbedPermission": 1,
            "relation": 0,
            "roomId": "",
            "secUid": account.sec_uid,
            "secret": account.secret,
            "shortId": "",
            "signature": "Sample bio ✨",
            "uniqueId": account.name,
            "uniqueIdModifyTime": 0,
            "verified": account.verified,
            **account.user,
        }

    def item(self, story: FakeStory, token: str, *, page: bool = False) -> dict[str, Any]:
        """The item structure: numbers in API answers, strings in pages, as recorded."""
        number: Callable[[int], Any] = str if page else int
        author = story.posed_as or story.account
        item: dict[str, Any] = {
            "AIGCDescription": "",
            "CategoryType": 120,
            "author": {
                "UserStoryStatus": 1,
                **_avatars(author),
                "commentSetting": 0,
                "ftc": False,
                "id": author.id,
                "nickname": author.nickname,
                "privateAccount": author.private,
                "relation": 0,
                "secUid": author.sec_uid,
                "secret": False,
                "signature": "Sample bio",
                "uniqueId": author.name,
                "verified": author.verified,
            },
            "challenges": [],
            "collected": False,
            "createTime": number(int(story.created)),
            "desc": story.caption,
            "digged": False,
            "duetDisplay": 0,
            "forFriend": False,
            "id": story.id,
            "isAd": False,
            "isReviewing": False,
            "itemCommentStatus": 0,
            "music": self._music(story),
            "officalItem": False,
            "originalItem": False,
            "privateItem": False,
            "secret": False,
            "shareEnabled": True,
            "stats": {
                "collectCount": 12222,
                "commentCount": 12222,
                "diggCount": 122222,
                "playCount": 12222222,
                "shareCount": 12222,
            },
            "textExtra": [],
            "textLanguage": "en",
            "video": self._video(story, token, number),
        }
        if story.is_story:
            item["story"] = {"ExpiredAt": int(story.expires * 1000), "Viewed": False}
        if story.pictures:
            item["imagePost"] = self._image_post(story)
        return _merged(item, story.item)

    def _music(self, story: FakeStory) -> dict[str, Any]:
        music: dict[str, Any] = {
            "authorName": "Sample Artist",
            "duration": round(story.song_seconds or story.seconds) or 15,
            "id": "7400000000000000001",
            "isCopyrighted": story.song is None,
            "original": story.song is None,
            "private": False,
            "title": "Sample sound title",
        }
        if story.song is not None:
            music["playUrl"] = cdn.app_url(story.song, self.now(), self.song_life_s, cdn.SONG_HOST)
        return music

    def _cover(self, story: FakeStory) -> str:
        if story.cover is None:
            return ""
        return cdn.picture_urls(story.cover, self.now(), self.media_life_s)[0]

    def _video(self, story: FakeStory, token: str, number: Callable[[int], Any]) -> dict[str, Any]:
        video: dict[str, Any] = {
            "cover": self._cover(story),
            "downloadAddr": "",
            "duration": 0,
            "dynamicCover": "",
            "height": 0,
            "id": story.id,
            "playAddr": "",
            "ratio": "",
            "width": 0,
        }
        if not story.renditions:
            return video
        gears = [self._gear(story, one, token, number) for one in story.renditions]
        plain = next((g for g in gears if g["CodecType"] == "h264"), gears[0])
        address = plain["PlayAddr"]
        if story.watermarked is not None:
            video["downloadAddr"] = self._urls(story.watermarked, token)[0]
        video |= {
            "PlayAddrStruct": address,
            "VQScore": "63.4",
            "bitrate": plain["Bitrate"],
            "codecType": plain["CodecType"],
            "definition": "540p",
            "duration": round(story.seconds),
            "encodeUserTag": "",
            "encodedType": "normal",
            "format": "mp4",
            "height": address["Height"],
            "originCover": self._cover(story),
            "playAddr": address["UrlList"][0],
            "ratio": "540p",
            "size": address["DataSize"],
            "videoID": address["Uri"],
            "videoQuality": "normal",
            "volumeInfo": {"Loudness": -20.1, "Peak": 0.2851},
            "width": address["Width"],
        }
        if story.gears_listed:
            video["bitrateInfo"] = gears
        return video

    def _urls(self, thing: MediaObject, token: str) -> list[str]:
        return cdn.video_urls(thing, self.now(), self.media_life_s, token, thing.item)

    def _gear(
        self, story: FakeStory, one: Rendition, token: str, number: Callable[[int], Any]
    ) -> dict[str, Any]:
        width, height = one.size
        uri = f"v14044g50000{one.thing.key[:20]}"
        part = "h264" if one.codec == "h264" else "bytevc1"
        shown = _NAMES.get(width, width)
        return {
            "Bitrate": one.bitrate,
            "BitrateFPS": media.FPS,
            "CodecType": "h264" if one.codec == "h264" else "h265_hvc1",
            "Format": "mp4",
            "GearName": one.gear_name,
            "PlayAddr": {
                "DataSize": number(one.thing.size),
                "FileCs": "c:0-76453-0229",
                "FileHash": hashlib.md5(one.thing.body, usedforsecurity=False).hexdigest()
                if one.thing.size < 100_000
                else one.thing.key,
                "Height": height,
                "Uri": uri,
                "UrlKey": f"{uri}_{part}_{shown}p_{one.bitrate}",
                "UrlList": self._urls(one.thing, token),
                "Width": width,
            },
            "QualityType": one.quality,
        }

    def _image_post(self, story: FakeStory) -> dict[str, Any]:
        now, life = self.now(), self.media_life_s

        def image(thing: MediaObject, size: tuple[int, int]) -> dict[str, Any]:
            return {
                "imageHeight": size[1],
                "imageURL": {"urlList": cdn.picture_urls(thing, now, life)},
                "imageWidth": size[0],
            }

        cover = image(*story.pictures[0])
        return {
            "cover": cover,
            "images": [image(thing, size) for thing, size in story.pictures],
            "shareCover": cover,
            "title": story.caption,
        }

    # --- faults -----------------------------------------------------------------------------

    def _faulty(self, fault: Fault, request: Request, where: Where) -> Response | None:
        """The answer with the fault in it; None when the fault does not apply after all."""
        if fault.kind in {"challenge", "challenge_again", "unsolvable"}:
            return self._challenge(fault, request, where)
        early = self._refusal(fault, request, where)
        if early is not None:
            return early
        response = self._answer(request, where)
        if where.endpoint in MEDIA:
            return self._media_fault(fault, request, response)
        if where.endpoint == "list" and fault.kind in {"withheld", "stuck", "repeat"}:
            return self._list_fault(fault, request, where, response)
        return _slowed(fault, response)

    def _challenge(self, fault: Fault, request: Request, where: Where) -> Response | None:
        pending = self._puzzles.get(where.account or request.bare_path)
        if fault.kind == "challenge" and pending is not None and pending.accepts(request.cookies):
            del self._puzzles[where.account or request.bare_path]
            self.faults.hit(fault)
            return None
        options = fault.options
        made = pages.puzzle(
            self._rng,
            self.now(),
            options.get("reach", 3000),
            options.get("second", ""),
            fault.kind != "unsolvable",
        )
        self._puzzles[where.account or request.bare_path] = made
        response = pages.html(request, made.page())
        if fault.kind == "challenge":
            fault.hits -= 1  # `handle` counts it; only a right answer does here
        return response

    def _refusal(self, fault: Fault, request: Request, where: Where) -> Response | None:
        kind, options = fault.kind, fault.options
        if kind in {"status", "expired"}:
            more = [(str(n), str(v)) for n, v in options.get("headers", {}).items()]
            if "retry_after" in options:
                more.append(("Retry-After", str(options["retry_after"])))
            response = pages.plain_page(request, "Refused", options.get("status", 403))
            response.headers += more
            return response
        if kind == "silent":
            return Response(silent=True)
        if kind == "empty":
            kind = "application/json" if where.endpoint == "list" else "text/html"
            headers = [("Content-Type", kind), ("Bdturing-Verify", '{"code":"10000"}')]
            return Response(200, headers if where.endpoint not in MEDIA else [])
        if kind == "html":
            return pages.plain_page(request, "Access denied, please verify")
        if kind in {"redirect", "login"}:
            login = f"https://www.tiktok.com/login?redirect_url={quote(request.url)}"
            return pages.redirect(options["to"] if kind == "redirect" else login)
        if kind == "system_error":
            response = pages.plain_page(request, "Access Denied", 403)
            response.headers.append(("X-TT-System-Error", "3"))
            return response
        if kind == "captcha":
            said = {"code": "10000", "from": "", "type": "verify", "verify_event": "x"}
            return pages.json_answer(request, said)
        if kind == "huge":
            return pages.huge(request, options.get("size", 64 * 2**20))
        if kind == "deep":
            return pages.deep(request, options.get("depth", 100_000))
        return self._changed(fault, request, where)

    def _changed(self, fault: Fault, request: Request, where: Where) -> Response | None:
        if fault.kind == "changed":
            if where.endpoint == "list":
                return pages.json_answer(request, {"data": {"stories": []}, "ok": True})
            return pages.without_data(request, self.page_bytes)
        if fault.kind == "code":
            code = fault.options["code"]
            if where.endpoint == "list":
                return self._list_answer(request, code, f"code {code}", ())
            name = "webapp.user-detail" if where.endpoint == "profile" else "webapp.video-detail"
            scope = {name: {"statusCode": code, "statusMsg": f"code {code}"}}
            return pages.rehydration(request, scope, "TikTok", self.page_bytes)
        return None

    def _list_fault(
        self, fault: Fault, request: Request, where: Where, response: Response
    ) -> Response:
        bare = Request(
            request.method,
            request.host,
            request.path,
            {n: v for n, v in request.headers.items() if n != "accept-encoding"},
        )
        said = self._list(bare, where).json()
        if fault.kind == "withheld":
            said.pop("itemList", None)
            said["TotalCount"] = str(fault.options.get("total", 3))
        elif fault.kind == "stuck":
            said |= {"HasMoreAfter": True, "MaxCursor": int(request.parameters.get("cursor") or 0)}
        else:
            first = Request(bare.method, bare.host, _with_cursor_0(bare.path), bare.headers)
            again = self._list(first, where).json()
            cursor = int(request.parameters.get("cursor") or 0)
            said = {**again, "HasMoreAfter": True, "MaxCursor": max(cursor, 1) * 2}
        cookies = [pair for pair in response.headers if pair[0] == "Set-Cookie"]
        return pages.json_answer(request, said, *cookies)

    def _media_fault(self, fault: Fault, request: Request, response: Response) -> Response:
        kind, options = fault.kind, fault.options
        if response.status not in {200, 206}:
            return response
        length = response.length
        if kind == "truncated":
            response.parts = sliced(response.parts, 0, options.get("after", length // 2))
        elif kind == "hole":
            start = options.get("after", length // 2)
            size = min(options.get("length", 65536), max(length - start, 0))
            response.parts = [
                *sliced(response.parts, 0, start),
                memoryview(bytes(size)),
                *sliced(response.parts, start + size, length),
            ]
        elif kind == "no_ranges":
            bare = {n: v for n, v in request.headers.items() if n not in {"range", "if-range"}}
            response = self._media(Request(request.method, request.host, request.path, bare))
            response.headers = [p for p in response.headers if p[0] != "Accept-Ranges"]
        elif kind == "etag_changes":
            self._serial += 1
            bare = {n: v for n, v in request.headers.items() if n != "if-range"}
            if "if-range" in request.headers:
                bare.pop("range", None)  # never the same, so all of it
            response = self._media(Request(request.method, request.host, request.path, bare))
            response.headers = [p for p in response.headers if p[0] != "ETag"]
            response.headers.append(("ETag", f'"changed-{self._serial}"'))
        elif kind == "wrong_range" and response.status == 206:
            response.headers = [p for p in response.headers if p[0] != "Content-Range"]
            response.headers.append(("Content-Range", f"bytes 7-{6 + length}/{length * 9}"))
        elif kind == "mislabelled":
            response.headers = [p for p in response.headers if p[0] != "Content-Type"]
            response.headers.append(("Content-Type", "application/octet-stream"))
        return _slowed(fault, response)


def _slowed(fault: Fault, response: Response) -> Response:
    if fault.kind == "drop":
        response.cut_after = fault.options.get("after", response.length // 2)
    elif fault.kind == "stall":
        response.hang_after = fault.options.get("after", response.length // 2)
    elif fault.kind == "slow":
        response.bytes_per_s = fault.options.get("bytes_per_s", 65536)
    return response


def _with_cursor_0(path: str) -> str:
    bare, _, query = path.partition("?")
    kept = [pair for pair in query.split("&") if not pair.startswith("cursor=")]
    return f"{bare}?{'&'.join([*kept, 'cursor=0'])}"


def _stats(account: Account, *, text: bool) -> dict[str, Any]:
    counts = {
        "diggCount": 0,
        "followerCount": 122222,
        "followingCount": 122,
        "friendCount": 12,
        "heart": 1222222,
        "heartCount": 1222222,
        "videoCount": len(account.posts),
    }
    return {name: str(count) if text else count for name, count in counts.items()}


def _avatars(account: Account) -> dict[str, str]:
    stem = hashlib.sha256(account.id.encode()).hexdigest()[:32]
    host = "https://p16-common-sign.tiktokcdn.com/tos-maliva-avt-0068"
    return {
        f"avatar{name}": f"{host}/{stem}~tplv-tiktokx-cropcenter:{side}:{side}.jpeg?dr=10399"
        for name, side in (("Larger", 1080), ("Medium", 720), ("Thumb", 100))
    }


def _merged(base: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """base with more laid over it; None removes a field."""
    for name, value in more.items():
        if value is None:
            base.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(base.get(name), dict):
            base[name] = _merged(base[name], value)
        else:
            base[name] = value
    return base
