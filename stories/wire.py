"""TikTok's JSON and HTML into our structures; the only file that knows TikTok's field names.

Everything here is pure and takes whole bodies as bytes, already bounded in size by the transport.
Whatever the bytes are, only a StoriesError comes out. docs/protocol.md dates every shape.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from stories.challenge import is_challenge
from stories.errors import (
    AgeRestricted,
    Challenged,
    Gone,
    LoginRequired,
    MediaUnavailable,
    NoSuchAccount,
    PrivateAccount,
    PrivatePost,
    Refused,
    RegionLocked,
    StoriesError,
    Unavailable,
    UpstreamChanged,
)
from stories.hosts import is_media_host
from stories.structures import (
    Author,
    Media,
    MediaKind,
    MediaVariant,
    Story,
    StoryKind,
    Target,
    TargetKind,
)
from stories.targets import canonical_url, is_name

Raw = Mapping[str, Any]

STORY_LIFE = timedelta(hours=24)

# Bounds on what one answer may make us hold. The largest real page seen has about 20,000 values.
MAX_VALUES = 400_000
MAX_ITEMS = 200
MAX_PICTURES = 100
MAX_RENDITIONS = 64
MAX_MIRRORS = 10
MAX_URL = 4096
MAX_CAPTION = 5000
MAX_NICKNAME = 100
MAX_SEARCHED = 50_000

_PROFILE_SCRIPT = b"__UNIVERSAL_DATA_FOR_REHYDRATION__"
_EMBED_SCRIPT = b"__FRONTITY_CONNECT_STATE__"
# A page of the usual make with its data left out is a soft refusal, not a new layout.
_SHELL_MARKERS = (b"tiktok-environment", b"mssdk")

_CODES: Mapping[int, type[StoriesError]] = {
    10000: Refused,
    10101: Refused,
    10102: LoginRequired,
    10202: NoSuchAccount,
    10204: Unavailable,
    10215: PrivatePost,
    10216: PrivatePost,
    10217: Unavailable,
    10219: RegionLocked,
    10221: NoSuchAccount,
    10222: PrivateAccount,
    10231: RegionLocked,
}
# On an item's page 10202 is about the page, not about an account.
_ITEM_CODES: Mapping[int, type[StoriesError]] = {**_CODES, 10202: Unavailable}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryPage:
    """One page of an author's story list.

    stories: those that pass the trust rules, oldest first, each id once.
    dropped: reason -> how many were left out: "expired", "foreign", "private", "ad", "no_media",
    "not_ready" (a photo whose slides are not listed yet), "age_restricted", "unreadable".
    listed_ids: every id on the page, dropped or not; paging stops when a page brings none that is
    new. next_cursor: for the next request, None where the page does not tell. has_more: another
    page follows. total: active stories as TikTok counts them, None when it does not say; a total
    above zero with nothing listed on any page is a partial answer, not "no stories".
    server_now: TikTok's clock; expiry was judged by it when present.
    """

    stories: tuple[Story, ...]
    dropped: Mapping[str, int]
    listed_ids: frozenset[str]
    next_cursor: str | None
    has_more: bool
    total: int | None
    server_now: datetime | None


# --- accounts ---------------------------------------------------------------------------------


def profile_author(html: bytes, asked: Target) -> Author:
    """The account on a profile page, `https://www.tiktok.com/@<name, id or secUid>`.

    asked: what the page was requested for; the answer must be that account (its name, compared
    without case, or its id or secUid). Raises NoSuchAccount, PrivateAccount, RegionLocked,
    LoginRequired, Challenged, Refused, UpstreamChanged.
    """
    scope = _default_scope(html)
    detail = _first_object(scope, "webapp.user-detail", "webapp.reflow.user.detail")
    if detail is not None:
        _check_code(detail, _CODES)
        user = _object(_object(detail.get("userInfo")).get("user"))
        if not user:
            raise UpstreamChanged("webapp.user-detail.userInfo.user is missing")
    else:
        # With a phone's user agent the scope has other names: look for the account itself.
        user = _search_user(scope, asked)
        if not user:
            raise UpstreamChanged("__DEFAULT_SCOPE__.webapp.user-detail is missing")
    author = _author(user, "userInfo.user")
    if not _is_asked(author, asked):
        raise UpstreamChanged("userInfo.user is not the account asked for")
    if author.private:
        raise PrivateAccount
    return author


def embed_author(html: bytes, name: str) -> Author:
    """The account on a creator embed page, `https://www.tiktok.com/embed/@<name>`.

    Raises as profile_author, and Unavailable when the embed tells nothing (a private account, or
    one that switched embedding off): the error that led here says more then.
    """
    entry = _embed_entry(html, f"/embed/@{name}")
    user = _object(entry.get("userInfo"))
    code = _int(user.get("code"))
    if code not in (None, 0, 200):
        raise _code_error(code, _CODES)
    if not user.get("id") and not user.get("uniqueId"):
        raise Unavailable("the embed names no account: private, or embedding is switched off")
    author = _author(user, "userInfo")
    if author.name != name.lower():
        raise UpstreamChanged("userInfo is not the account asked for")
    if author.private:
        raise PrivateAccount
    return author


def _author(user: Raw, where: str) -> Author:
    user_id = _id(user.get("id")) or _id(user.get("userId"))
    name = user.get("uniqueId")
    if user_id is None:
        raise UpstreamChanged(f"{where}.id is missing")
    if not isinstance(name, str) or not is_name(name):
        raise UpstreamChanged(f"{where}.uniqueId is missing")
    return _named(user, user_id, name)


def _named(user: Raw, user_id: str, name: str) -> Author:
    sec_uid = user.get("secUid")
    told = [_flag(user[key]) for key in ("privateAccount", "secret") if key in user]
    return Author(
        id=user_id,
        name=name.lower(),
        nickname=_text(user.get("nickname"), MAX_NICKNAME, one_line=True),
        sec_uid=sec_uid if isinstance(sec_uid, str) and _SEC_UID.fullmatch(sec_uid) else None,
        private=any(told) if told else None,
    )


_SEC_UID = re.compile(r"MS4wLjABAAAA[A-Za-z0-9_-]{32,64}")


def _is_asked(author: Author, asked: Target) -> bool:
    """True when the account is the asked one; an all-digit name may be a name or an id."""
    return (
        (asked.name is not None and author.name == asked.name.lower())
        or (asked.user_id is not None and author.id == asked.user_id)
        or (asked.sec_uid is not None and author.sec_uid == asked.sec_uid)
    )


def _search_user(scope: Raw, asked: Target) -> Raw:
    """The asked account's object, wherever it sits; {} when nowhere. Other accounts don't count."""
    for found in _objects_within(scope):
        if "uniqueId" not in found or "id" not in found:
            continue
        try:
            author = _author(found, "user")
        except UpstreamChanged:
            continue
        if _is_asked(author, asked):
            return found
    return {}


def _objects_within(root: Any) -> Iterator[Raw]:
    """Every JSON object under `root`, nearest first, up to a bound; without recursion."""
    level: list[Any] = [root]
    seen = 0
    while level and seen < MAX_SEARCHED:
        below: list[Any] = []
        for node in level:
            seen += 1
            if isinstance(node, dict):
                yield node
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
        level = [node for node in below if isinstance(node, dict | list)][:MAX_SEARCHED]


# --- the story list ---------------------------------------------------------------------------


def story_page(body: bytes, author: Author, *, now: datetime) -> StoryPage:
    """One answer of `/api/story/item_list/`, kept to the trust rules.

    author: whose list was asked for; other people's items are dropped. now: aware; TikTok's own
    clock wins where the answer carries it. Story.author is as the item says, so its name may be
    newer than `author.name`. Raises Refused (zero bytes, captcha codes, a page without data),
    Challenged, NoSuchAccount, PrivateAccount, LoginRequired, RegionLocked, Unavailable,
    UpstreamChanged.
    """
    payload = _json_answer(body)
    items = payload.get("itemList")
    code = _check_code(payload, _CODES)
    if items is not None and not isinstance(items, list):
        raise UpstreamChanged("itemList is not a list")
    if code is None and items is None:
        raise UpstreamChanged("statusCode is missing")
    items = items or []
    if len(items) > MAX_ITEMS:
        raise UpstreamChanged(f"itemList holds {len(items)} entries")
    server_now = _instant_ms(_object(payload.get("extra")).get("now"))
    kept: dict[str, Story] = {}
    listed: set[str] = set()
    dropped: Counter[str] = Counter()
    for item in items:
        item_id = _id(_object(item).get("id"))
        if item_id is None:
            dropped["unreadable"] += 1
        elif item_id not in listed:
            listed.add(item_id)
            outcome = _listed_story(item, author, server_now or now)
            if isinstance(outcome, Story):
                kept[item_id] = outcome
            else:
                dropped[outcome] += 1
    return StoryPage(
        stories=tuple(sorted(kept.values(), key=lambda story: (story.posted_at, int(story.id)))),
        dropped=dict(dropped),
        listed_ids=frozenset(listed),
        next_cursor=_next_cursor(payload, items),
        has_more=_flag(payload.get("HasMoreAfter")),
        total=_int(payload.get("TotalCount"), most=10**6),
        server_now=server_now,
    )


def empty_list_error(dropped: Mapping[str, int]) -> StoriesError | None:
    """What it means that no page of a list kept anything; None when it means "no active story".

    dropped: summed over the pages. Items that were there and could not be read are not "no story".
    """
    if dropped.get("not_ready"):
        return MediaUnavailable("a listed photo has no slides yet")
    if dropped.get("age_restricted"):
        return AgeRestricted("every listed story is age-restricted")
    for reason in ("no_media", "unreadable", "foreign"):
        if dropped.get(reason):
            return UpstreamChanged(f"{dropped[reason]} listed items were dropped: {reason}")
    return None


def _listed_story(item: Raw, author: Author, now: datetime) -> Story | str:
    """The story, or the reason it is left out."""
    if not _is_by(item, author):
        return "foreign"
    if _flag(item.get("isAd")):
        return "ad"
    try:
        story = _story(item, "itemList[]", author, is_story=True)
        _check_access(item, story, now)
    except PrivatePost:
        return "private"
    except Gone:
        return "expired"
    except AgeRestricted:
        return "age_restricted"
    except MediaUnavailable:
        return "not_ready"
    except UpstreamChanged:
        return "unreadable"
    return story if story.media else "no_media"


def _is_by(item: Raw, author: Author) -> bool:
    """By id, which never changes; by name only where the item carries no id."""
    owner = _object(item.get("author"))
    owner_id = _id(owner.get("id"))
    if owner_id is not None and author.id:
        return owner_id == author.id
    name = owner.get("uniqueId")
    return isinstance(name, str) and name.lower() == author.name.lower()


def _next_cursor(payload: Raw, items: list[Any]) -> str | None:
    cursor = _int(payload.get("MaxCursor"), most=10**18)
    if cursor is None:
        # As the site itself counts: milliseconds of the last item's posting.
        times = [_int(_object(item).get("createTime"), most=10**11) for item in items]
        last = max((time for time in times if time is not None), default=None)
        cursor = None if last is None else last * 1000
    return None if cursor is None else str(cursor)


# --- one item ---------------------------------------------------------------------------------


def page_item(html: bytes, item_id: str, *, now: datetime) -> Story:
    """The item on a single page, `https://www.tiktok.com/@_/video/<id>`.

    Story.is_story tells a story from an ordinary post. Raises Unavailable, PrivatePost,
    PrivateAccount, RegionLocked, LoginRequired, AgeRestricted, Gone (an expired story),
    MediaUnavailable (a photo whose slides are not listed yet: ask again later), Challenged,
    Refused, UpstreamChanged.
    """
    scope = _default_scope(html)
    detail = _first_object(scope, "webapp.video-detail", "webapp.reflow.video.detail")
    if detail is None:
        raise UpstreamChanged("__DEFAULT_SCOPE__.webapp.video-detail is missing")
    _check_code(detail, _ITEM_CODES)
    item = _object(_object(detail.get("itemInfo")).get("itemStruct"))
    if not item:
        raise UpstreamChanged("webapp.video-detail.itemInfo.itemStruct is missing")
    if _id(item.get("id")) != item_id:
        raise UpstreamChanged("itemStruct.id is not the item asked for")
    story = _story(item, "itemStruct", None, is_story=isinstance(item.get("story"), dict))
    _check_access(item, story, now)
    if story.author.private:
        raise PrivateAccount
    if not story.media:
        raise UpstreamChanged("itemStruct.video has no address we may use")
    return story


def embed_item(html: bytes, item_id: str, *, now: datetime, is_story: bool = False) -> Story:
    """The item on an embed page, `https://www.tiktok.com/embed/v2/<id>`.

    is_story: the embed does not say; True when the link did. Then an item older than 24 hours is
    Gone. Raises as page_item.
    """
    entry = _embed_entry(html, f"/embed/v2/{item_id}")
    found = _object(entry.get("videoData"))
    item = _object(found.get("itemInfos"))
    if not item:
        raise Unavailable("the embed has no videoData.itemInfos")
    if _id(item.get("id")) != item_id:
        raise UpstreamChanged("videoData.itemInfos.id is not the item asked for")
    # The embed has its own words for the same things; put them in the web dialect's places.
    video, meta = _object(item.get("video")), _object(_object(item.get("video")).get("videoMeta"))
    web_item = {
        **item,
        "desc": item.get("text"),
        "author": found.get("authorInfos"),
        "music": found.get("musicInfos"),
        "imagePost": found.get("imagePostInfo") or item.get("imagePostInfo"),
        "video": {"width": video.get("width"), "height": video.get("height"), **meta}
        | {"embedUrls": video.get("urls")},
    }
    story = _story(web_item, "videoData.itemInfos", None, is_story=is_story)
    _check_access(web_item, story, now)
    if story.author.private:
        raise PrivateAccount
    if not story.media:
        raise UpstreamChanged("videoData.itemInfos.video.urls has no address we may use")
    return story


def _check_access(item: Raw, story: Story, now: datetime) -> None:
    """Raise when the item is not for everyone, is over, or is not complete yet."""
    if _flag(item.get("privateItem")) or _flag(item.get("secret")):
        raise PrivatePost
    if story.leaves_at is not None and story.leaves_at <= now:
        raise Gone
    if not story.media:
        if _flag(item.get("isContentClassified")):
            raise AgeRestricted
        if isinstance(item.get("imagePost"), dict) and not _slides(item):
            raise MediaUnavailable("imagePost.images is not filled in yet")


def _story(item: Raw, where: str, author: Author | None, *, is_story: bool) -> Story:
    """One item, whatever it holds; `media` is empty when nothing usable is listed."""
    item_id = _id(item.get("id"))
    if item_id is None:
        raise UpstreamChanged(f"{where}.id is missing")
    by = _item_author(item, where, author)
    posted_at = _instant(item.get("createTime")) or _instant(int(item_id) >> 32)
    if posted_at is None:
        raise UpstreamChanged(f"{where}.createTime is missing")
    pictures = _pictures(item, where)
    if pictures:
        media: tuple[Media, ...] = pictures
        kind = StoryKind.CAROUSEL if len(pictures) > 1 else StoryKind.PHOTO
    else:
        # A declared photo without slides never becomes the rendered slideshow or song that its
        # `video` may hold.
        media = () if isinstance(item.get("imagePost"), dict) else _video(item)
        kind = StoryKind.VIDEO
    return Story(
        id=item_id,
        kind=kind,
        author=by,
        posted_at=posted_at,
        leaves_at=_leaves_at(item, posted_at) if is_story else None,
        caption=_text(item.get("desc"), MAX_CAPTION),
        media=media,
        song=_song(item) if pictures else None,
        is_story=is_story,
        source_url=_permalink(by.name, item_id, is_story=is_story, photo=bool(pictures)),
    )


def _item_author(item: Raw, where: str, known: Author | None) -> Author:
    """Who the item says posted it, filled up from what we knew."""
    owner = _object(item.get("author"))
    name = owner.get("uniqueId")
    user_id = _id(owner.get("id")) or _id(owner.get("userId"))
    if known is None:
        if not isinstance(name, str) or not is_name(name):
            raise UpstreamChanged(f"{where}.author.uniqueId is missing")
        return _named(owner, user_id or "", name)
    told = _named(owner, known.id, name if isinstance(name, str) and is_name(name) else known.name)
    return replace(
        told,
        nickname=told.nickname or known.nickname,
        sec_uid=told.sec_uid or known.sec_uid,
        private=known.private if told.private is None else told.private,
    )


def _leaves_at(item: Raw, posted_at: datetime) -> datetime:
    told = _instant_ms(_object(item.get("story")).get("ExpiredAt"))
    return told if told is not None and told > posted_at else posted_at + STORY_LIFE


def _permalink(name: str, item_id: str, *, is_story: bool, photo: bool) -> str:
    kind = TargetKind.STORY if is_story else TargetKind.POST
    link = canonical_url(Target(kind=kind, name=name, item_id=item_id))
    return link.replace("/video/", "/photo/") if photo else link


# --- media ------------------------------------------------------------------------------------


def _slides(item: Raw) -> list[Any]:
    post = _object(item.get("imagePost"))
    return _list(post.get("images")) or _list(post.get("displayImages"))


def _pictures(item: Raw, where: str) -> tuple[Media, ...]:
    """One Media per slide, also for a slide whose mirrors we may not use; () when none is usable.

    A slide left out would make "4 of 5 arrived" read as "4 of 4".
    """
    slides = _slides(item)
    if len(slides) > MAX_PICTURES:
        raise UpstreamChanged(f"{where}.imagePost.images holds {len(slides)} entries")
    pictures = []
    for position, slide in enumerate(map(_object, slides), start=1):
        addresses = _object(slide.get("imageURL")).get("urlList") or slide.get("urlList")
        variant = _variant(
            addresses,
            width=_size(slide.get("imageWidth")) or _size(slide.get("width")),
            height=_size(slide.get("imageHeight")) or _size(slide.get("height")),
        )
        variants = () if variant is None else (variant,)
        pictures.append(Media(kind=MediaKind.PICTURE, position=position, variants=variants))
    return tuple(pictures) if any(picture.variants for picture in pictures) else ()


def _song(item: Raw) -> Media | None:
    music = _object(item.get("music"))
    variant = _variant([music.get("playUrl")])
    if variant is None:
        return None
    duration = _seconds(music.get("duration"))
    return Media(kind=MediaKind.SONG, position=0, variants=(variant,), duration_s=duration)


def _video(item: Raw) -> tuple[Media, ...]:
    video = _object(item.get("video"))
    variants = _renditions(video)
    if not variants:
        return ()
    duration = _seconds(video.get("duration"))
    return (Media(kind=MediaKind.VIDEO, position=1, variants=variants, duration_s=duration),)


def _renditions(video: Raw) -> tuple[MediaVariant, ...]:
    """Every rendition listed, each once, mirrors together; the watermarked file last."""
    found: list[MediaVariant] = []
    gears = video.get("bitrateInfo")
    for gear in map(_object, ([gears] if isinstance(gears, dict) else _list(gears))):
        address = _object(gear.get("PlayAddr"))
        codec = _codec(gear.get("CodecType"), address.get("UrlKey"))
        _merge(found, _from_struct(address, codec, _int(gear.get("Bitrate"))))
        if len(found) >= MAX_RENDITIONS:
            break
    # The default rendition; H.264 unless the item itself says otherwise.
    default = _codec(video.get("codecType"), None) or "h264"
    bitrate = _int(video.get("bitrate"))
    struct = _object(video.get("PlayAddrStruct"))
    _merge(found, _from_struct(struct, _codec(default, struct.get("UrlKey")), bitrate))
    width, height = _size(video.get("width")), _size(video.get("height"))
    _merge(
        found,
        _variant(
            _addresses(video.get("playAddr")),
            codec=default,
            bitrate=bitrate,
            size_bytes=_size(video.get("size")),
            width=width,
            height=height,
        ),
    )
    _merge(found, _variant(video.get("embedUrls"), width=width, height=height))
    marked = _variant(_addresses(video.get("downloadAddr")), watermarked=True)
    # Sometimes "Save video" is the clean file itself: then it is no rendition of its own.
    if marked is not None and not any(_same_file(other, marked) for other in found):
        found.append(marked)
    return tuple(found)


def _from_struct(address: Raw, codec: str | None, bitrate: int | None) -> MediaVariant | None:
    return _variant(
        address.get("UrlList"),
        codec=codec,
        bitrate=bitrate,
        width=_size(address.get("Width")),
        height=_size(address.get("Height")),
        size_bytes=_size(address.get("DataSize")),
    )


def _merge(found: list[MediaVariant], new: MediaVariant | None) -> None:
    """Add a rendition, or its mirrors to the one that serves the same file."""
    if new is None:
        return
    for index, known in enumerate(found):
        if _same_file(known, new):
            ends = [end for end in (known.expires_at, new.expires_at) if end is not None]
            found[index] = replace(
                known,
                urls=tuple(dict.fromkeys(known.urls + new.urls))[: 2 * MAX_MIRRORS],
                width=known.width or new.width,
                height=known.height or new.height,
                bitrate=known.bitrate or new.bitrate,
                size_bytes=known.size_bytes or new.size_bytes,
                expires_at=min(ends, default=None),
            )
            return
    found.append(new)


def _same_file(one: MediaVariant, other: MediaVariant) -> bool:
    return not _file_paths(one).isdisjoint(_file_paths(other))


def _file_paths(variant: MediaVariant) -> set[str]:
    """What the mirrors of one file share: the stored object's path, without host or signature.

    The play endpoint has one path for every file, so there the whole address counts.
    """
    paths = set()
    for url in variant.urls:
        path = url.partition("?")[0].partition("://")[2].partition("/")[2]
        path = _HEX_EXPIRY.sub("", f"/{path}")
        paths.add(url if path.startswith("/aweme/") else path)
    return paths


def _codec(told: Any, url_key: Any) -> str | None:
    """ "h264", "hevc", "h266", TikTok's own word for one we do not know, or None.

    The key in the address counts beside the listed type: either saying H.264 is enough.
    """
    word = told.lower() if isinstance(told, str) else ""
    key = url_key if isinstance(url_key, str) else ""
    if word in {"h264", "avc", "avc1"} or "_h264_" in key:
        return "h264"
    if word in {"bytevc2", "h266", "vvc"} or "_bytevc2_" in key:
        return "h266"
    if word.startswith(("h265", "hevc", "hvc1")) or word == "bytevc1" or "_bytevc1_" in key:
        return "hevc"
    return _text(word, 20, one_line=True) or None


def _addresses(value: Any) -> list[Any]:
    """An address is a string, or a list of {src} objects."""
    if isinstance(value, list):
        return [_object(entry).get("src") or entry for entry in value[:MAX_MIRRORS]]
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
    """A variant of the addresses we may use; None when there is none."""
    urls = dict.fromkeys(
        url for url in map(_url, _list(addresses)[:MAX_MIRRORS]) if url is not None
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
    """The address, when it is https on one of TikTok's media hosts."""
    if not isinstance(value, str) or len(value) > MAX_URL:
        return None
    match = _MEDIA_URL.fullmatch(value)
    return value if match and is_media_host(match[1]) else None


