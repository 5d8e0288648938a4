"""One item, from a list, its own page or its embed: a story or an ordinary post."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stories.errors import (
    AgeRestricted,
    Gone,
    MediaUnavailable,
    PrivateAccount,
    PrivatePost,
    StoriesError,
    Unavailable,
    UpstreamChanged,
)
from stories.links import canonical_url, is_name
from stories.structures import Author, Media, Story, StoryKind, Target, TargetKind
from stories.wire.accounts import named_author
from stories.wire.bodies import default_scope, embed_entry, json_answer
from stories.wire.codes import ITEM_CODES, check_code, check_embed_code, message, says_story
from stories.wire.media import (
    IMAGE_POSTS,
    declares_pictures,
    listed_slides,
    read_pictures,
    read_song,
    read_video,
)
from stories.wire.values import (
    Raw,
    as_flag,
    as_id,
    as_instant,
    as_instant_ms,
    as_object,
    as_text,
    first_object,
)

STORY_LIFE = timedelta(hours=24)
MAX_CAPTION = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemClue:
    """What an answer tells about an item beside the item, also when it does not show it.

    author: who posted it, as this answer says; the id may be empty, the name never is. is_story:
    True when it says that the item is a story. exists: True when it holds the item, if only a part,
    or says what it is.
    """

    author: Author | None = None
    is_story: bool = False
    exists: bool = False


NO_CLUE = ItemClue()


def page_item(html: bytes, item_id: str, *, now: datetime) -> Story:
    """The item on a single page, `https://www.tiktok.com/@_/video/<id>`.

    Story.is_story tells a story from an ordinary post. Raises Unavailable, PrivatePost,
    PrivateAccount, RegionLocked, LoginRequired, AgeRestricted, Gone (an expired or deleted story;
    `proven` is False where the page only says that there is none), MediaUnavailable (a photo whose
    slides are not listed yet: ask again later), Challenged, Refused, UpstreamDown, UnknownAnswer,
    UpstreamChanged.
    """
    detail = _page_detail(html)
    check_code(detail, ITEM_CODES)
    item = _page_struct(detail)
    if not item:
        words = message(detail)
        raise ITEM_CODES.error_of_words(words, "no item, and words for it") or UpstreamChanged(
            "webapp.video-detail.itemInfo.itemStruct is missing"
        )
    is_story = isinstance(item.get("story"), dict)
    return _single_item(item, item_id, "itemStruct", is_story=is_story, now=now)


def page_clue(html: bytes, item_id: str) -> ItemClue:
    """What an item's page tells beside the item. Raises nothing."""
    try:
        detail = _page_detail(html)
    except StoriesError:
        return NO_CLUE
    item = _page_struct(detail)
    if as_id(item.get("id")) != item_id:
        return ItemClue(is_story=says_story(detail), exists=says_story(detail))
    return ItemClue(
        author=_named_in(item),
        is_story=says_story(detail) or isinstance(item.get("story"), dict),
        exists=True,
    )


def embed_item(html: bytes, item_id: str, *, now: datetime, is_story: bool = False) -> Story:
    """The item on an embed page, `https://www.tiktok.com/embed/v2/<id>`.

    is_story: the embed does not say; True when the link did. Then an item older than 24 hours is
    Gone. Raises what page_item does.
    """
    entry = embed_entry(html, f"/embed/v2/{item_id}")
    video_data = as_object(entry.get("videoData"))
    check_embed_code((entry, video_data), ITEM_CODES)
    if not as_object(video_data.get("itemInfos")):
        raise Unavailable("the embed has no videoData.itemInfos")
    item = _embed_struct(video_data)
    return _single_item(item, item_id, "videoData.itemInfos", is_story=is_story, now=now)


def embed_clue(html: bytes, item_id: str) -> ItemClue:
    """What an item's embed tells beside the item. Raises nothing."""
    try:
        entry = embed_entry(html, f"/embed/v2/{item_id}")
    except StoriesError:
        return NO_CLUE
    item = _embed_struct(as_object(entry.get("videoData")))
    # An embed without the item may still hold its author; of another item it says nothing.
    if item.get("id") is not None and as_id(item.get("id")) != item_id:
        return NO_CLUE
    return ItemClue(author=_named_in(item), exists=item.get("id") is not None)


def printed_item(line: bytes, item_id: str, *, now: datetime) -> Story:
    """The item in a line of JSON that holds it whole, as another program prints it.

    Raises what page_item does.
    """
    item = json_answer(line)
    is_story = isinstance(item.get("story"), dict)
    return _single_item(item, item_id, "item", is_story=is_story, now=now)


def _page_detail(html: bytes) -> Raw:
    detail = first_object(default_scope(html), "webapp.video-detail", "webapp.reflow.video.detail")
    if detail is None:
        raise UpstreamChanged("__DEFAULT_SCOPE__.webapp.video-detail is missing")
    return detail


def _page_struct(detail: Raw) -> Raw:
    return as_object(as_object(detail.get("itemInfo")).get("itemStruct"))


def _embed_struct(video_data: Raw) -> Raw:
    """The item of an embed, whose own words are put in the web dialect's places."""
    item = as_object(video_data.get("itemInfos"))
    video = as_object(item.get("video"))
    meta = as_object(video.get("videoMeta"))
    return {
        **item,
        "desc": item.get("text"),
        "author": video_data.get("authorInfos"),
        "music": video_data.get("musicInfos"),
        **{name: item.get(name) or video_data.get(name) for name in IMAGE_POSTS},
        "video": {"width": video.get("width"), "height": video.get("height"), **meta}
        | {"embedUrls": video.get("urls")},
    }


