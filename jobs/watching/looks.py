"""Looks at watched accounts: which are due, who makes one, and what came of it.

A look is claimed by a statement, as a line is: it comes twice, late or never, and counts once. One
whose worker died is due again after `LEASE`, a few times. What it found becomes jobs in the
transaction that moves the coverage on, so that a restart in the middle loses nothing and doubles
nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, F, Min, OuterRef, Q
from django.utils import timezone

from jobs.ephemeral import clock
from jobs.errors import WorkerLost
from jobs.models import Item, Watch, WatchedAccount, WatchGap, WatchState
from jobs.queue import broker, routing
from jobs.upstream import breaker
from jobs.watching import coverage, permission, rhythm, telling

logger = logging.getLogger(__name__)

LEASE: Final = timedelta(minutes=5)
"""A look that has not ended after so long was made by a worker that died."""
LOOKED: Final = (WatchState.CHECKING, WatchState.ACTIVE)
"""States in which a watch is looked at."""
MOST_DEATHS: Final = 3
"""A look whose worker died so often in a row waits as one that failed: it may be its doing."""
A_TICK: Final = 10
"""Looks that are sent for at a time."""
REFUSED_KEPT: Final = timedelta(hours=1)
"""So long a watch is shown whose first look said that there is nothing to watch."""
URGENT: Final = timedelta(hours=1)
"""A watch whose time is up so soon goes beside what people asked for, not after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A claimed look. name, tiktok_id, sec_uid: of the account; tiktok_id is "" for one that is
    known by its name alone. began_at: from when on it stands for what the account shows."""

    account_id: UUID
    attempt: int
    look_id: UUID
    began_at: datetime
    name: str
    tiktok_id: str
    sec_uid: str


def tick(now: datetime) -> int:
    """What is due every minute: watches that nobody renewed end, and looks are sent for; how many.

    Safe to run beside another one.
    """
    if not permission.is_on():
        return 0
    _end_impossible_waits(now)
    clock.watch.look()
    if not clock.watch.was_set_forward(clock.HOLD_S):  # else it may not be so late
        _end_unrenewed(now)
        _remove_refused(now)
        telling.tell_ending(now)
        WatchGap.objects.filter(ends_at__lt=now - coverage.KEPT).delete()
    drop_unwatched()
    sent = 0
    for account_id in due(now):
        if not broker.send(routing.LOOK, account_id):
            break
        sent += 1
    return sent


def _end_impossible_waits(now: datetime) -> None:
    """Have accounts looked at whose time is up later than it can be: the clock was set back since,
    and how long they have waited is not known. A gap that ends in the future was none."""
    ahead = Watch.objects.filter(deadline_at__gt=now + rhythm.LONGEST + timedelta(minutes=1))
    if ahead.exists():  # mostly there is none: seen without the database's one write lock
        ahead.filter(state__in=LOOKED).update(next_at=now, deadline_at=now)
        WatchGap.objects.filter(ends_at__gt=now).delete()


def _end_unrenewed(now: datetime) -> None:
    unrenewed = Watch.objects.filter(renew_by__lte=now).exclude(state=WatchState.ENDED)
    for each in _unrenewed(unrenewed):
        with transaction.atomic():
            # WHERE again: it may have been renewed at this moment.
            if unrenewed.select_for_update(of=("self",)).filter(pk=each.pk).exists():
                gap = end(each, "")
                telling.tell_ended([each])
                telling.tell_holes([(each, gap)] if gap else [])


def _unrenewed(watches: models.QuerySet[Watch]) -> list[Watch]:
    return list(watches.select_related("account"))  # mostly none


def drop_unwatched() -> int:
    """Forget accounts that nobody watches any more; how many.

    One that somebody begins to watch at this moment is locked by them, and left.
    """
    unwatched = WatchedAccount.objects.filter(watches=None)
    if not unwatched.exists():  # mostly: seen without the database's one write lock
        return 0
    with transaction.atomic():
        locked = list(
            unwatched.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)
        )
        left = WatchedAccount.objects.filter(pk__in=locked).filter(
            ~Exists(Watch.objects.filter(account=OuterRef("pk")))
        )
        return left.delete()[0]


def _remove_refused(now: datetime) -> None:
    refused = Watch.objects.filter(
        state=WatchState.ENDED, name="", looked_at__lt=now - REFUSED_KEPT
    )
    if refused.exists():  # mostly there is none
        refused.delete()


def end(unwanted: Watch, code: str) -> WatchGap | None:
    """End a watch by itself, and save the hole that is open then, if any, which is returned.

    code: of the error that ends it; "" where nobody renewed it.
    """
    gap = coverage.note_end(unwanted, timezone.now(), looked=bool(code))
    unwanted.state, unwanted.next_at, unwanted.error_code = WatchState.ENDED, None, code
    unwanted.save(update_fields=["state", "next_at", "error_code"])
    return gap


def due(now: datetime, most: int = A_TICK) -> list[UUID]:
    """Ids of the accounts to look at now, the one whose time is up first before the others.

    While TikTok refuses this server there are none; while what people asked for waits, only those
    whose time is nearly up, and those that somebody has just begun to watch.
    """
    if breaker.open_state() is not None:
        return []
    watches = permission.lookable().filter(next_at__lte=now).filter(_unclaimed(now, "account__"))
    if Item.objects.due(now).filter(asked_at__lte=now).exists():
        urgent = Q(deadline_at=None) | Q(deadline_at__lte=now + URGENT)
        # Somebody who asks for a look waits for it as for a line.
        watches = watches.filter(urgent | Q(checked_at__gte=F("next_at")))
    accounts = (
        watches.order_by()
        .values("account")
        .annotate(deadline=Min("deadline_at"), first=Min("next_at"))
        .order_by(F("deadline").asc(nulls_first=True), "first", "account")
    )
    return list(accounts.values_list("account", flat=True)[:most])


def _unclaimed(now: datetime, account: str = "") -> Q:
    """Accounts nobody looks at; a claim in the future was made before the clock was set back."""
    claimed_at = f"{account}claimed_at"
    return (
        Q(**{claimed_at: None})
        | Q(**{f"{claimed_at}__lte": now - LEASE})
        | Q(**{f"{claimed_at}__gt": now})
    )


def claim(account_id: UUID) -> Look | None:
    """Claim a look that is due; None where another worker has it, or nobody wants it any more."""
    now = timezone.now()
    if not permission.lookable().filter(account=account_id, next_at__lte=now).exists():
        return None
    free = WatchedAccount.objects.filter(_unclaimed(now), pk=account_id)
    account = free.first()
    if account is None:
        return None
    attempt = account.attempt + 1
    if not free.filter(attempt=account.attempt).update(attempt=attempt, claimed_at=now):
        return None
    look = Look(
        account_id=account.pk,
        attempt=attempt,
        look_id=uuid4(),
        began_at=now,
        name=account.name,
        tiktok_id=account.tiktok_id,
        sec_uid=account.sec_uid,
    )
    died = account.claimed_at is not None  # the last one has not ended
    return None if died and _is_put_off(look) else look


def _is_put_off(look: Look) -> bool:
    """Count a look whose worker died; whether the account now waits for its next turn."""
    lost = served(look)
    lost.update(failures=F("failures") + 1)
    if lost.filter(failures__lt=MOST_DEATHS).exists():
        return False
    logger.error("a look ended its worker %d times: %s waits", MOST_DEATHS, look.account_id)
    note_failure(look, WorkerLost.code)
    return True


def claimed(look: Look) -> models.QuerySet[WatchedAccount]:
    """The row of the account a look is at; empty once the look is another worker's, or nobody's."""
    return WatchedAccount.objects.filter(
        pk=look.account_id, attempt=look.attempt, claimed_at__isnull=False
    )


def release(look: Look) -> None:
    """Give a look back that was not made: it is due as before."""
    claimed(look).update(claimed_at=None)


def served(look: Look) -> models.QuerySet[Watch]:
    """The watches that a look is made for: those that were due as it began.

    No others, so that nobody can tell from the time of their looks that somebody watches beside
    them; the moments of an account are the same for all (jobs/watching/rhythm.py).
    """
    return permission.lookable().filter(account=look.account_id, next_at__lte=look.began_at)


def note_failure(look: Look, code: str) -> None:
    """End a look that brought no whole list. code: of the error."""
    with transaction.atomic():
        account = claimed(look).select_for_update(no_key=True).first()
        if account is None:
            return
        for watch in served(look).select_for_update():
            watch.looked_at = timezone.now()
            fail(watch, account, code)
            watch.save(update_fields=AFTER_A_LOOK)
        leave(account)


def fail(watch: Watch, account: WatchedAccount, code: str) -> None:
    """Note on a watch, unsaved, that a look brought less than a whole list."""
    watch.failures = min(watch.failures + 1, 1000)
    watch.error_code = code
    plan(watch, account)


def plan(watch: Watch, account: WatchedAccount) -> None:
    """Set when a watch is looked at again; unsaved. For a first look its owner waits."""
    if watch.state == WatchState.CHECKING:
        wait = min(timedelta(minutes=2 ** min(watch.failures, 9)), rhythm.RETRY)
        watch.next_at = timezone.now() + wait
        return
    shortest = settings.STORYKEEP.watch_every_min  # it may be longer now than when this was chosen
    watch.next_at = rhythm.next_look(
        account.tiktok_id or account.name,
        max(timedelta(seconds=watch.every_s), shortest),
        after=timezone.now(),
        failures=watch.failures,
        deadline=watch.deadline_at or watch.created_at + rhythm.LONGEST,
    )


def leave(account: WatchedAccount, **columns: Any) -> None:
    """End the look at an account."""
    WatchedAccount.objects.filter(pk=account.pk).update(
        claimed_at=None, looked_at=timezone.now(), **columns
    )


AFTER_A_LOOK: Final = (
    "account", "state", "next_at", "looked_at", "covered_until", "deadline_at", "seen", "failures",
    "error_code", "name", "nickname",
)  # fmt: skip
"""Columns of a watch that a look writes."""
