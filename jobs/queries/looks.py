"""How lines look in lists and filters: their states, and `skipped` for what cannot be saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.utils.translation import ngettext

from jobs.errors import is_skipped
from jobs.states import ItemState
from jobs.wording import lines_in

SKIPPED: Final = "skipped"
"""The look of a failed line where only what was pasted is at fault; others look like their state.
"""


CLEANED: Final = "cleaned"
"""The look of a settled job whose files are all deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookCount:
    """How many lines of a job look alike. words: both in words, such as `5 failed`."""

    look: str
    count: int
    words: str


def look(state: str, code: str) -> str:
    """The look of a line with this error code, "" for none."""
    return SKIPPED if is_skipped(state, code) else str(state)


def look_counts(lines: Iterable[tuple[str, str]]) -> tuple[LookCount, ...]:
    """The looks and how many lines have each, most first; empty when all lines agree.

    lines: state and error code of each, "" for no code.
    """
    looks: Counter[str] = Counter()
    reasons = False
    for state, code in lines:
        looks[look(state, code)] += 1
        reasons = reasons or (state == ItemState.EMPTY and bool(code))
    if len(looks) < 2:
        return ()
    return tuple(
        LookCount(look=name, count=count, words=_words(name, count, reasons=reasons))
        for name, count in looks.most_common()
    )


def _words(name: str, count: int, *, reasons: bool) -> str:
    """reasons: a line is empty for another reason than that its account has no story."""
    if name == SKIPPED:
        words = ngettext("%(n)d skipped", "%(n)d skipped", count)
    elif name == ItemState.EMPTY and reasons:
        words = ngettext("%(n)d with nothing to save", "%(n)d with nothing to save", count)
    else:
        return lines_in(name, count)
    return words % {"n": count}
