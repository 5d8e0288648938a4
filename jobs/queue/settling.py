"""The end of an attempt: the item is settled, or queued again to wait for its next attempt.

Settling an item settles its stories, starts its files' clock anew, and settles its job when that
was the last open item.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from jobs.errors import BY_CODE, REFUSAL_CODES, DiskFault, WorkerLost
from jobs.models import Artifact, Item, Job, Role, Story
from jobs.prepared import PreparedQuery, id_slot
from jobs.queue.backoff import (
    MAX_REFUSAL_WAIT,
    error_fields,
    held_fields,
    next_attempt,
    waits_alone,
)
from jobs.queue.claims import Claim, move
from jobs.queue.notifying import notify
from jobs.queue.transitions import transition
from jobs.states import OPEN, ItemState
from notices import outbox
from stories.errors import Gone, Refusal, StoriesError

logger = logging.getLogger(__name__)
S = ItemState


def _open_besides(_: int) -> models.QuerySet[Item, Any]:
    """Open items of the job of an item, whose id is the argument."""
    job = Item.objects.filter(pk=id_slot(0)).values("job")
    return Item.objects.open().filter(job__in=job).order_by().values_list("attempt")[:1]


_OPEN_BESIDES: Final = PreparedQuery(_open_besides)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an attempt: DONE, PARTIAL, EMPTY or FAILED, and what was missing if anything."""

    state: ItemState
    error: StoriesError | None = None


def finish(claim: Claim, outcome: Outcome) -> bool:
    """Settle the item, or queue it again when what is missing may still come.

    False when the claim was lost.
    """
    if outcome.error is not None:
        wait_until = next_attempt(claim, outcome.error)
        if wait_until:
            return _wait(claim, wait_until, outcome.error)
    return _settle(claim, outcome.state, outcome.error)


def fail(claim: Claim, error: StoriesError) -> bool:
    """End the attempt with `error`: settle the item, or queue it again with `not_before` set.

    An item that has saved files is settled as PARTIAL, not FAILED, and one that asks for nothing as
    EMPTY. False when the claim was lost.
    """
    wait_until = next_attempt(claim, error)
    if wait_until:
        return _wait(claim, wait_until, error)
    return _settle(claim, _short_state(claim.item_id, error), error)


def _short_state(item_id: UUID, error: StoriesError | None = None) -> ItemState:
    """PARTIAL for an item that ever saved media, else FAILED; EMPTY if nothing was asked for."""
    if Artifact.objects.filter(item_id=item_id, role=Role.MEDIA).exists():
        return S.PARTIAL
    return S.EMPTY if error is not None and error.nothing_to_save else S.FAILED


def _wait(claim: Claim, until: datetime, error: StoriesError) -> bool:
    if isinstance(error, Refusal) or waits_alone(error):
        fields = held_fields(until, error.code)
    else:
        fields = {"not_before": until, "sent_at": None, "refused_since": None}
        if not isinstance(error, DiskFault):  # our own fault uses up nobody's tries
            fields["tries"] = F("tries") + 1
    moved = move(claim, S.QUEUED, **(fields | error_fields(error)))
    if moved:
        wait_s = (until - timezone.now()).total_seconds()
        logger.info("item %s waits %.0f s: %s", claim.item_id, wait_s, error.code)
    return moved


def _settle(claim: Claim, to: ItemState, error: StoriesError | None) -> bool:
    now = timezone.now()
    error = error.when_final() if error else None
    with transaction.atomic():
        fields: dict[str, Any] = {"settled_at": now, "tries": F("tries") + 1}
        if not isinstance(error, WorkerLost):  # which is tried alone again, should someone ask
            fields |= {"deaths": 0, "outages": 0}
        if not move(claim, to, **fields, **error_fields(error)):
            return False
        if to != S.DONE:  # of which no story is open
            close_open_stories([claim.item_id], S.FAILED, error or Gone())
        restart_expiry([claim.item_id], now)
    logger.info("item %s %s%s", claim.item_id, to, f": {error.code}" if error else "")
    # Mostly another line of the job is open; asked after the commit, as that is.
    if _OPEN_BESIDES.first(claim.item_id) is None:
        settle_finished_jobs(Job.objects.filter(items=claim.item_id), now)
    return True