def _named_in(item: Raw) -> Author | None:
    try:
        return _item_author(item, "item", None)
    except UpstreamChanged:
        return None


def _single_item(item: Raw, item_id: str, where: str, *, is_story: bool, now: datetime) -> Story:
    """The item of an answer about it alone. Raises what page_item does."""
    listed_id = as_id(item.get("id"))
    if listed_id is not None and listed_id != item_id:
        raise UpstreamChanged(f"{where}.id is not the item asked for")
    # First what is said of its state: an item that is kept from us is emptied, its author too.
    withheld = withheld_error(item)
    if withheld is not None:
        raise withheld
    story = read_story(item, where, None, is_story=is_story)
    check_access(item, story, now)
    if story.author.private:
        raise PrivateAccount
    if not story.media:
        raise UpstreamChanged(f"{where}.video has no address we may use")
    return story


def withheld_error(item: Raw) -> StoriesError | None:
    """The error of an item that is kept from everyone or from some, by its own flags.

    None for an item that is for everyone. Needs neither id nor author nor time.
    """
    owner = as_object(item.get("author"))
    if any(as_flag(owner.get(flag)) for flag in ("privateAccount", "secret")):
        return PrivateAccount("the item says so of its author")
    if as_flag(item.get("privateItem")) or as_flag(item.get("secret")):
        return PrivatePost("the item's flags say so")
    if as_flag(item.get("takeDown")):
        return Gone("taken down, by the item's flags")
    if _has_media(item):
        return None
    if as_flag(item.get("isContentClassified")):
        return AgeRestricted("the item is classified, and empty")
    if as_flag(item.get("isReviewing")):
        return Unavailable("still under review, by the item's flags", withheld=True)
    return None


def _has_media(item: Raw) -> bool:
    return bool(listed_slides(item) or read_video(item))


def check_access(item: Raw, story: Story, now: datetime) -> None:
    """Raise when an item is not for everyone, is over, or is not complete yet.

    Raises PrivatePost, Gone, AgeRestricted, MediaUnavailable, Unavailable (under review).
    """
    withheld = withheld_error(item)
    if withheld is not None and not isinstance(withheld, PrivateAccount):
        raise withheld
    if story.leaves_at is not None and story.leaves_at <= now:
        raise Gone
    if not story.media and declares_pictures(item) and not listed_slides(item):
        raise MediaUnavailable("imagePost.images is not filled in yet")


def read_story(item: Raw, where: str, author: Author | None, *, is_story: bool) -> Story:
    """A story or post from its raw item; its `media` is empty when nothing usable is listed.

    where: path of the item in the answer, for errors. author: as known before, None when unknown.
    Raises UpstreamChanged when the id, the author or the time is missing.
    """
    item_id = as_id(item.get("id"))
    if item_id is None:
        raise UpstreamChanged(f"{where}.id is missing")
    by = _item_author(item, where, author)
    posted_at = as_instant(item.get("createTime")) or as_instant(int(item_id) >> 32)
    if posted_at is None:
        raise UpstreamChanged(f"{where}.createTime is missing")
    pictures = read_pictures(item, where)
    if pictures:
        media: tuple[Media, ...] = pictures
        kind = StoryKind.CAROUSEL if len(pictures) > 1 else StoryKind.PHOTO
    else:
        # A declared photo without slides never becomes the rendered slideshow or song that its
        # `video` may hold.
        media = () if declares_pictures(item) else read_video(item)
        kind = StoryKind.VIDEO
    return Story(
        id=item_id,
        kind=kind,
        author=by,
        posted_at=posted_at,
        leaves_at=_leaves_at(item, posted_at) if is_story else None,
        caption=as_text(item.get("desc"), MAX_CAPTION),
        media=media,
        song=read_song(item) if pictures else None,
        is_story=is_story,
        source_url=_permalink(by.name, item_id, is_story=is_story, photo=bool(pictures)),
    )


def _item_author(item: Raw, where: str, known: Author | None) -> Author:
    """The author as the item names them, completed from the account known before."""
    owner = as_object(item.get("author"))
    name = owner.get("uniqueId")
    user_id = as_id(owner.get("id")) or as_id(owner.get("userId"))
    if not isinstance(name, str) or not is_name(name):
        name = known.name if known is not None else ""
    if not name:
        raise UpstreamChanged(f"{where}.author.uniqueId is missing")
    if known is None:
        return named_author(owner, user_id or "", name)
    listed = named_author(owner, known.id or user_id or "", name)
    return replace(
        listed,
        nickname=listed.nickname or known.nickname,
        sec_uid=listed.sec_uid or known.sec_uid,
        private=known.private if listed.private is None else listed.private,
        avatar_urls=listed.avatar_urls or known.avatar_urls,
    )


def _leaves_at(item: Raw, posted_at: datetime) -> datetime:
    expires_at = as_instant_ms(as_object(item.get("story")).get("ExpiredAt"))
    if expires_at is not None and expires_at > posted_at:
        return expires_at
    return posted_at + STORY_LIFE


def _permalink(name: str, item_id: str, *, is_story: bool, photo: bool) -> str:
    kind = TargetKind.STORY if is_story else TargetKind.POST
    link = canonical_url(Target(kind=kind, name=name, item_id=item_id))
    return link.replace("/video/", "/photo/") if photo else link
