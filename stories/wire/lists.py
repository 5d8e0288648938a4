"""The story list, one page at a time, kept to the trust rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

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
from stories.left_out import LeftOutReason, counted, errors_for
from stories.site_clock import believed_time
from stories.structures import Author, Story
from stories.wire.bodies import json_answer
from stories.wire.codes import CODES, check_code, message
from stories.wire.items import check_access, read_story, withheld_error
from stories.wire.values import Raw, as_flag, as_id, as_instant_ms, as_int, as_object

MAX_PLACES = 50
MAX_ITEMS = 200
"""Entries of one page that are read; the rest counts as unreadable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryPage:
    """One page of an author's story list.

    stories: those that pass the trust rules, oldest first, each id once.
    dropped: reason -> how many were not kept: a LeftOutReason ("foreign", "private", "no_media",
    "not_ready": a photo whose slides are not listed yet, "age_restricted", "unreadable"), or one
    that leaves out no active story of the author: "expired", "foreign_ad" (an advert of another
    account; one of the author's own is a story). left_out: id -> that reason, where the item has an
    id. details: reason -> what is wrong with the first item that was not kept for it, where more
    can be said.
    listed_ids: every id on the page, dropped or not; paging stops when a page brings none that is
    new. next_cursor: for the next request, None where the page does not tell. has_more: another
    page follows. total: active stories as TikTok counts them, None when it does not say; a total
    above what all pages list is a partial answer. server_now: TikTok's clock, None when the answer
    has none or one that cannot be; expiry was judged by it when present. explicit: it holds a list
    of items, be it empty, or their count; one without either says nothing of what there is.
    """

    stories: tuple[Story, ...]
    dropped: Mapping[str, int]
    left_out: Mapping[str, str]
    details: Mapping[str, str]
    listed_ids: frozenset[str]
    next_cursor: str | None
    has_more: bool
    total: int | None
    server_now: datetime | None
    explicit: bool = False


def story_page(
    body: bytes,
    author: Author,
    *,
    now: datetime,
    date: datetime | None = None,
    doubt: timedelta = timedelta(0),
) -> StoryPage:
    """One answer of `/api/story/item_list/`, kept to the trust rules.

    author: whose list was asked for; other people's items are dropped. now: aware; TikTok's own
    clock wins where the answer can be believed about it (site_clock.believed_time). date: of the
    answer's header. doubt: where neither tells the time, what is over for less than this by `now`
    is kept, for TikTok lists it. Story.author is as the item says, so its name may be newer than
    `author.name`. Raises Refused (zero bytes, captcha codes, a page without data), Challenged,
    NoSuchAccount, PrivateAccount (also when an item says it of its author), LoginRequired,
    RegionLocked, AgeRestricted, Unavailable, UpstreamChanged.
    """
    payload = json_answer(body)
    items = payload.get("itemList")
    code = check_code(payload, CODES)
    if items is not None and not isinstance(items, list):
        raise UpstreamChanged("itemList is not a list")
    if code is None and items is None:
        raise UpstreamChanged("statusCode is missing")
    if items is None and (key := _other_list(payload)):
        raise UpstreamChanged(f"itemList is missing, and {key} holds items")
    items = items or []
    words = None if items else CODES.error_of_words(message(payload), "no story, and words for it")
    if words is not None:
        raise words
    stated = as_instant_ms(as_object(payload.get("extra")).get("now"))
    server_now = believed_time(now, date=date, stated=stated)
    sorted_out = _SortedOut()
    sorted_out.add(items, author, server_now or now - doubt)
    total = _total(payload.get("TotalCount"))
    page = sorted_out.page(
        next_cursor=_next_cursor(payload, items),
        has_more=_has_more(payload.get("HasMoreAfter")),
        total=total,
        server_now=server_now,
    )
    return replace(page, explicit=total is not None or payload.get("itemList") is not None)