def settle_stories(
    item_ids: Sequence[UUID], story_state: ItemState, error: StoriesError, now: datetime
) -> None:
    """Settle the open stories of settled items, and restart the expiry of their files.

    story_state, error: as for `close_open_stories`.
    """
    close_open_stories(item_ids, story_state, error)
    restart_expiry(item_ids, now)


def close_open_stories(
    item_ids: Sequence[UUID], story_state: ItemState, error: StoriesError
) -> None:
    """Settle the open stories of settled items.

    story_state: FAILED or CANCELLED; with FAILED, stories that saved media become PARTIAL. error:
    stored on each.
    """
    stories = Story.objects.filter(item__in=item_ids, state__in=OPEN)
    if story_state == S.FAILED:
        media = Artifact.objects.filter(story=OuterRef("pk"), role=Role.MEDIA)
        captured_at = Coalesce("captured_at", Value(timezone.now()))
        stories.filter(Exists(media)).update(
            state=S.PARTIAL, captured_at=captured_at, **error_fields(error)
        )
    stories.update(state=story_state, **error_fields(error))


def restart_expiry(item_ids: Sequence[UUID], now: datetime) -> None:
    """Have the files of settled items expire as if they had been saved now."""
    expires_at = now + settings.STORYKEEP.artifact_ttl
    # A file from an earlier attempt that would outlive the longest it may be kept goes as it would.
    young = Artifact.objects.present(now).filter(
        created_at__gte=expires_at - settings.STORYKEEP.artifact_ttl_max
    )
    young.filter(item__in=item_ids, expires_at__lt=expires_at).update(expires_at=expires_at)


def settle_finished_jobs(jobs: models.QuerySet[Job], now: datetime) -> int:
    """Settle those of the jobs in which no item is open, and tell their owners, where these want to
    be told; how many jobs that were. Two statements where nobody does.

    Call it after the last item's settling was committed: of two items that settle at once, one call
    sees both.
    """
    still_open = Item.objects.open().filter(job=OuterRef("pk"))
    ids = jobs.order_by().values("pk")
    finished = Job.objects.filter(~Exists(still_open), pk__in=ids, settled_at=None)
    if not outbox.is_used():
        return finished.update(settled_at=now)
    with transaction.atomic():  # no job settles without its message
        count = finished.update(settled_at=now)
        if count:
            notify(Job.objects.filter(settled_at=now), now)
    return count


# --- what the reaper puts right -------------------------------------------------------------------


def settle_overlooked_jobs(now: datetime) -> int:
    """Settle jobs whose last item settled without them, and reopen those settled too early.

    How many were settled. A job is settled too early when a retry crosses with its settling.
    """
    still_open = Exists(Item.objects.open().filter(job=OuterRef("pk")))
    unsettled = Job.objects.filter(settled_at=None).exclude(items=None)
    count = settle_finished_jobs(unsettled.filter(~still_open), now)
    # From the open lines, which are few, and not from all the jobs that ever settled.
    of_open_items = Item.objects.open().order_by().values("job")
    reopened = Job.objects.filter(pk__in=of_open_items, settled_at__isnull=False)
    reopened_ids = list(reopened.values_list("pk", flat=True))
    if reopened_ids:
        Job.objects.filter(still_open, pk__in=reopened_ids).update(settled_at=None)
    return count


def give_up_waiting(now: datetime) -> int:
    """Settle items that have waited for TikTok for `MAX_REFUSAL_WAIT`; how many that were."""
    tired = Item.objects.filter(
        state=S.QUEUED,
        error_code__in=REFUSAL_CODES,
        refused_since__lte=now - MAX_REFUSAL_WAIT,
    )
    count = 0
    for item_id, attempt in list(tired.values_list("pk", "attempt")):
        with transaction.atomic():
            row = Item.objects.filter(pk=item_id, attempt=attempt, state=S.QUEUED)
            settled = transition(row, _short_state(item_id), settled_at=now, not_before=None)
            if settled:
                code = Item.objects.values_list("error_code", flat=True).get(pk=item_id)
                settle_stories([item_id], S.FAILED, BY_CODE[code](), now)
        if settled:
            count += 1
            settle_finished_jobs(Job.objects.filter(items=item_id), now)
    return count
