"""Every move of an item along its edges: claim, settle, wait, cancel, retry.

The WHERE clause of each update is the lock: of two workers, one updates a row and the other none.
Packages have theirs in `packages`; `dispatch` says who is next, and `repairs` frees what a vanished
worker held.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, OperationalError, models, transaction
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from jobs.errors import BY_CODE, Cancelled
from jobs.models import Artifact, Item, Job, Role, Story
from jobs.queue import quotas
from jobs.queue.dispatch import dispatch, fairest
from jobs.states import EDGES, OPEN, ItemState, sources
from jobs.upstream import breaker
from stories.errors import (
    Gone,
    MediaCorrupt,
    MediaUnavailable,
    Refusal,
    StoriesError,
    TimedOut,
    Unavailable,
    UpstreamDown,
)

logger = logging.getLogger(__name__)
S = ItemState

LEASE: Final = timedelta(seconds=40)
"""A worker silent for longer than this is taken for dead."""
RENEW_S: Final = 10.0

LOOKS: Final = 3
"""How often a thread looks who is next before it takes what its message was about."""

PATIENCE: Final = timedelta(hours=6)
"""How long an item waits while TikTok refuses this server."""
PAUSES_S: Final[dict[type[StoriesError], tuple[float, ...]]] = {
    UpstreamDown: (10.0, 60.0),
    TimedOut: (10.0, 60.0),
    MediaUnavailable: (10.0, 60.0),
    MediaCorrupt: (10.0, 60.0),
    Unavailable: (300.0,),
}
"""How long before the second attempt, the third, …; after the last one the error is final."""
LONGEST_PAUSE_S: Final = 60 * 60.0
JITTER: Final = 0.25

REFUSALS: Final = tuple(sorted(code for code, cls in BY_CODE.items() if issubclass(cls, Refusal)))


stopping: Final = threading.Event()
"""Set when this process is asked to end: what it holds is to be released soon."""


class Stopping(Exception):
    """This process is asked to end."""


class ClaimLost(Exception):
    """Someone else moved what we had claimed: it was cancelled, forgotten, or given away."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on an item; ends when the item's attempt or state moves on."""

    item_id: UUID
    attempt: int

    @property
    def workspace(self) -> str:
        """The name of this attempt's folder."""
        return f"{self.item_id}.{self.attempt}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: DONE, PARTIAL, EMPTY or FAILED, and what was missing if anything."""

    state: ItemState
    error: StoriesError | None = None


# --- claiming -----------------------------------------------------------------------------------


def claim(item_id: UUID) -> Claim | None:
    """Take a queued item; None when another worker has it, it was cancelled, or it must wait."""
    now = timezone.now()
    due = Item.objects.due(now).filter(pk=item_id)
    attempt = due.values_list("attempt", flat=True).first()
    if attempt is None:
        return None
    taken = due.filter(attempt=attempt).update(
        state=S.RUNNING,
        attempt=attempt + 1,
        claimed_at=now,
        heartbeat_at=now,
        sent_at=None,
        not_before=None,
        leads=None,
        listed_at=None,
        error_code="",
        error_detail="",
    )
    return Claim(item_id, attempt + 1) if taken else None


def take_turn(item_id: UUID) -> Claim | None:
    """A message about this item arrived: claim it, or the item whose owner was served least.

    Someone who pasted one line while another user's forty were already in the broker goes next.
    The item that gave way is sent again. While TikTok refuses this server everything due is put
    back to wait. None when there is nothing to do.
    """
    now = timezone.now()
    if not Item.objects.due(now).filter(pk=item_id).exists():
        return None
    for chosen in _turns(item_id, now):
        held = claim(chosen)
        if held is None:
            continue
        if chosen != item_id:
            Item.objects.filter(pk=item_id, state=S.QUEUED).update(sent_at=None)
        refused = breaker.probe()
        if refused:
            put_back(held, refused.until, refused.code)
            held = None
        with suppress(OperationalError):  # we have something to do; others are told by the repair
            dispatch()
        return held
    return None


def _turns(item_id: UUID, now: datetime) -> Iterator[UUID]:
    """What to try for, best first. Of threads that choose alike, all but one look again."""
    for _ in range(LOOKS):
        yield from fairest(Item.objects.due(now), 1)
    yield item_id


