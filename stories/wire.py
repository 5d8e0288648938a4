"""TikTok's JSON and HTML into our structures; the only file that knows TikTok's field names.

Everything here is pure and takes whole bodies as bytes, already bounded in size by the transport.
Whatever the bytes are, only a StoriesError comes out. docs/protocol.md dates every shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from stories.errors import StoriesError
from stories.structures import Author, Story, Target


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


def profile_author(html: bytes, asked: Target) -> Author:
    """The account on a profile page, `https://www.tiktok.com/@<name, id or secUid>`.

    asked: what the page was requested for; the answer must be that account (its name, compared
    without case, or its id or secUid). Raises NoSuchAccount, PrivateAccount, RegionLocked,
    LoginRequired, Challenged, Refused, UpstreamChanged.
    """
    raise NotImplementedError


def embed_author(html: bytes, name: str) -> Author:
    """The account on a creator embed page, `https://www.tiktok.com/embed/@<name>`.

    Raises as profile_author, and Unavailable when the embed tells nothing (a private account, or
    one that switched embedding off): the error that led here says more then.
    """
    raise NotImplementedError


def story_page(body: bytes, author: Author, *, now: datetime) -> StoryPage:
    """One answer of `/api/story/item_list/`, kept to the trust rules.

    author: whose list was asked for; other people's items are dropped. now: aware; TikTok's own
    clock wins where the answer carries it. Story.author is as the item says, so its name may be
    newer than `author.name`. Raises Refused (zero bytes, captcha codes, a page without data),
    Challenged, NoSuchAccount, PrivateAccount, LoginRequired, RegionLocked, Unavailable,
    UpstreamChanged.
    """
    raise NotImplementedError


def empty_list_error(dropped: Mapping[str, int]) -> StoriesError | None:
    """What it means that no page of a list kept anything; None when it means "no active story".

    dropped: summed over the pages. Items that were there and could not be read are not "no story".
    """
    raise NotImplementedError


def page_item(html: bytes, item_id: str, *, now: datetime) -> Story:
    """The item on a single page, `https://www.tiktok.com/@_/video/<id>`.

    Story.is_story tells a story from an ordinary post. Raises Unavailable, PrivatePost,
    PrivateAccount, RegionLocked, LoginRequired, AgeRestricted, Gone (an expired story),
    MediaUnavailable (a photo whose slides are not listed yet: ask again later), Challenged,
    Refused, UpstreamChanged.
    """
    raise NotImplementedError


def embed_item(html: bytes, item_id: str, *, now: datetime, is_story: bool = False) -> Story:
    """The item on an embed page, `https://www.tiktok.com/embed/v2/<id>`.

    is_story: the embed does not say; True when the link did. Then an item older than 24 hours is
    Gone. Raises as page_item.
    """
    raise NotImplementedError
