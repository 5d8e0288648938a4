"""What several answers about one item add up to, none of which brought it."""

from __future__ import annotations

from typing import Any

import pytest

from stories.errors import (
    AgeRestricted,
    Challenged,
    ClockWrong,
    GatedList,
    Gone,
    HintedStory,
    LoginRequired,
    MediaUnavailable,
    NoSuchAccount,
    NotAStory,
    PrivateAccount,
    RateLimited,
    Refused,
    RegionLocked,
    StoriesError,
    TimedOut,
    Unavailable,
    UnknownAnswer,
    UnknownMediaHost,
    UpstreamChanged,
    UpstreamDown,
    UpstreamError,
)
from stories.verdict import Evidence, verdict, weightiest

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
    "nothing is where it was": (
        {"page_error": DENIED, "list_error": UpstreamChanged("moved", status=404)},
        UpstreamChanged,
    ),
    "denied, the list not to be read": (
        {"page_error": DENIED, "list_error": UpstreamChanged("odd")},
        Unavailable,
    ),
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
        Refused,
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
    "changed, embed challenged": (
        {"page_error": UpstreamChanged(), "embed_error": Challenged()},
        Challenged,
    ),
    "changed, oEmbed refused": (
        {"page_error": UpstreamChanged(), "oembed_error": KEPT},
        Refused,
    ),
    "changed, embed empty": (
        {"page_error": UpstreamChanged(), "embed_error": Unavailable()},
        UpstreamChanged,
    ),
    "listed, changed, embed challenged": (
        {"page_error": UpstreamDown(), "left_out": UpstreamChanged(), "embed_error": Challenged()},
        Challenged,
    ),
    "listed, not to be read, embed challenged": (
        {"page_error": KEPT, "left_out": MediaUnavailable(), "embed_error": Challenged()},
        MediaUnavailable,
    ),
    "denied, embed challenged": (
        {"page_error": DENIED, "embed_error": Challenged()},
        Unavailable,
    ),
    "changed, list says later, embed challenged": (
        {
            "page_error": UpstreamChanged(),
            "list_error": Unavailable(),
            "embed_error": Challenged(),
        },
        Challenged,
    ),
    "changed, list says later": (
        {"page_error": UpstreamChanged(), "list_error": Unavailable()},
        Unavailable,
    ),
    "nothing asked": ({}, Unavailable),
}


@pytest.mark.parametrize(("facts", "error"), ROWS.values(), ids=ROWS.keys())
def test_what_the_answers_add_up_to(facts: dict[str, Any], error: type[StoriesError]) -> None:
    usual: dict[str, Any] = {"is_story": True, "day_is_over": False}
    assert type(verdict(Evidence(**{**usual, **facts}))) is error


# Of two sources neither of which brought it: a class wins over those in the lines below its own.
ORDER: tuple[tuple[type[StoriesError], ...], ...] = (
    (RateLimited,),
    (Challenged, Refused),
    (UpstreamDown, HintedStory, GatedList, TimedOut, ClockWrong, UnknownAnswer),
    (UpstreamChanged, UnknownMediaHost),
)
PLACES = {kind: place for place, kinds in enumerate(ORDER) for kind in kinds}


@pytest.mark.parametrize("first", PLACES)
@pytest.mark.parametrize("second", PLACES)
def test_two_sources_that_disagree(first: type[StoriesError], second: type[StoriesError]) -> None:
    """The better place wins, whichever source it comes from; of equals the first one."""
    expected = second if PLACES[second] < PLACES[first] else first
    assert type(weightiest(first(), second())) is expected
    for source in ("embed_error", "oembed_error", "list_error"):
        evidence: dict[str, Any] = {"page_error": first(), source: second()}
        assert type(verdict(Evidence(is_story=True, **evidence))) is expected, source


def test_every_error_of_tiktoks_side_has_a_place() -> None:
    def branches(kind: type[StoriesError]) -> set[type[StoriesError]]:
        found = {kind}.union(*(branches(branch) for branch in kind.__subclasses__()))
        return {one for one in found if "code" in vars(one) or one.__subclasses__() == []}

    assert branches(UpstreamError) == set(PLACES)


@pytest.mark.parametrize("other", PLACES)
def test_an_answer_of_the_first_source_stands(other: type[StoriesError]) -> None:
    for answer in (LoginRequired(), Unavailable(), NoSuchAccount()):
        assert weightiest(answer, other()) is answer


def test_an_answer_of_another_source_is_no_reason_it_was_kept_from_us() -> None:
    changed = UpstreamChanged()
    assert weightiest(changed, Unavailable(), NoSuchAccount(), None) is changed
