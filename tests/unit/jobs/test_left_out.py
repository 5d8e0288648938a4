"""What a list leaves out, in words."""

from __future__ import annotations

import pytest

from jobs import left_out
from stories.left_out import LeftOutReason


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
    assert left_out.total({LeftOutReason.PRIVATE: 1, LeftOutReason.HELD_BACK: 3}) == 4


def test_every_reason_has_a_label_of_its_own_that_is_no_word_of_the_code() -> None:
    labels = {str(left_out.LABELS[reason]) for reason in LeftOutReason}
    assert len(labels) == len(LeftOutReason)
    assert not any("_" in label for label in labels)


def test_reasons_in_short() -> None:
    counts = {LeftOutReason.HELD_BACK: 3, LeftOutReason.PRIVATE: 1}
    assert left_out.short(counts) == "3\N{NO-BREAK SPACE}not shown, 1\N{NO-BREAK SPACE}private"
    assert left_out.short({}) == ""
