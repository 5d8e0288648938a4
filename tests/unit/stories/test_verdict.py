"""What several answers about one item add up to, none of which brought it."""

from __future__ import annotations

from typing import Any

import pytest

from stories.errors import (
    AgeRestricted,
    Gone,
    LoginRequired,
    MediaUnavailable,
    NoSuchAccount,
    NotAStory,
    PrivateAccount,
    Refused,
    RegionLocked,
    StoriesError,
    Unavailable,
    UpstreamChanged,
    UpstreamDown,
)
from stories.verdict import Evidence, verdict

DENIED = Unavailable("code 10204")
REVIEWED = Unavailable("status_reviewing", withheld=True)
SAYS_ABSENT = Gone("item doesn't exist", proven=False)
KEPT = Refused("403")

ROWS: dict[str, tuple[dict[str, Any], type[StoriesError]]] = {
    "the page's reason": ({"page_error": AgeRestricted(), "absent": True}, AgeRestricted),
    "the page's sign-in": ({"page_error": LoginRequired(), "embed_error": KEPT}, LoginRequired),
    "the page's region": ({"page_error": RegionLocked(), "list_error": KEPT}, RegionLocked),
    "deleted, by its page": ({"page_error": Gone(), "list_error": KEPT}, Gone),
    "the embed's region": ({"page_error": KEPT, "embed_error": RegionLocked()}, RegionLocked),
    "over, by its embed": ({"page_error": KEPT, "embed_error": Gone()}, Gone),
    "embed empty": ({"page_error": KEPT, "embed_error": Unavailable()}, Refused),
    "listed, not to be read": (
        {"page_error": DENIED, "left_out": MediaUnavailable()},
        MediaUnavailable,
    ),
    "listed, changed": ({"page_error": KEPT, "left_out": UpstreamChanged()}, Refused),
    "denied, no more": ({"page_error": DENIED}, Unavailable),
    "denied, whole list of anybody": ({"page_error": DENIED, "absent": True}, Unavailable),
    "denied, whole list of its author": (
        {"page_error": DENIED, "absent": True, "author_is_certain": True},
        Gone,
    ),
    "denied, whole list of its author, no story marked": (
        {"page_error": DENIED, "absent": True, "author_is_certain": True, "is_story": False},
        Gone,
    ),
    "denied, whole list of its author, a post is wanted": (
        {
            "page_error": DENIED,
            "absent": True,
            "author_is_certain": True,
            "is_story": False,
            "posts": True,
        },
        Unavailable,
    ),
    "withheld for now, oEmbed denies it": (
        {"page_error": REVIEWED, "exists": False, "absent": True, "author_is_certain": True},
        Unavailable,
    ),
    "withheld for now, by its embed": (
        {"page_error": DENIED, "embed_error": REVIEWED, "exists": False, "absent": True},
        Unavailable,
    ),
    "withheld for now, until its day was over": (
        {"page_error": REVIEWED, "day_is_over": True},
        Gone,
    ),
    "a withheld post, of yesterday": (
        {"page_error": REVIEWED, "day_is_over": True, "is_story": False},
        Unavailable,
    ),
    "denied, day over": ({"page_error": DENIED, "day_is_over": True}, Gone),
    "denied, day over, no story": (
        {"page_error": DENIED, "day_is_over": True, "is_story": False},
        Unavailable,
    ),
    "denied, oEmbed too": ({"page_error": DENIED, "exists": False}, Gone),
    "denied, oEmbed knows it": (
        {"page_error": DENIED, "exists": True, "absent": True, "embed_error": Unavailable()},
        Unavailable,
    ),
    "denied, embed shows a post": (
        {
            "page_error": DENIED,
            "exists": True,
            "embed_shows": True,
            "absent": True,
            "is_story": False,
        },
        NotAStory,
    ),
    "denied, embed shows it, list unknown": (
        {"page_error": DENIED, "exists": True, "embed_shows": True, "is_story": False},
        Unavailable,
    ),
    "denied, embed knows it without media": (
        {"page_error": DENIED, "exists": True, "absent": True, "is_story": False},
        Unavailable,
    ),
    "denied, no story any more": (
        {
            "page_error": DENIED,
            "exists": True,
            "absent": True,
            "is_story": False,
            "day_is_over": True,
        },
        Gone,
    ),
    "denied, post of yesterday that is wanted": (
        {
            "page_error": DENIED,
            "exists": True,
            "absent": True,
            "is_story": False,
            "posts": True,
            "day_is_over": True,
        },
        Unavailable,
    ),
    "denied, name unknown": (
        {"page_error": DENIED, "list_error": NoSuchAccount()},
        NoSuchAccount,
    ),
    "denied, list kept": ({"page_error": DENIED, "list_error": KEPT}, Unavailable),
    "absent by its page alone": ({"page_error": SAYS_ABSENT}, Gone),
    "absent by its page, list kept": (
        {"page_error": SAYS_ABSENT, "list_error": KEPT},
        Unavailable,
    ),
    "absent by its page, list partial": (
        {"page_error": SAYS_ABSENT, "list_is_partial": True},
        Unavailable,
    ),
    "absent by its page, oEmbed knows it": (
        {"page_error": SAYS_ABSENT, "exists": True, "embed_error": Unavailable()},
        Unavailable,
    ),
    "kept, whole list of anybody": ({"page_error": KEPT, "absent": True}, Refused),
    "kept, whole list of its author": (
        {"page_error": KEPT, "absent": True, "author_is_certain": True},
        Gone,
    ),
    "kept, whole list of its author, oEmbed knows it": (
        {"page_error": KEPT, "absent": True, "author_is_certain": True, "exists": True},
        Refused,
    ),
    "kept, whole list, day over": (
        {"page_error": UpstreamDown(), "absent": True, "day_is_over": True},
        Gone,
    ),
    "kept, oEmbed knows none": ({"page_error": KEPT, "exists": False}, Refused),
    "kept, oEmbed and list know none": (
        {"page_error": KEPT, "exists": False, "absent": True},
        Gone,
    ),
    "kept, whole list of its author, a post is wanted": (
        {
            "page_error": KEPT,
            "absent": True,
            "author_is_certain": True,
            "is_story": False,
            "posts": True,
        },
        Refused,
    ),
    "kept, oEmbed knows none, a post is wanted": (
        {
            "page_error": UpstreamDown(),
            "exists": False,
            "absent": True,
            "is_story": False,
            "posts": True,
        },
        UpstreamDown,
    ),
    "denied, the link's account is private": (
        {"page_error": DENIED, "list_error": PrivateAccount()},
        PrivateAccount,
    ),
    "denied, oEmbed too, the link's account is private": (
        {"page_error": DENIED, "exists": False, "list_error": PrivateAccount()},
        PrivateAccount,
    ),
    "denied, oEmbed knows it, the link's account is private": (
        {"page_error": DENIED, "exists": True, "list_error": PrivateAccount()},
        Unavailable,
    ),
    "kept, the link's account is private": (
        {"page_error": KEPT, "list_error": PrivateAccount()},
        Refused,
    ),
    "kept, oEmbed and embed know none, list partial": (
        {
            "page_error": UpstreamDown(),
            "exists": False,
            "embed_error": Unavailable(),
            "list_is_partial": True,
        },
        UpstreamDown,
    ),
    "kept, oEmbed and embed know none, list kept": (
        {
            "page_error": UpstreamDown(),
            "exists": False,
            "embed_error": Unavailable(),
            "list_error": KEPT,
        },
        UpstreamDown,
    ),
    "kept, oEmbed and embed know none": (
        {"page_error": KEPT, "exists": False, "embed_error": Unavailable()},
        Gone,
    ),
    "changed, list down": (
        {"page_error": UpstreamChanged(), "list_error": UpstreamDown()},
        UpstreamDown,
    ),
    "changed, list unknown": (
        {"page_error": UpstreamChanged(), "list_error": NoSuchAccount()},
        UpstreamChanged,
    ),
    "nothing asked": ({}, Unavailable),
}


@pytest.mark.parametrize(("facts", "error"), ROWS.values(), ids=ROWS.keys())
def test_what_the_answers_add_up_to(facts: dict[str, Any], error: type[StoriesError]) -> None:
    usual: dict[str, Any] = {"is_story": True, "day_is_over": False}
    assert type(verdict(Evidence(**{**usual, **facts}))) is error
