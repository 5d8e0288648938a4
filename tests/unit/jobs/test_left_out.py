"""What a list leaves out, in words."""

from __future__ import annotations

import pytest

from jobs import left_out
from stories.left_out import LeftOutReason

R = LeftOutReason


@pytest.mark.parametrize("reason", LeftOutReason)
@pytest.mark.parametrize("count", [1, 2, 10**6])
def test_every_reason_has_a_sentence_with_its_number_and_a_hint(
    reason: LeftOutReason, count: int
) -> None:
    sentence = left_out.sentence(reason, count)
    assert str(count) in sentence
    assert sentence.endswith(".")
    assert left_out.hint(reason)


def test_no_two_reasons_share_a_sentence() -> None:
    sentences = {left_out.sentence(reason, 1) for reason in LeftOutReason}
    assert len(sentences) == len(LeftOutReason)


def test_the_number_of_all_reasons_together() -> None:
    lines = [("nora", {R.PRIVATE: 1, R.HELD_BACK: 3}), ("zoe", {R.PRIVATE: 1})]
    assert left_out.total(lines) == 5
    lines.append(("nora", {R.PRIVATE: 2, R.HELD_BACK: 1}))  # asked for twice
    assert left_out.total(lines) == 6


def test_an_error_stands_for_the_first_reason_of_its_code_unless_a_story_has_it() -> None:
    left_out_entries = left_out.entries({R.HELD_BACK: 2, R.BROKEN_OFF: 1, R.PRIVATE: 1})
    assert left_out.cause_of("upstream_down", left_out_entries, ()) == left_out_entries[0]
    assert left_out.cause_of("private_post", left_out_entries, {"gone"}) == left_out_entries[2]
    assert left_out.cause_of("private_post", left_out_entries, {"private_post"}) is None
    assert left_out.cause_of("gone", left_out_entries, ()) is None


def test_a_reason_as_json() -> None:
    (entry,) = left_out.entries({R.PRIVATE: 1})
    assert entry.as_dict() == {
        "reason": "private",
        "count": 1,
        "code": "private_post",
        "message": "1 story is private.",
    }


def test_every_reason_has_a_label_of_its_own_that_is_no_word_of_the_code() -> None:
    labels = {str(left_out.LABELS[reason]) for reason in LeftOutReason}
    assert len(labels) == len(LeftOutReason)
    assert not any("_" in label for label in labels)


def test_reasons_in_short() -> None:
    counts = {LeftOutReason.HELD_BACK: 3, LeftOutReason.PRIVATE: 1}
    assert left_out.short(counts) == "3\N{NO-BREAK SPACE}not shown, 1\N{NO-BREAK SPACE}private"
    assert left_out.short({}) == ""
