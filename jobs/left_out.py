"""What a line's list leaves out, in words and as JSON: the same for page, API and command line."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from stories.left_out import ERRORS, LeftOutReason

R = LeftOutReason


def sentence(reason: LeftOutReason, count: int) -> str:
    """One reason and its number as a sentence, in the reader's language."""
    if reason == R.PRIVATE:
        words = ngettext("%(n)d story is private.", "%(n)d stories are private.", count)
    elif reason == R.AGE_RESTRICTED:
        words = ngettext(
            "%(n)d story is for signed-in adults only.",
            "%(n)d stories are for signed-in adults only.",
            count,
        )
    elif reason == R.NOT_READY:
        words = ngettext(
            "%(n)d story was not ready on TikTok yet.",
            "%(n)d stories were not ready on TikTok yet.",
            count,
        )
    elif reason == R.NO_MEDIA:
        words = ngettext(
            "%(n)d story came without a file that can be saved.",
            "%(n)d stories came without a file that can be saved.",
            count,
        )
    elif reason == R.FOREIGN:
        words = ngettext(
            "%(n)d entry of the list belongs to another account.",
            "%(n)d entries of the list belong to other accounts.",
            count,
        )
    elif reason == R.HELD_BACK:
        words = ngettext(
            "TikTok counts %(n)d more story than it shows us.",
            "TikTok counts %(n)d more stories than it shows us.",
            count,
        )
    elif reason == R.BROKEN_OFF:
        words = ngettext(
            "TikTok’s list broke off: at least %(n)d story is missing.",
            "TikTok’s list broke off: at least %(n)d stories are missing.",
            count,
        )
    elif reason == R.TOO_LONG:
        words = ngettext(
            "The list is too long to read: at least %(n)d story is missing.",
            "The list is too long to read: at least %(n)d stories are missing.",
            count,
        )
    else:
        words = ngettext(
            "%(n)d story could not be read.", "%(n)d stories could not be read.", count
        )
    return words % {"n": count}


def hint(reason: LeftOutReason) -> str:
    """What can be done about it, in the reader's language."""
    error = ERRORS[reason]
    # "TikTok does not answer" has a hint about the connection, and here TikTok did answer.
    return _("A later attempt often works.") if error.retryable else _(error.hint)


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


def total(left_out: Mapping[LeftOutReason, int]) -> int:
    """The number of stories left out, whatever the reason; at least that many."""
    return sum(left_out.values())