def move(held: Claim, to: ItemState, **facts: Any) -> bool:
    """Move a claimed item along one edge; False when the claim was lost meanwhile.

    A claim is held only while its item is RUNNING: one that was queued again is no longer ours.
    """
    if to not in EDGES[S.RUNNING]:
        raise ValueError(f"no edge leads from running to {to}")
    return rows_of(held).update(state=to, leads=None, **facts) == 1


def rows_of(held: Claim) -> models.QuerySet[Item]:
    """The claimed item's row; none once the claim was lost."""
    return Item.objects.filter(pk=held.item_id, attempt=held.attempt, state=S.RUNNING)


def holds(held: Claim) -> bool:
    """Is the claim still ours? One small query: asked about once a second while working."""
    return rows_of(held).exists()


def renew(held: Claim) -> bool:
    """A sign of life; False when the claim was lost."""
    return rows_of(held).update(heartbeat_at=timezone.now()) == 1


def lead(held: Claim, what: str) -> bool:
    """Be the one who fetches `what`; False while another running item is. Raises ClaimLost."""
    try:
        with transaction.atomic():
            if not rows_of(held).update(leads=what, listed_at=None):
                raise ClaimLost
    except IntegrityError:
        return False
    return True


@contextmanager
def fenced(held: Claim, *, job_id: UUID | None = None) -> Iterator[None]:
    """A transaction that writes only while the claim is ours. Raises ClaimLost.

    job_id: keeps out the other items of this job, too, for what must be unlike all of theirs.
    """
    with transaction.atomic():
        if job_id is not None:  # before the item's row, as everywhere
            list(Job.objects.select_for_update(no_key=True).filter(pk=job_id).values_list("pk"))
        # The lock keeps a cancel out until we are through; SQLite has one writer anyway.
        if not rows_of(held).select_for_update().values_list("pk", flat=True).first():
            raise ClaimLost
        yield


# --- how an attempt ends ------------------------------------------------------------------------


def finish(held: Claim, outcome: Outcome) -> bool:
    """Settle, or queue again when what is missing may still come. False: the claim was lost."""
    if outcome.error is not None:
        wait_until = _next_attempt(held, outcome.error)
        if wait_until:
            return _wait(held, wait_until, outcome.error)
    return _settle(held, outcome.state, outcome.error)


def fail(held: Claim, error: StoriesError) -> bool:
    """The attempt ended with `error`: settle, or queue again with not_before set.

    What an earlier file of this item saved is kept: then it is PARTIAL, not FAILED.
    """
    wait_until = _next_attempt(held, error)
    if wait_until:
        return _wait(held, wait_until, error)
    saved = Artifact.objects.filter(item_id=held.item_id, role=Role.MEDIA).exists()
    return _settle(held, S.PARTIAL if saved else S.FAILED, error)


def put_back(held: Claim, until: datetime, code: str) -> bool:
    """Queue again without having tried; counts for nothing."""
    moved = move(held, S.QUEUED, **_held_up(until, code))
    hold_all(until, code)
    return moved


def release(held: Claim) -> bool:
    """Queue again at once, tries unchanged: this worker is going away.

    Nothing is sent yet, for this worker might still receive it; it does so as it ends.
    """
    moved = move(held, S.QUEUED, sent_at=None)
    if moved:
        logger.info("item %s released", held.item_id)
    return moved


def hold_all(until: datetime, code: str) -> int:
    """TikTok refuses this server: nothing that is queued need try before `until`."""
    return Item.objects.due(timezone.now()).update(**_held_up(until, code))


def _held_up(until: datetime, code: str) -> dict[str, Any]:
    return {
        "not_before": until, "error_code": code, "error_detail": "", "sent_at": None,
        "refused_since": Coalesce("refused_since", Value(timezone.now())),
    }  # fmt: skip


def resume_all() -> int:
    """TikTok answers again: what waited for that may go on, and has its patience back."""
    waiting = Item.objects.filter(state=S.QUEUED, error_code__in=REFUSALS)
    waiting.update(refused_since=None)
    return waiting.filter(not_before__gt=timezone.now()).update(not_before=None)


