"""Names of the library are harmless everywhere, whoever thought them up."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from jobs.files import names
from jobs.library import layout
from tests.unit.jobs.library.test_sidecar import story

HOSTILE = [
    "..", ".", "", "con", "NUL.txt", "a/b", "a\\b", "a\0b", "trailing.", "trailing ", "-rf", "~",
    "x" * 500, "é" * 300, "\u202egpj.exe", "🥖" * 100, "AUX", "a:b", "\ud800", "。。/",
]  # fmt: skip


def test_a_file_lies_by_member_author_and_year() -> None:
    one = story(ZoneInfo("Europe/Berlin"))
    assert layout.folders("alice", one) == ["alice", "harbour.bakery", "2026"]
    first = next(layout.media_names(one, 3, ".jpg"))
    assert first == "2026-11-20_1503_harbour.bakery_7412345678901234567_03.jpg"
    assert next(layout.story_names(one)) == (
        "2026-11-20_1503_harbour.bakery_7412345678901234567.story.json"
    )


def test_the_year_is_that_of_the_owners_clock() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    one = story(ZoneInfo("Asia/Tokyo"), posted_at=late)
    assert layout.folders("alice", one)[-1] == "2027"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_become_harmless(text: str) -> None:
    one = story(author_name=text, tiktok_id=text)
    parts = [
        layout.member_folder(text, ()),
        *layout.folders("alice", one),
        next(layout.media_names(one, 1, text)) + layout.SIDECAR,
        next(layout.story_names(one)),
    ]
    for part in parts:
        assert len(part.encode()) <= 255
        assert part == names.safe_filename(part, limit=255)
        assert not {"/", "\\", "\0", ":"} & set(part)
        assert part not in {"", ".", ".."}


def test_members_whose_names_are_one_to_a_file_system_have_two_folders() -> None:
    taken = {names.collision_key(layout.member_folder("Alice", ()))}
    assert layout.member_folder("alice", taken) == "alice-2"


def test_further_names_are_all_different() -> None:
    found = list(islice(layout.media_names(story(), 1, ".jpg"), 5))
    assert len(set(found)) == 5
    assert found[1].endswith("_01-2.jpg")
