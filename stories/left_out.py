"""What a list names or promises and does not hand over: the reasons, and the error each one means.

Not left out are an advert, which is nobody's story, and an item whose time is over: neither is an
active story of the account that was asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from stories.errors import (
    AgeRestricted,
    MediaUnavailable,
    PrivatePost,
    StoriesError,
    UpstreamChanged,
    UpstreamDown,
)

MAX_COUNT: Final = 1_000_000
"""A count above this is no number of stories; it is cut, so that every column and page holds it."""


class LeftOutReason(StrEnum):
    """Why a story that a list names or promises is not among the stories of a look-up.

    HELD_BACK: TikTok counts more stories than it lists. BROKEN_OFF: the list ended although more
    was promised, of which no number is known. TOO_LONG: it goes on beyond the pages that are read.
    UNREADABLE: also an entry without an id. FOREIGN: an entry by another account.
    """

    PRIVATE = "private"
    AGE_RESTRICTED = "age_restricted"
    NOT_READY = "not_ready"
    NO_MEDIA = "no_media"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"
    HELD_BACK = "held_back"
    BROKEN_OFF = "broken_off"
    TOO_LONG = "too_long"


R = LeftOutReason

ERRORS: Final[Mapping[LeftOutReason, type[StoriesError]]] = {
    R.NOT_READY: MediaUnavailable,
    R.HELD_BACK: UpstreamDown,
    R.BROKEN_OFF: UpstreamDown,
    R.AGE_RESTRICTED: AgeRestricted,
    R.PRIVATE: PrivatePost,
    R.NO_MEDIA: UpstreamChanged,
    R.UNREADABLE: UpstreamChanged,
    R.FOREIGN: UpstreamChanged,
    R.TOO_LONG: UpstreamChanged,
}
"""Reason -> the error it means for whoever asked; those that may pass by themselves first."""

INCOMPLETE: Final = frozenset({R.HELD_BACK, R.BROKEN_OFF, R.TOO_LONG})
"""Reasons after which a story that is not listed may all the same be there."""


def counted(counts: Mapping[str, int]) -> dict[LeftOutReason, int]:
    """The counts above zero of known reasons, in the order of ERRORS, each at most MAX_COUNT.

    counts: by reason; what is no LeftOutReason (an advert, an item that is over) is not counted.
    """
    return {
        reason: min(counts[reason], MAX_COUNT) for reason in ERRORS if counts.get(reason, 0) > 0
    }


def stored(value: object) -> dict[LeftOutReason, int]:
    """Counts read back from JSON. A reason or number that is not ours counts as one unreadable."""
    counts: dict[str, int] = {}
    for name, count in value.items() if isinstance(value, dict) else ():
        reason = name if name in ERRORS else R.UNREADABLE
        whole = count if isinstance(count, int) and count > 0 else 1
        counts[reason] = counts.get(reason, 0) + whole
    return counted(counts)


def error_for(reason: LeftOutReason, count: int, detail: str = "") -> StoriesError:
    """The error that `count` stories left out for this reason mean; its detail has both.

    detail: the path that is missing in the answer, or what else is wrong with the first of them.
    """
    where = f" ({detail})" if detail else ""
    return ERRORS[reason](f"left out of the list: {count} {reason}{where}")


def errors_for(
    left_out: Mapping[LeftOutReason, int], details: Mapping[str, str] | None = None
) -> list[StoriesError]:
    """An error for each reason, those that may pass first. details: by reason, as error_for's."""
    known = details or {}
    return [
        error_for(reason, left_out[reason], known.get(reason, ""))
        for reason in ERRORS
        if reason in left_out
    ]