def printed_items(lines: Iterable[bytes], author: Author, *, now: datetime) -> StoryPage:
    """The stories of an author in lines of JSON, each a whole item, as another program prints them.

    Kept to the same trust rules as a page of the list, of which nothing else is known. now: the
    time to judge by what is over. Raises UpstreamChanged for a line that is no object,
    PrivateAccount when an item says it of its author.
    """
    items = [json_answer(line) for line in lines]
    sorted_out = _SortedOut()
    sorted_out.add(items, author, now)
    return sorted_out.page(next_cursor=None, has_more=False, total=None, server_now=None)


def kept_items(item_ids: Iterable[str]) -> StoryPage:
    """A page of items that are known by their ids alone: each is held back."""
    left_out = dict.fromkeys(item_ids, LeftOutReason.HELD_BACK.value)
    sorted_out = _SortedOut(left_out=dict(left_out))
    return sorted_out.page(next_cursor=None, has_more=False, total=None, server_now=None)


@dataclass(slots=True)
class _SortedOut:
    """Listed items, kept and not kept. nameless: entries without an id, or too many to be read."""

    kept: dict[str, Story] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    nameless: int = 0

    def add(self, items: Sequence[Any], author: Author, now: datetime) -> None:
        """Sort items by an account asked for. Raises PrivateAccount when one says it of it."""
        self.nameless += max(len(items) - MAX_ITEMS, 0)
        if self.nameless:
            self.details[LeftOutReason.UNREADABLE] = f"itemList holds {len(items)} entries"
        for item in items[:MAX_ITEMS]:
            item_id = as_id(as_object(item).get("id"))
            if item_id is None:
                self.nameless += 1
                self.details.setdefault(LeftOutReason.UNREADABLE, "itemList[].id is missing")
            elif item_id not in self.kept and item_id not in self.left_out:
                outcome = _listed_story(item, author, now)
                if isinstance(outcome, Story):
                    self.kept[item_id] = outcome
                else:
                    self.left_out[item_id] = outcome.reason
                    if outcome.detail:
                        self.details.setdefault(outcome.reason, outcome.detail)

    def page(
        self,
        *,
        next_cursor: str | None,
        has_more: bool,
        total: int | None,
        server_now: datetime | None,
    ) -> StoryPage:
        """The page of these items, with what else the answer tells."""
        return StoryPage(
            stories=tuple(
                sorted(self.kept.values(), key=lambda story: (story.posted_at, int(story.id)))
            ),
            dropped=dict(Counter(self.left_out.values()) + Counter(unreadable=self.nameless)),
            left_out=self.left_out,
            details=self.details,
            listed_ids=frozenset(self.kept) | frozenset(self.left_out),
            next_cursor=next_cursor,
            has_more=has_more,
            total=total,
            server_now=server_now,
        )


def empty_list_error(
    dropped: Mapping[str, int], details: Mapping[str, str] | None = None
) -> StoriesError | None:
    """The error for a list of which no item was kept; None when that means "no active story".

    dropped: reason -> number of items not kept, summed over the pages. details: reason -> what is
    wrong with the first of them. Items that were there and could not be handed on, for whatever
    reason, are not "no story".
    """
    return next(iter(errors_for(counted(dropped), details)), None)


def left_out_error(reason: str) -> StoriesError | None:
    """The error for an item that a list names and that was left out for `reason`.

    None for "foreign" and adverts, which say nothing about the item.
    """
    match reason:
        case "expired":
            return Gone("the list says that its time is over")
        case "private":
            return PrivatePost("so the list says")
        case "age_restricted":
            return AgeRestricted("listed without media, as age-restricted")
        case "not_ready":
            return MediaUnavailable("a listed photo has no slides yet")
        case "no_media" | "unreadable":
            return UpstreamChanged(f"a listed item was dropped: {reason}")
    return None


class _NotKept(NamedTuple):
    """A listed item that is not kept: the reason, and what is wrong with it where more is known."""

    reason: str
    detail: str = ""


