"""Names made from templates: as asked for, harmless, and told apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import name_template
from jobs.files import names, story_names
from jobs.files.story_names import NameFacts
from jobs.models import Job
from tests.unit.jobs.files.reserved import is_reserved

AT = datetime(2026, 11, 20, 14, 3, 59, tzinfo=UTC)
NASTY = st.text(
    st.sampled_from('./\\: \t\n\0\u202e\u200f"<>|?*%~-=@+_aAé\u0301con\uff0e\uff0f\u2025🎉東'),
    max_size=80,
)
TEMPLATES = (
    st.lists(
        st.sampled_from(
            [
                "{author}",
                "{nickname}",
                "{caption}",
                "{caption:40}",
                "{date}",
                "{time}",
                "{number}",
                "{kind}",
                "{id}",
                "_",
                " ",
                "-",
                ".",
                "é",
                "con",
                "🎉",
            ]
        ),
        min_size=1,
        max_size=8,
    )
    .map("".join)
    .filter(str.strip)
)


def facts(template: str = name_template.DEFAULT, **given_facts: Any) -> NameFacts:
    values: dict[str, Any] = {
        "author": "name",
        "nickname": "Ñame 🎉",
        "caption": "Morning at the harbour",
        "kind": "photo",
        "story_id": "7412",
        "posted_at": AT,
        "zone": UTC,
    }
    return NameFacts(template=template, **(values | given_facts))


def test_the_default_is_as_names_have_always_been() -> None:
    assert story_names.media_name(facts(), 1, ".jpg") == "name_2026-11-20_1403_01.jpg"
    assert story_names.media_name(facts(), 12, ".mp4") == "name_2026-11-20_1403_12.mp4"
    assert story_names.media_name(facts(), 100, ".jpg") == "name_2026-11-20_1403_100.jpg"
    assert story_names.media_name(facts(), None, ".jpg") == "name_2026-11-20_1403.jpg"
    poster = story_names.media_name(facts(), 1, ".jpg", tag="poster")
    assert poster == "name_2026-11-20_1403_01_poster.jpg"
    assert story_names.carousel_name(facts()) == "name_2026-11-20_1403.zip"
    assert story_names.sidecar_name(facts()) == "name_2026-11-20_1403_story.json"


@given(NASTY | st.text(st.characters(exclude_categories=["Cs"]), max_size=120), st.integers(1, 999))
def test_the_default_is_that_whatever_the_author_is_called(author: str, number: int) -> None:
    name = story_names.media_name(facts(author=author), number, ".jpg")
    assert name == f"{names.safe_author(author)}_2026-11-20_1403_{number:02d}.jpg"


def test_the_time_is_on_the_zones_clock() -> None:
    tokyo = AT.astimezone(timezone(timedelta(hours=9)))
    assert story_names.carousel_name(facts(posted_at=tokyo)) == "name_2026-11-20_1403.zip"


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{caption}", "Morning at the harbour_02.jpg"),
        ("{caption:7} {number}", "Morning 02.jpg"),
        ("{number} {author}", "02 name.jpg"),
        ("{kind}-{id}", "photo-7412_02.jpg"),
        ("{nickname}_{date}", "Ñame 🎉_2026-11-20_02.jpg"),
        ("story", "story_02.jpg"),
    ],
)
def test_a_template_is_filled_in(template: str, name: str) -> None:
    assert story_names.media_name(facts(template), 2, ".jpg") == name


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{author}_{caption}_{date}", "name_2026-11-20.jpg"),
        ("{caption} - {author}", "name.jpg"),
        ("{author} - {caption}", "name.jpg"),
        ("{caption}", "name.jpg"),
        ("{number}", "name.jpg"),
        ("{number}_{caption}", "name.jpg"),
        ("story {number}", "story.jpg"),
        ("{caption}_{nickname}-{id}", "7412.jpg"),
    ],
)
def test_what_is_missing_leaves_no_gap(template: str, name: str) -> None:
    bare = facts(template, caption="", nickname="\u202e")
    assert story_names.media_name(bare, None, ".jpg") == name


def test_where_nothing_is_left_the_author_stands_in() -> None:
    bare = facts("{caption}", caption="")
    assert story_names.media_name(bare, 2, ".jpg") == "name_02.jpg"
    assert story_names.media_name(bare, None, ".jpg", tag="poster") == "name_poster.jpg"
    only_number = facts("{number}")
    assert story_names.media_name(only_number, 2, ".jpg") == "02.jpg"
    assert story_names.carousel_name(only_number) == "name.zip"
    assert story_names.sidecar_name(only_number) == "name_story.json"


def test_a_caption_gives_way_before_the_date() -> None:
    long = facts("{caption:150}_{author}_{date}_{number}", caption="東" * 200, author="a" * 60)
    name = story_names.media_name(long, 7, ".jpg")
    assert name.endswith(f"_{'a' * 60}_2026-11-20_07.jpg")
    assert name.startswith("東東東")
    assert len(name.encode()) <= names.NAME_BYTES


def test_a_caption_is_cut_where_nobody_said_how_long() -> None:
    name = story_names.media_name(facts("{caption}", caption="word " * 40), None, ".jpg")
    assert len(name) <= story_names.CAPTION_LENGTH + len(".jpg")
    assert name.endswith("word.jpg")


@given(TEMPLATES, NASTY, NASTY, st.none() | st.integers(1, 300))
def test_a_name_is_harmless_whatever_is_filled_in(
    template: str, caption: str, nickname: str, number: int | None
) -> None:
    told = facts(template, caption=caption, nickname=nickname)
    for name in (
        story_names.media_name(told, number, ".jpg"),
        story_names.media_name(told, number, ".mp4", tag="poster"),
        story_names.carousel_name(told),
        story_names.sidecar_name(told),
    ):
        assert PurePosixPath(name).parts == (name,)
        assert PureWindowsPath(name).parts == (name,)
        assert not is_reserved(name)
        assert len(name.encode()) <= names.NAME_BYTES
        assert name[0] not in ".-~=+@ "
        assert names.safe_filename(name) == name


@given(TEMPLATES, st.lists(st.integers(1, 99), min_size=2, max_size=5, unique=True))
def test_pictures_of_one_story_are_told_apart_by_their_number(
    template: str, numbers: list[int]
) -> None:
    made = {story_names.media_name(facts(template), number, ".jpg") for number in numbers}
    assert len(made) == len(numbers)


def test_a_job_keeps_the_template_it_was_sent_with(set_env: Any) -> None:
    set_env(filename_template="{id}")
    assert story_names.template_of(Job()) == "{id}"
    assert story_names.template_of(Job(name_template="{caption}")) == "{caption}"


def test_the_number_survives_a_template_that_leaves_it_no_room() -> None:
    long = NameFacts(author="nora", posted_at=AT, zone=UTC, template="🎉" * 60 + "{number}")
    first, second = (story_names.media_name(long, number, ".jpg") for number in (1, 2))
    assert (first[-7:], second[-7:]) == ("_01.jpg", "_02.jpg")
    assert len(second.encode()) <= names.NAME_BYTES
