"""A pasted line and its verdict: what it asks for, or why it is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.lines import read_lines, resolved_kind, target_fields, target_of
from jobs.models import Item, ItemKind
from stories import structures
from stories.errors import NotUnderstood, UnsupportedLink
from stories.structures import Author, Target, TargetKind
from stories.targets import parse_line

USER = "@sample.user"
STORY = "https://www.tiktok.com/@sample.user/story/7512345678901234567"
POST = "https://www.tiktok.com/@sample.user/video/7512345678901234567"
SHORT = "https://vm.tiktok.com/ZM12345/"


@pytest.mark.parametrize(
    ("pasted", "kind"),
    [
        (USER, ItemKind.USER),
        (STORY, ItemKind.STORY),
        (POST, ItemKind.POST),
        (SHORT, ItemKind.STORY),
    ],
)
def test_an_understood_line_has_a_target_and_no_error(pasted: str, kind: ItemKind) -> None:
    (line,) = read_lines([pasted])
    assert (line.text, line.kind, line.error) == (pasted, kind, None)
    assert line.target == parse_line(pasted)


@pytest.mark.parametrize(
    ("pasted", "error", "kind"),
    [
        ("what is this?!", NotUnderstood, ItemKind.USER),
        ("https://www.tiktok.com/tag/cats", UnsupportedLink, ItemKind.POST),
    ],
)
def test_a_refused_line_has_an_error_and_no_target(
    pasted: str, error: type[Exception], kind: ItemKind
) -> None:
    (line,) = read_lines([pasted])
    assert (line.text, line.kind, line.target) == (pasted, kind, None)
    assert isinstance(line.error, error)


@pytest.mark.parametrize(
    ("entry", "texts"),
    [
        ("@tiny.garden, @night.trains", ["@tiny.garden", "@night.trains"]),
        (f"{STORY} https://www.tiktok.com/@b2", [STORY, "https://www.tiktok.com/@b2"]),
        ("@a1\n@b2", ["@a1", "@b2"]),
        ("thanks @a1 and @b2", ["@a1", "@b2"]),
        ("thanks  @a1", ["thanks  @a1"]),
        (f"Look at it\n{SHORT}", [f"Look at it {SHORT}"]),
    ],
)
def test_an_entry_that_names_several_is_several_lines(entry: str, texts: list[str]) -> None:
    lines = read_lines([entry])
    assert [line.text for line in lines] == texts
    assert all(line.target for line in lines)


def test_blank_lines_and_repetitions_are_left_out() -> None:
    entries = ["@One", "one", "https://www.tiktok.com/@one?lang=de", " ", "", "what?!", "what?!"]
    assert [line.text for line in read_lines(entries)] == ["@One", "what?!"]


def test_ten_thousand_lines_are_read_without_harm(set_env: Any) -> None:
    set_env(batch_max=10_000)
    lines = read_lines([f"@user{number}" for number in range(10_000)] * 2)
    assert len(lines) == 10_000


# --- targets in an item's row ---------------------------------------------------------------------


@pytest.mark.parametrize("pasted", [USER, STORY, POST, SHORT])
def test_a_target_survives_its_row(pasted: str) -> None:
    target = parse_line(pasted)
    fields = target_fields(target)
    assert None not in fields.values()
    assert target_of(Item(target=fields)) == target


def test_fields_that_are_none_are_left_out() -> None:
    assert target_fields(Target(kind=TargetKind.USER, name="one")) == {
        "kind": "user",
        "name": "one",
    }


def test_a_refused_line_has_no_target() -> None:
    with pytest.raises(NotUnderstood, match="no such thing"):
        target_of(Item(target={}, error_detail="no such thing"))


# --- what a link turned out to be -----------------------------------------------------------------


def listed(*, is_story: bool) -> structures.Story:
    posted_at = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)
    return structures.Story(
        id="7512345678901234567",
        kind=structures.StoryKind.PHOTO,
        author=Author(id="1", name="one"),
        posted_at=posted_at,
        leaves_at=posted_at + timedelta(hours=24),
        caption="",
        media=(),
        is_story=is_story,
    )


@pytest.mark.parametrize(
    ("kind", "stories", "resolved"),
    [
        pytest.param("story", [], "story", id="nothing listed"),
        pytest.param("post", [], "post", id="nothing listed of a post"),
        pytest.param("story", [True], "story", id="as it looked"),
        pytest.param("story", [False], "post", id="the story is a post"),
        pytest.param("post", [True], "story", id="the post is a story"),
        pytest.param("story", [True, True], "user", id="a short link to an account"),
        pytest.param("user", [True], "user", id="an account with one story"),
        pytest.param("user", [False], "user", id="an account stays one"),
    ],
)
def test_a_kind_is_resolved_by_what_was_listed(
    kind: str, stories: list[bool], resolved: str
) -> None:
    stories_listed = [listed(is_story=is_story) for is_story in stories]
    assert resolved_kind(kind, stories_listed) == ItemKind(resolved)