def _listed_story(item: Raw, author: Author, now: datetime) -> Story | _NotKept:
    """The story, or why it is not kept. Raises PrivateAccount, which ends the list."""
    nameless = _names_nobody(item)
    if nameless and withheld_error(item) is None:
        return _NotKept(LeftOutReason.UNREADABLE, "itemList[].author is missing")
    if not nameless and not _is_by(item, author):
        is_ad = as_flag(item.get("isAd"))
        return _NotKept("foreign_ad" if is_ad else LeftOutReason.FOREIGN)
    try:
        if nameless:
            # Kept from us and emptied for that, its author too: it is in their list.
            _raise_withheld(item)
        story = read_story(item, "itemList[]", author, is_story=True)
        if story.author.private:
            raise PrivateAccount("an item of the list says so of its author")
        check_access(item, story, now)
    except PrivatePost:
        return _NotKept(LeftOutReason.PRIVATE)
    except Gone:
        return _NotKept("expired")
    except AgeRestricted:
        return _NotKept(LeftOutReason.AGE_RESTRICTED)
    except (MediaUnavailable, Unavailable) as error:
        return _NotKept(LeftOutReason.NOT_READY, error.detail)
    except UpstreamChanged as error:
        return _NotKept(LeftOutReason.UNREADABLE, error.detail)
    if not story.media:
        return _NotKept(LeftOutReason.NO_MEDIA, "itemList[].video holds no rendition")
    return story


def _other_list(payload: Raw) -> str:
    """The key of a list of items that stands where none should: the answer has other names by now,
    and is not the one that says "no story". "" without any."""
    inner = {key: value for key, value in payload.items() if isinstance(value, dict)}
    places = {"": payload, **{f"{key}.": value for key, value in list(inner.items())[:MAX_PLACES]}}
    for where, place in places.items():
        for key, value in list(place.items())[:MAX_PLACES]:
            if isinstance(value, list) and any(_is_item(entry) for entry in value[:MAX_ITEMS]):
                return f"{where}{key}"[:80]
    return ""


def _is_item(entry: Any) -> bool:
    return isinstance(entry, dict) and as_id(entry.get("id")) is not None and len(entry) > 1


def _has_more(told: Any) -> bool:
    """Whether another page follows. What is neither yes nor no promises one: an answer that cannot
    be read is not taken for the end of a list."""
    is_no = told is None or told is False or told == 0
    if isinstance(told, str):
        is_no = told.strip().lower() in {"", "0", "false"}
    return not is_no


def _total(told: Any) -> int | None:
    return as_int(told.strip() if isinstance(told, str) else told, most=10**18)


def _raise_withheld(item: Raw) -> None:
    """Raise what the flags of an item say that names nobody, so that nothing follows for its list.

    Raises AgeRestricted, Gone, PrivatePost, Unavailable.
    """
    withheld = withheld_error(item)
    if isinstance(withheld, PrivateAccount):
        raise PrivatePost(withheld.detail)
    if withheld is not None:
        raise withheld


def _names_nobody(item: Raw) -> bool:
    """Whether an item has neither the id nor the name of its author."""
    owner = as_object(item.get("author"))
    return as_id(owner.get("id")) is None and not owner.get("uniqueId")


def _is_by(item: Raw, author: Author) -> bool:
    """Whether an item is by `author`: by id, which never changes; by name only without an id."""
    owner = as_object(item.get("author"))
    owner_id = as_id(owner.get("id"))
    if owner_id is not None and author.id:
        return owner_id == author.id
    name = owner.get("uniqueId")
    # An account asked for by its id has no name here, and a missing one is not the same name.
    return bool(author.name) and isinstance(name, str) and name.lower() == author.name.lower()


def _next_cursor(payload: Raw, items: list[Any]) -> str | None:
    cursor = as_int(payload.get("MaxCursor"), most=10**18)
    if cursor is None:
        # As the site itself counts: milliseconds of the last item's posting.
        times = [as_int(as_object(item).get("createTime"), most=10**11) for item in items]
        last = max((time for time in times if time is not None), default=None)
        cursor = None if last is None else last * 1000
    return None if cursor is None else str(cursor)
