"""Items in lines of JSON, as another program prints them: kept to the rules of a list's page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stories import wire
from stories.errors import Gone, PrivateAccount, UpstreamChanged
from stories.structures import Author
from tests.unit.stories.wire.payloads import (
    LEAVES,
    NOW,
    SAMPLE,
    STORY_ID,
    USER_ID,
    listing,
    read,
    story_item,
)

# What a program puts beside TikTok's own keys.
BESIDE: dict[str, Any] = {"user": "x", "date": "2026-04-07 19:20:37", "_url": "https://x", "num": 0}


def line(**changes: Any) -> bytes:
    return json.dumps({**story_item(**changes), **BESIDE}).encode()


def test_a_line_is_the_story_that_a_list_would_make_of_it() -> None:
    printed = wire.printed_items([line()], SAMPLE, now=NOW)
    assert printed.stories == read(listing(story_item()), now=NOW).stories
    assert (printed.total, printed.has_more, printed.next_cursor) == (None, False, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"author": {"id": "1", "uniqueId": "sample.user"}}, "foreign"),
        ({"privateItem": True}, "private"),
        ({"video": None}, "no_media"),
        ({"author": None}, "unreadable"),
    ],
)
def test_a_line_is_kept_to_the_same_rules(changes: dict[str, Any], reason: str) -> None:
    printed = wire.printed_items([line(**changes)], SAMPLE, now=NOW)
    assert (printed.stories, printed.left_out) == ((), {STORY_ID: reason})


def test_a_story_that_is_over_is_not_kept() -> None:
    assert wire.printed_items([line()], SAMPLE, now=LEAVES).dropped == {"expired": 1}
    with pytest.raises(Gone):
        wire.printed_item(line(), STORY_ID, now=LEAVES)


def test_a_private_author_ends_it() -> None:
    author = {**story_item()["author"], "privateAccount": True}
    with pytest.raises(PrivateAccount):
        wire.printed_items([line(author=author)], SAMPLE, now=NOW)


@pytest.mark.parametrize("noise", [b"prose", b"[]", b"1", b"null", b"{", b"\xff", b"[" * 10**5])
def test_a_line_that_is_no_object_is_a_change(noise: bytes) -> None:
    with pytest.raises(UpstreamChanged):
        wire.printed_items([line(), noise], SAMPLE, now=NOW)
    with pytest.raises(UpstreamChanged):
        wire.printed_item(noise, STORY_ID, now=NOW)


def test_the_author_gets_the_id_that_the_item_has() -> None:
    """Where nothing but the name was known."""
    (story,) = wire.printed_items([line()], Author(id="", name="sample.user"), now=NOW).stories
    assert story.author.id == USER_ID


def test_an_item_by_itself() -> None:
    story = wire.printed_item(line(), STORY_ID, now=NOW)
    assert (story.id, story.is_story, story.author.id) == (STORY_ID, True, USER_ID)
    assert not wire.printed_item(line(story=None), STORY_ID, now=NOW).is_story
    with pytest.raises(UpstreamChanged):
        wire.printed_item(line(), "7626099422044159983", now=NOW)


def test_items_known_by_their_ids_alone_are_held_back() -> None:
    page = wire.kept_items(["1", "2", "1"])
    assert page.left_out == {"1": "held_back", "2": "held_back"}
    assert page.dropped == {"held_back": 2}
    assert page.listed_ids == {"1", "2"}
