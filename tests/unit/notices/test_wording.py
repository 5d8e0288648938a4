"""Messages in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from notices.kinds import Kind
from notices.models import Message
from notices.wording import MAX_LINES, Text, write
from tests.unit.notices.conftest import NOON

SINCE, UNTIL = "2026-11-29T02:00:00+00:00", "2026-11-30T06:00:00+00:00"


def message(kind: Kind, kept_until: datetime | None = None, **facts: Any) -> Message:
    return Message(kind=kind, facts=facts, kept_until=kept_until)


def said(*messages: Message, names: bool = True, language: str = "en", zone: Any = UTC) -> Text:
    return write(messages, names=names, language=language, zone=zone, now=NOON)


SAVED = message(Kind.SAVED, NOON + timedelta(hours=6), count=5, authors=["cats"], failed=0)


@pytest.mark.parametrize(
    ("told", "title", "body"),
    [
        (SAVED, "5 files saved from @cats", "Kept until 18:00."),
        (
            message(Kind.FOUND, NOON + timedelta(days=3), count=3, authors=["cats"]),
            "3 new from @cats",
            "Kept until Thursday, 12:00.",
        ),
        (
            message(Kind.SAVED, NOON - timedelta(hours=1), count=1, authors=["a", "b"], failed=1),
            "1 file saved from @a, @b",
            "Was kept until 11:00. 1 line failed: try again.",
        ),
        (
            message(Kind.SAVED, count=9, authors=["a", "b", "c", "d", "e"]),
            "9 files saved from @a, @b, @c and 2 more",
            "",
        ),
        (
            message(Kind.FAILED, authors=["cats"], why="No answer came."),
            "@cats could not be saved",
            "No answer came. Try again while it is on TikTok.",
        ),
        (
            message(Kind.WATCH_ENDED, author="cats", why="private"),
            "No longer watching @cats",
            "The account is private now.",
        ),
        (message(Kind.WATCH_RENAMED, old="a", new="b"), "@a is @b now", "Watching goes on."),
        (
            message(Kind.WATCH_RENEW_SOON, author="cats", until=UNTIL),
            "Watching @cats ends soon",
            "Renew it by 06:00.",
        ),
        (
            message(Kind.WATCH_HOLE, author="cats", since=SINCE, until=UNTIL),
            "@cats: not covered for a while",
            "From Sunday, 02:00 to 06:00.",
        ),
        (
            message(Kind.REFUSED, since=UNTIL),
            "TikTok has refused this server for over an hour",
            "Since 06:00. Storykeep goes on trying.",
        ),
        (message(Kind.TEST, way="push"), "It works", "Messages from Storykeep arrive here."),
    ],
)
def test_each_kind(told: Message, title: str, body: str) -> None:
    assert said(told) == Text(title=title, body=body)


@pytest.mark.parametrize("kind", Kind)
def test_without_names_nobody_is_named_and_without_facts_nothing_breaks(kind: Kind) -> None:
    facts = {
        "count": 3, "authors": ["secret"], "author": "secret", "old": "secret", "new": "secret",
        "since": SINCE, "until": UNTIL,
    }  # fmt: skip
    text = said(message(kind, NOON, **facts), names=False)
    assert text.title
    assert "secret" not in text.title + text.body
    assert said(message(kind)).title
    assert said(message(kind, since="x", until=5, authors=5 and [None], count="x")).title


def test_without_names_it_still_says_how_many_and_until_when() -> None:
    assert said(SAVED, names=False) == Text(title="5 files saved", body="Kept until 18:00.")


def test_times_are_on_the_readers_clock() -> None:
    assert said(SAVED, zone=ZoneInfo("Asia/Kathmandu")).body == "Kept until 23:45."


@pytest.mark.parametrize("language", ["xx", "", "../etc", "en"])
def test_a_language_that_is_none_is_english(language: str) -> None:
    assert said(SAVED, language=language).title == "5 files saved from @cats"


def test_several_are_a_line_each() -> None:
    text = said(SAVED, message(Kind.DISK))
    assert text.title == "2 messages"
    assert text.body.splitlines() == [
        "5 files saved from @cats – Kept until 18:00.",
        "The disk is almost full – Nothing new is saved once it is.",
    ]
    many = said(*[SAVED] * (MAX_LINES + 3))
    assert many.body.splitlines()[-1] == "3 more"
    assert len(many.body.splitlines()) == MAX_LINES + 1
