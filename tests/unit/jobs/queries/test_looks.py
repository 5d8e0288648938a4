"""How lines look, and how many look alike."""

from __future__ import annotations

import pytest

from jobs.errors import BY_CODE
from jobs.queries.looks import look, look_counts
from stories.errors import InputError


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_only_what_was_pasted_is_skipped(code: str) -> None:
    own = issubclass(BY_CODE[code], InputError)
    assert look("failed", code) == ("skipped" if own else "failed")
    assert look("partial", code) == "partial"


def test_a_code_of_another_version_is_no_fault_of_the_line() -> None:
    assert look("failed", "from_the_future") == "failed"
    assert look("failed", "") == "failed"


def test_lines_that_look_alike_are_counted_most_first() -> None:
    lines = [("failed", "gone"), ("failed", "not_a_story"), ("failed", "refused"), ("empty", "")]
    counts = look_counts(lines)
    assert [(shown.look, shown.count) for shown in counts] == [
        ("failed", 2),
        ("skipped", 1),
        ("empty", 1),
    ]
    assert [shown.words for shown in counts] == [
        "2 failed",
        "1 skipped",
        "1 without a public story",
    ]


def test_lines_that_all_agree_are_not_counted() -> None:
    assert look_counts([("done", ""), ("done", "")]) == ()
    assert look_counts([]) == ()


def test_a_reason_for_being_empty_is_not_a_lack_of_stories() -> None:
    counts = look_counts([("empty", "advert"), ("empty", ""), ("done", "")])
    assert counts[0].words == "2 with nothing to save"
