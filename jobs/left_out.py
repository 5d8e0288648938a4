"""What a line's list leaves out, in words and as JSON: for page, API, command line and admin."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy, pgettext_lazy

from stories.left_out import ERRORS, LeftOutReason

R = LeftOutReason

_SENTENCES: Final[Mapping[LeftOutReason, Any]] = {
    R.PRIVATE: ngettext_lazy("%(n)d story is private.", "%(n)d stories are private.", "n"),
    R.AGE_RESTRICTED: ngettext_lazy(
        "%(n)d story is for signed-in adults only.",
        "%(n)d stories are for signed-in adults only.",
        "n",
    ),
    R.NOT_READY: ngettext_lazy(
        "%(n)d story was not ready on TikTok yet.",
        "%(n)d stories were not ready on TikTok yet.",
        "n",
    ),
    R.NO_MEDIA: ngettext_lazy(
        "%(n)d story came without a file that can be saved.",
        "%(n)d stories came without a file that can be saved.",
        "n",
    ),
    R.UNREADABLE: ngettext_lazy(
        "%(n)d story could not be read.", "%(n)d stories could not be read.", "n"
    ),
    R.FOREIGN: ngettext_lazy(
        "%(n)d entry of the list belongs to another account.",
        "%(n)d entries of the list belong to other accounts.",
        "n",
    ),
    R.HELD_BACK: ngettext_lazy(
        "TikTok counts %(n)d more story than it shows us.",
        "TikTok counts %(n)d more stories than it shows us.",
        "n",
    ),
    R.BROKEN_OFF: ngettext_lazy(
        "TikTok’s list broke off: at least %(n)d story is missing.",
        "TikTok’s list broke off: at least %(n)d stories are missing.",
        "n",
    ),
    R.TOO_LONG: ngettext_lazy(
        "The list is too long to read: at least %(n)d story is missing.",
        "The list is too long to read: at least %(n)d stories are missing.",
        "n",
    ),
}
"""Reason -> a sentence that takes the number `n`."""

LABELS: Final[Mapping[LeftOutReason, Any]] = {
    R.PRIVATE: pgettext_lazy("left out", "private"),
    R.AGE_RESTRICTED: pgettext_lazy("left out", "adults only"),
    R.NOT_READY: pgettext_lazy("left out", "not ready"),
    R.NO_MEDIA: pgettext_lazy("left out", "without a file"),
    R.UNREADABLE: pgettext_lazy("left out", "unreadable"),
    R.FOREIGN: pgettext_lazy("left out", "of another account"),
    R.HELD_BACK: pgettext_lazy("left out", "not shown"),
    R.BROKEN_OFF: pgettext_lazy("left out", "list broken off"),
    R.TOO_LONG: pgettext_lazy("left out", "list too long"),
}
"""Reason -> a word or two after a number, for tables and filters; translated when shown."""


def sentence(reason: LeftOutReason, count: int) -> str:
    """One reason and its number as a sentence, in the reader's language."""
    return str(_SENTENCES[reason] % {"n": count})


def short(left_out: Mapping[LeftOutReason, int]) -> str:
    """`3 not shown, 1 private`, in the reader's language; "" when nothing is left out.

    No line ends between a number and its words.
    """
    parts = (f"{count}\N{NO-BREAK SPACE}{LABELS[reason]}" for reason, count in left_out.items())
    return ", ".join(parts)


def hint(reason: LeftOutReason) -> str:
    """What can be done about it, in the reader's language."""
    error = ERRORS[reason]
    # "TikTok is not answering" has a hint about the connection, and here TikTok did answer.
    return _("Trying again later often works.") if error.retryable else _(error.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One reason for which a line's list leaves stories out, and how many those are at least."""

    reason: LeftOutReason
    count: int

    @property
    def code(self) -> str:
        """The error code the reason means."""
        return ERRORS[self.reason].code

    @property
    def message(self) -> str:
        """A sentence with the number, in the reader's language."""
        return sentence(self.reason, self.count)

    @property
    def hint(self) -> str:
        """What can be done about it, in the reader's language."""
        return hint(self.reason)

    def as_dict(self) -> dict[str, Any]:
        """The reason, its number, its code and its sentence, for JSON."""
        return {
            "reason": self.reason.value,
            "count": self.count,
            "code": self.code,
            "message": self.message,
        }


def entries(left_out: Mapping[LeftOutReason, int]) -> tuple[LeftOut, ...]:
    """A `LeftOut` for each reason, in their order."""
    return tuple(LeftOut(reason=reason, count=count) for reason, count in left_out.items())


def cause_of(
    code: str, left_out: Iterable[LeftOut], story_codes: Collection[str]
) -> LeftOut | None:
    """The entry that a line's error stands for; None where the error has another cause.

    code: of the line's error. story_codes: of the errors of its stories. What is missing and how
    much of it says more than the words of the code, which may be those of a single story.
    """
    if code in story_codes:
        return None
    return next((entry for entry in left_out if entry.code == code), None)


def total(lines: Iterable[tuple[str, Mapping[LeftOutReason, int]]]) -> int:
    """The number of stories that the lists of some lines leave out; at least that many.

    lines: the name of each one's account, or the line itself where there is none, and what its list
    leaves out. Two lines can ask for one account: what both leave out counts once, the larger
    number of it, as in the manifest (`jobs.zips.omissions`).
    """
    most: dict[tuple[str, LeftOutReason], int] = {}
    for name, left_out in lines:
        for reason, count in left_out.items():
            most[name, reason] = max(count, most.get((name, reason), 0))
    return sum(most.values())