def _expiry(url: str) -> datetime | None:
    """When the signature ends: a query parameter, or the second part of the path in hex."""
    asked = _QUERY_EXPIRY.search(url)
    if asked:
        return _instant(asked[1])
    path = _URL_PATH.match(url)
    hexed = _HEX_EXPIRY.match(path[1]) if path else None
    return _instant(int(hexed[1], 16)) if hexed else None


# --- bodies -----------------------------------------------------------------------------------


def _json_answer(body: bytes) -> Raw:
    """The object an API answered with."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        raise Refused("an empty answer")
    if text.startswith(b"<"):
        raise _unexpected_html(body, "HTML instead of JSON")
    payload = _load(text)
    if not isinstance(payload, dict):
        raise UpstreamChanged("the answer is not an object")
    if "verify_event" in payload:
        raise Refused("verify_event")
    return payload


def _default_scope(html: bytes) -> Raw:
    root = _script_json(html, _PROFILE_SCRIPT)
    scope = _object(root.get("__DEFAULT_SCOPE__"))
    if not scope:
        raise UpstreamChanged("__DEFAULT_SCOPE__ is missing")
    return scope


def _embed_entry(html: bytes, route: str) -> Raw:
    """The state an embed page keeps under its own route, which may end in a slash."""
    root = _script_json(html, _EMBED_SCRIPT)
    entries = _object(_object(root.get("source")).get("data"))
    for key, entry in entries.items():
        if key.rstrip("/").lower() == route.lower() and isinstance(entry, dict):
            return entry
    raise UpstreamChanged("source.data holds nothing for the embed's route")


def _script_json(html: bytes, script_id: bytes) -> Raw:
    """The JSON object inside the page's `<script id=…>`.

    Found by searching, not by parsing: a page is 400 KB and holds one script we want. Raises
    Refused, Challenged or UpstreamChanged when the page has none.
    """
    if not html.strip():
        raise Refused("an empty page")
    place = html.find(script_id)
    while place != -1:
        opening = html.rfind(b"<", max(0, place - 500), place)
        start = html.find(b">", place, place + 500)
        tag = html[opening:place] if opening != -1 else b""
        if start != -1 and _SCRIPT_TAG.fullmatch(tag):
            end = html.find(b"</script", start)
            found = _load(html[start + 1 : end if end != -1 else len(html)])
            if not isinstance(found, dict):
                raise UpstreamChanged(f"{script_id.decode()} is not an object")
            return found
        place = html.find(script_id, place + len(script_id))
    raise _unexpected_html(html, f"{script_id.decode()} is missing")


_SCRIPT_TAG = re.compile(rb"<script\s(?:[^>]*\s)?id\s*=\s*[\"']?", re.IGNORECASE)


def _unexpected_html(html: bytes, what: str) -> StoriesError:
    if is_challenge(html):
        return Challenged("the challenge page")
    if any(marker in html for marker in _SHELL_MARKERS):
        return Refused("a page without its data")
    return UpstreamChanged(what)


def _load(text: bytes) -> Any:
    """JSON within bounds; NaN and its kind read as null."""
    if text.count(b",") + text.count(b"[") + text.count(b"{") > MAX_VALUES:
        raise UpstreamChanged("the JSON holds too many values")
    try:
        return json.loads(text.decode("utf-8", "replace"), parse_constant=lambda _name: None)
    except RecursionError as error:
        raise UpstreamChanged("the JSON is nested too deeply") from error
    except ValueError as error:
        raise UpstreamChanged("the JSON is malformed") from error


def _check_code(answer: Raw, codes: Mapping[int, type[StoriesError]]) -> int | None:
    """Raise for any code but 0. Returns 0, or None when the answer carries no code."""
    values = [
        answer[key] for key in ("statusCode", "status_code") if answer.get(key) is not None
    ] or [answer[key] for key in ("code",) if answer.get(key) is not None]
    code = None
    for value in values:
        code = _int(value, least=-(10**9))
        if code is None:
            raise UpstreamChanged("statusCode is not a number")
        if code != 0:
            raise _code_error(code, codes)
    return code


def _code_error(code: int | None, codes: Mapping[int, type[StoriesError]]) -> StoriesError:
    kind = codes.get(code) if code is not None else None
    return UpstreamChanged(f"unknown code {code}") if kind is None else kind(f"code {code}")


# --- single values, whatever they turn out to be ----------------------------------------------


def _object(value: Any) -> Raw:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _first_object(scope: Raw, *keys: str) -> Raw | None:
    return next((scope[key] for key in keys if isinstance(scope.get(key), dict)), None)


_DIGITS = re.compile(r"-?[0-9]{1,19}")


def _int(value: Any, *, least: int = 0, most: int = 10**15) -> int | None:
    """A whole number, also when written as a string; None for anything else or out of bounds."""
    written = isinstance(value, str) and _DIGITS.fullmatch(value)
    if written or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if least <= value <= most else None


def _size(value: Any) -> int | None:
    """A count of pixels or bytes; zero is how TikTok says it does not know."""
    return _int(value) or None


def _seconds(value: Any) -> float | None:
    if isinstance(value, float) and 0 < value < 86_400:
        return value
    whole = _int(value, most=86_400)
    return float(whole) if whole else None


def _flag(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in {"true", "1"}
    return value is True or (isinstance(value, int) and value == 1)


def _id(value: Any) -> str | None:
    """Digits as a string; ids come as strings, and in some dialects as numbers."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**20:
        return str(value)
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


_ID = re.compile(r"[1-9][0-9]{0,19}")

_FIRST_INSTANT = 1_000_000_000
_LAST_INSTANT = 0xFFFFFFFF


def _instant(seconds: Any) -> datetime | None:
    value = _int(seconds, least=_FIRST_INSTANT, most=_LAST_INSTANT)
    return None if value is None else datetime.fromtimestamp(value, UTC)


def _instant_ms(milliseconds: Any) -> datetime | None:
    value = _int(milliseconds, least=_FIRST_INSTANT * 1000, most=_LAST_INSTANT * 1000)
    if value is None:
        return None
    return datetime.fromtimestamp(value // 1000, UTC) + timedelta(milliseconds=value % 1000)


# Half of a surrogate pair cannot be stored, nor can NUL in every database; line ends may stay.
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def _text(value: Any, most: int, *, one_line: bool = False) -> str:
    if not isinstance(value, str):
        return ""
    text = _UNSTORABLE.sub("", value[: most * 2]).replace("\r\n", "\n").replace("\r", "\n")
    if one_line:
        text = " ".join(text.split())
    return text[:most].strip()
