"""Backoff: an item's wait before its next attempt, and what waits while TikTok refuses this server.

Retries happen here and nowhere else: an attempt that failed is queued again with `not_before` set.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from jobs.errors import REFUSAL_CODES, DiskFault
from jobs.files.disk import FAULT_RETRY_S
from jobs.models import Item
from jobs.queue.claims import Claim, claimed_row, move
from jobs.states import ItemState
from jobs.upstream import breaker, pauses
from stories.errors import (
    GatedList,
    HintedStory,
    MediaCorrupt,
    MediaUnavailable,
    Refusal,
    SoundMissing,
    StoriesError,
    TimedOut,
    Unavailable,
    UnknownAnswer,
    UpstreamDown,
)

MAX_REFUSAL_WAIT: Final = timedelta(hours=6)
"""The longest wait of an item while TikTok refuses this server."""
ALONE_S: Final = (30.0, 900.0)
"""Seconds an item waits by itself, at least and at most."""
BACKOFF_S: Final[dict[type[StoriesError], tuple[float, ...]]] = {
    HintedStory: (300.0,),
    GatedList: (30.0, 300.0),
    UpstreamDown: (10.0, 60.0),
    TimedOut: (10.0, 60.0),
    MediaUnavailable: (10.0, 60.0),
    MediaCorrupt: (10.0, 60.0),
    SoundMissing: (10.0, 60.0),
    UnknownAnswer: (20.0, 300.0),
    Unavailable: (300.0,),
}
"""Seconds before the second attempt, the third, …; after the last one the error is final."""
MAX_BACKOFF_S: Final = 60 * 60.0
JITTER: Final = 0.25


def next_attempt(claim: Claim, error: StoriesError) -> datetime | None:
    """The time of the automatic retry of an attempt that ended with `error`; None when final
    or when the claim was lost.

    A Refusal opens the breaker and holds the whole queue, unless another way of asking was not
    refused; a fault of our own disk holds it as well, for as long as it takes.
    """
    item = claimed_row(claim).values("tries", "refused_since").first()
    if item is None:
        return None
    now = timezone.now()
    if isinstance(error, DiskFault):
        until = now + timedelta(seconds=error.retry_after_s or FAULT_RETRY_S)
        hold_for_disk(until, error.code)
        return until
    if waits_alone(error):
        waited = now - (item["refused_since"] or now)
        wait_s = min(max(ALONE_S[0], waited.total_seconds() / 2), ALONE_S[1])
        until = now + timedelta(seconds=_spread(wait_s))
        return until if waited < MAX_REFUSAL_WAIT else None
    if isinstance(error, Refusal):
        until = breaker.open_for(error)
        hold_queue(until, error.code, also=int(item["refused_since"] is None))
        return until if now - (item["refused_since"] or now) < MAX_REFUSAL_WAIT else None
    backoff = next((steps for kind, steps in BACKOFF_S.items() if isinstance(error, kind)), ())
    if item["tries"] >= len(backoff):
        return None
    wait_s = max(backoff[item["tries"]], error.retry_after_s or 0.0)
    return now + timedelta(seconds=min(_spread(wait_s), MAX_BACKOFF_S))


def waits_alone(error: StoriesError) -> bool:
    """Whether an item waits by itself, uses up no try and holds nobody: its own way was refused
    while another one was not, or nobody was asked, as the ways that work are busy."""
    return error.untried or (isinstance(error, Refusal) and error.alone)


def _spread(wait_s: float) -> float:
    return wait_s * (1 + random.random() * JITTER)  # noqa: S311  # nosec B311  # guards nothing


def requeue_untried(claim: Claim, until: datetime, code: str) -> bool:
    """Queue an item again without having tried it, to wait until the breaker closes.

    Counts for nothing. code: of the refusal that opened the breaker. False: the claim was lost.
    """
    new = claimed_row(claim).filter(refused_since=None).exists()
    moved = move(claim, ItemState.QUEUED, **held_fields(until, code))
    hold_queue(until, code, also=int(new and moved))
    return moved


def hold_queue(until: datetime, code: str, *, also: int = 0) -> int:
    """Postpone all due items to `until`, with `code` as their error; how many items that were.

    Items that wait already are left as they are: of many refusals in one pause, the first writes.
    also: items beside these that begin to wait now, for the record of pauses.
    """
    due = Item.objects.due(timezone.now())
    # The others see that there is none without asking for the database's one write lock.
    if not due.exists():
        pauses.record(until, code, also)
        return 0
    pauses.record(until, code, also + due.filter(refused_since=None).count())
    return due.update(**held_fields(until, code))


def hold_for_disk(until: datetime, code: str) -> int:
    """Postpone all due items to `until`, for the disk takes no file; how many items that were.

    They would each find that out, and have TikTok asked in vain. That is no wait for TikTok: the
    time an item may wait for it begins anew.
    """
    due = Item.objects.due(timezone.now())
    if not due.exists():
        return 0
    return due.update(
        not_before=until, error_code=code, error_detail="", sent_at=None, refused_since=None
    )


def release_queue() -> int:
    """Make items held by a refusal due now, and restart their MAX_REFUSAL_WAIT.

    How many of them had a `not_before` ahead.
    """
    waiting = Item.objects.filter(state=ItemState.QUEUED, error_code__in=REFUSAL_CODES)
    waiting.update(refused_since=None)
    return waiting.filter(not_before__gt=timezone.now()).update(not_before=None)


def end_waits() -> int:
    """Make all waiting items due, for the clock was set back and their times mean nothing now; how
    many items that were."""
    waiting = Item.objects.filter(state=ItemState.QUEUED, not_before__gt=timezone.now())
    return waiting.update(not_before=None)


def end_impossible_waits(now: datetime) -> int:
    """Make items due that would wait for longer than anything waits: their time was set by a clock
    that went wrong; how many items that were."""
    too_far = now + MAX_REFUSAL_WAIT + timedelta(minutes=1)
    waiting = Item.objects.filter(state=ItemState.QUEUED, not_before__gt=too_far)
    # Mostly there is none: seen without asking for the database's one write lock.
    return waiting.update(not_before=None) if waiting.exists() else 0


def held_fields(until: datetime, code: str) -> dict[str, Any]:
    """Columns of an item that waits until TikTok answers this server again."""
    return {
        "not_before": until,
        "error_code": code,
        "error_detail": "",
        "sent_at": None,
        "refused_since": Coalesce("refused_since", Value(timezone.now())),
    }


def error_fields(error: StoriesError | None) -> dict[str, str]:
    """The error columns of an item or a story; both empty for None."""
    if error is None:
        return {"error_code": "", "error_detail": ""}
    return {"error_code": error.code, "error_detail": error.detail[:500]}