def _next_attempt(held: Claim, error: StoriesError) -> datetime | None:
    """When to try again by itself; None when the error is final."""
    item = rows_of(held).values("tries", "refused_since").first()
    if item is None:
        return None
    now = timezone.now()
    if isinstance(error, Refusal):
        until = breaker.open_for(error)
        hold_all(until, error.code)
        return until if now - (item["refused_since"] or now) < PATIENCE else None
    pauses = next((some for cls, some in PAUSES_S.items() if isinstance(error, cls)), ())
    if item["tries"] >= len(pauses):
        return None
    wait_s = max(pauses[item["tries"]], error.retry_after_s or 0.0)
    wait_s *= 1 + random.random() * JITTER  # noqa: S311  # spreads load, guards nothing
    return now + timedelta(seconds=min(wait_s, LONGEST_PAUSE_S))


def _facts(error: StoriesError | None) -> dict[str, str]:
    if error is None:
        return {"error_code": "", "error_detail": ""}
    return {"error_code": error.code, "error_detail": error.detail[:500]}


def _wait(held: Claim, until: datetime, error: StoriesError) -> bool:
    if isinstance(error, Refusal):
        waits = _held_up(until, error.code)
    else:
        waits = {"not_before": until, "sent_at": None, "tries": F("tries") + 1}
        waits["refused_since"] = None
    moved = move(held, S.QUEUED, **(waits | _facts(error)))
    if moved:
        wait_s = (until - timezone.now()).total_seconds()
        logger.info("item %s waits %.0f s: %s", held.item_id, wait_s, error.code)
        dispatch()
    return moved


def _settle(held: Claim, to: ItemState, error: StoriesError | None) -> bool:
    now = timezone.now()
    with transaction.atomic():
        if not move(held, to, settled_at=now, tries=F("tries") + 1, **_facts(error)):
            return False
        leave([held.item_id], S.FAILED, error or Gone(), now)
    logger.info("item %s %s%s", held.item_id, to, f": {error.code}" if error else "")
    close(Job.objects.filter(items=held.item_id), now)
    dispatch()
    return True


def leave(
    item_ids: Sequence[UUID], story_state: ItemState, error: StoriesError, now: datetime
) -> None:
    """Nothing more happens to these items: settle their stories, start the files' clock anew."""
    stories = Story.objects.filter(item__in=item_ids, state__in=OPEN)
    if story_state == S.FAILED:
        media = Artifact.objects.filter(story=OuterRef("pk"), role=Role.MEDIA)
        captured_at = Coalesce("captured_at", Value(now))
        stories.filter(Exists(media)).update(
            state=S.PARTIAL, captured_at=captured_at, **_facts(error)
        )
    stories.update(state=story_state, **_facts(error))
    expires_at = now + settings.STORYKEEP.artifact_ttl
    # A file from an earlier attempt that would outlive the longest it may be kept goes as it would.
    young = Artifact.objects.present(now).filter(
        created_at__gte=expires_at - settings.STORYKEEP.artifact_ttl_max
    )
    young.filter(item__in=item_ids, expires_at__lt=expires_at).update(expires_at=expires_at)


def close(jobs: models.QuerySet[Job], now: datetime) -> int:
    """Close those of the jobs in which nothing is open. Whoever settles the last item does it.

    Called after the settling was committed: of two that settle at once, one sees both.
    """
    still_open = Item.objects.open().filter(job=OuterRef("pk"))
    ids = list(jobs.order_by().values_list("pk", flat=True).distinct())
    return Job.objects.filter(~Exists(still_open), pk__in=ids, settled_at=None).update(
        settled_at=now
    )


# --- what people do -----------------------------------------------------------------------------


def cancel(job: Job) -> int:
    """Stop everything open in this job, for good; how many items that were. Saved files stay."""
    return _cancel(Item.objects.filter(job=job))


def cancel_all(owner_id: Any) -> int:
    """Stop everything this person has open, for good; how many items that were."""
    return _cancel(Item.objects.filter(owner=owner_id))


def cancel_item(item: Item) -> bool:
    """Stop this one item, for good."""
    return bool(_cancel(Item.objects.filter(pk=item.pk)))


