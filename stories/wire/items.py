"""One item, from a list, its own page or its embed: a story or an ordinary post."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from stories.errors import (
    AgeRestricted,
    Gone,
    MediaUnavailable,
    PrivateAccount,
    PrivatePost,
    Unavailable,
    UpstreamChanged,
)
from stories.links import canonical_url, is_name
from stories.structures import Author, Media, Story, StoryKind, Target, TargetKind
from stories.wire.accounts import named_author
from stories.wire.bodies import ITEM_CODES, check_code, default_scope, embed_entry
from stories.wire.media import (
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


def page_item(html: bytes, item_id: str, *, now: datetime) -> Story:
    """The item on a single page, `https://www.tiktok.com/@_/video/<id>`.

    Story.is_story tells a story from an ordinary post. Raises Unavailable, PrivatePost,
    PrivateAccount, RegionLocked, LoginRequired, AgeRestricted, Gone (an expired story),
    MediaUnavailable (a photo whose slides are not listed yet: ask again later), Challenged,
    Refused, UpstreamChanged.
    """
    scope = default_scope(html)
    detail = first_object(scope, "webapp.video-detail", "webapp.reflow.video.detail")
    if detail is None:
        raise UpstreamChanged("__DEFAULT_SCOPE__.webapp.video-detail is missing")
    check_code(detail, ITEM_CODES)
    item = as_object(as_object(detail.get("itemInfo")).get("itemStruct"))
    if not item:
        raise UpstreamChanged("webapp.video-detail.itemInfo.itemStruct is missing")
    if as_id(item.get("id")) != item_id:
        raise UpstreamChanged("itemStruct.id is not the item asked for")
    story = read_story(item, "itemStruct", None, is_story=isinstance(item.get("story"), dict))
    check_access(item, story, now)
    if story.author.private:
        raise PrivateAccount
    if not story.media:
        raise UpstreamChanged("itemStruct.video has no address we may use")
    return story


def embed_item(html: bytes, item_id: str, *, now: datetime, is_story: bool = False) -> Story:
    """The item on an embed page, `https://www.tiktok.com/embed/v2/<id>`.

    is_story: the embed does not say; True when the link did. Then an item older than 24 hours is
    Gone. Raises what page_item does.
    """
    entry = embed_entry(html, f"/embed/v2/{item_id}")
    video_data = as_object(entry.get("videoData"))
    item = as_object(video_data.get("itemInfos"))
    if not item:
        raise Unavailable("the embed has no videoData.itemInfos")
    if as_id(item.get("id")) != item_id:
        raise UpstreamChanged("videoData.itemInfos.id is not the item asked for")
    # The embed has its own words for the same things; put them in the web dialect's places.
    video = as_object(item.get("video"))
    meta = as_object(video.get("videoMeta"))
    web_item = {
        **item,
        "desc": item.get("text"),
        "author": video_data.get("authorInfos"),
        "music": video_data.get("musicInfos"),
        "imagePost": video_data.get("imagePostInfo") or item.get("imagePostInfo"),
        "video": {"width": video.get("width"), "height": video.get("height"), **meta}
        | {"embedUrls": video.get("urls")},
    }
    story = read_story(web_item, "videoData.itemInfos", None, is_story=is_story)
    check_access(web_item, story, now)
    if story.author.private:
        raise PrivateAccount
    if not story.media:
        raise UpstreamChanged("videoData.itemInfos.video.urls has no address we may use")
    return story


def check_access(item: Raw, story: Story, now: datetime) -> None:
    """Raise when an item is not for everyone, is over, or is not complete yet.

    Raises PrivatePost, Gone, AgeRestricted, MediaUnavailable.
    """
    if as_flag(item.get("privateItem")) or as_flag(item.get("secret")):
        raise PrivatePost
    if story.leaves_at is not None and story.leaves_at <= now:
        raise Gone
    if not story.media:
        if as_flag(item.get("isContentClassified")):
            raise AgeRestricted
        if declares_pictures(item) and not listed_slides(item):
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
    listed = named_author(owner, known.id, name)
    return replace(
        listed,
        nickname=listed.nickname or known.nickname,
        sec_uid=listed.sec_uid or known.sec_uid,
        private=known.private if listed.private is None else listed.private,
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