def _cancel(items: models.QuerySet[Item]) -> int:
    now = timezone.now()
    stopped: list[UUID] = []
    with transaction.atomic():
        found = items.filter(state__in=OPEN).order_by("pk").select_for_update()
        for item_id in list(found.values_list("pk", flat=True)):
            # One by one, so that an item that settled a moment ago is left as it is.
            stopped += [item_id] * Item.objects.filter(pk=item_id, state__in=OPEN).update(
                state=S.CANCELLED,
                settled_at=now,
                not_before=None,
                leads=None,
                **_facts(Cancelled()),
            )
        leave(stopped, S.CANCELLED, Cancelled(), now)
    close(Job.objects.filter(items__in=stopped), now)
    dispatch()
    return len(stopped)


def retry(job: Job, *, unlimited: bool = False) -> int:
    """A fresh attempt of what failed and may work now; how many items that are.

    Where the owner's limit holds no more, the first ones. Raises QuotaExceeded when it holds none.
    unlimited: whoever runs the instance asks for it.
    """
    return _retry(Item.objects.filter(job=job), job.owner_id, unlimited)


def retry_item(item: Item, *, unlimited: bool = False) -> bool:
    """The same for one item; False when a retry cannot help or it is not settled."""
    return bool(_retry(Item.objects.filter(pk=item.pk), item.owner_id, unlimited))


def retryable(items: models.QuerySet[Item]) -> models.QuerySet[Item]:
    """Those of the items a retry would do something about."""
    helped = [code for code, cls in BY_CODE.items() if cls.retryable]
    return items.filter(Q(state=S.PARTIAL) | Q(state=S.FAILED, error_code__in=helped))


def can_retry(item: Item) -> bool:
    """Would `retry_item` do anything?"""
    error = BY_CODE.get(item.error_code)
    return item.state == S.PARTIAL or (
        item.state == S.FAILED and error is not None and error.retryable
    )


def _retry(items: models.QuerySet[Item], owner_id: Any, unlimited: bool) -> int:
    now = timezone.now()
    with transaction.atomic():
        _lock_jobs(items)
        ids = list(retryable(items).order_by("position").values_list("pk", flat=True))
        if ids and not unlimited:
            ids = ids[: quotas.admit_again(owner_id, len(ids))]
        count = Item.objects.filter(pk__in=ids, state__in=(S.PARTIAL, S.FAILED)).update(
            state=S.QUEUED,
            tries=0,
            asked_at=now,
            settled_at=None,
            sent_at=None,
            not_before=None,
            refused_since=None,
            **_facts(None),
        )
        Job.objects.filter(items__in=ids).update(settled_at=None)
    transaction.on_commit(dispatch, robust=True)
    return count


def _lock_jobs(items: models.QuerySet[Item]) -> None:
    """Jobs before their items, as whoever forgets a job does, or the two would wait for ever."""
    jobs = Job.objects.filter(pk__in=items.order_by().values("job_id")).order_by("pk")
    list(jobs.select_for_update().values_list("pk", flat=True))


def requeue(items: models.QuerySet[Item]) -> int:
    """Try these now, for whoever runs the instance says so; how many items that are.

    In hand, waiting, or failed for whatever reason, even one a retry cannot help: an update may
    have. A worker that has one in hand finds its claim gone within a second and stops. Lines that
    were never understood stay as they are.
    """
    now = timezone.now()
    fresh: dict[str, Any] = {
        "state": S.QUEUED, "tries": 0, "sent_at": None, "not_before": None, "leads": None,
        "refused_since": None, **_facts(None),
    }  # fmt: skip
    with transaction.atomic():
        _lock_jobs(items)
        ids = list(can_requeue(items).values_list("pk", flat=True))
        chosen = Item.objects.filter(pk__in=ids)
        settled = chosen.filter(state__in=(S.PARTIAL, S.FAILED)).update(
            asked_at=now, settled_at=None, **fresh
        )
        # What is open keeps its place in the line, and those settled a moment ago join it below.
        chosen.filter(state__in=OPEN).update(**fresh)
        if settled:
            Job.objects.filter(items__in=ids).update(settled_at=None)
    transaction.on_commit(dispatch, robust=True)
    return len(ids)


def can_requeue(items: models.QuerySet[Item]) -> models.QuerySet[Item]:
    """Those of the items `requeue` would do something about."""
    return items.filter(state__in=sources(S.QUEUED) | {S.QUEUED}).exclude(key="")
