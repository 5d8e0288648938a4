"""What came of a look that brought a list: jobs for whoever watches, coverage, the next look.

All of it is one transaction, fenced by the look's claim.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from jobs.errors import DiskFull, QuotaExceeded
from jobs.models import Job, Watch, WatchedAccount, WatchGap, WatchState
from jobs.queue.dispatch import dispatch
from jobs.queue.found import (
    Found,
    keep_longer,
    retry_listed,
    saved_already,
    submit_found,
)
from jobs.text import clean_text
from jobs.watching import coverage, looks, losses, telling
from jobs.watching.looks import AFTER_A_LOOK, Look
from stories.left_out import ERRORS, INCOMPLETE, LeftOutReason
from stories.structures import Author, Story

logger = logging.getLogger(__name__)

SEEN_FOR: Final = timedelta(hours=48)
"""Twice a story's life: so long its id is kept, to tell it from a new one."""
_UNSAVABLE: Final = INCOMPLETE | {
    LeftOutReason.UNREADABLE,
    LeftOutReason.NO_MEDIA,
    LeftOutReason.NOT_READY,
}
"""Reasons after which something that everyone may see was not seen: the list is not whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A list as a look brought it. left_out: reason -> how many stories; error: why it is not
    whole although nothing is left out."""

    author: Author
    stories: Sequence[Story]
    left_out: Mapping[LeftOutReason, int] = field(default_factory=dict)
    error_code: str = ""

    @property
    def code(self) -> str:
        """The code of the error that keeps it from being whole; "" for a whole list."""
        if self.error_code:
            return self.error_code
        return next((ERRORS[reason].code for reason in ERRORS if reason in self._short), "")

    @property
    def _short(self) -> frozenset[LeftOutReason]:
        return _UNSAVABLE & self.left_out.keys()


@dataclass(slots=True, kw_only=True)
class Consequences:
    """What people may want to know of a look.

    jobs, gaps: by watch. renamed: with the name its owner knew. ended: watches that ended with it.
    """

    jobs: list[tuple[Watch, Job]] = field(default_factory=list)
    gaps: list[tuple[Watch, WatchGap]] = field(default_factory=list)
    renamed: list[tuple[Watch, str]] = field(default_factory=list)
    ended: list[Watch] = field(default_factory=list)


def note_list(look: Look, sight: Sight) -> Consequences | None:
    """End a look with the list it brought; None where it was no longer ours."""
    told = Consequences()
    with transaction.atomic():
        _lock_in_order(look, sight.author)
        account = looks.claimed(look).first()
        if account is None:
            return None
        ids = list(looks.served(look).values_list("pk", flat=True))
        if not account.tiktok_id:
            account, ids = _identify(account, sight.author, ids)
        # One that was paused while TikTok was asked stays paused.
        watches = Watch.objects.select_related("owner").filter(pk__in=ids, state__in=looks.LOOKED)
        # By owner: their rows are locked on the way, and two looks may share two of them.
        for watch in watches.order_by("owner", "pk").select_for_update(of=("self",)):
            _note(watch, account, look, sight, told)
        columns = {} if sight.code else {"complete_at": look.began_at}
        looks.leave(account, **_account_columns(sight.author), **columns)
        telling.tell_renamed(told.renamed, sight.author.name)
        telling.tell_holes(told.gaps)
        if told.jobs:
            transaction.on_commit(dispatch, robust=True)
    if not look.tiktok_id:  # its name may have turned out to be an account that is watched
        looks.drop_unwatched()
    return told


def note_gone(look: Look, code: str) -> Consequences | None:
    """End a look whose account is private or gone, and the watches it was made for with it.

    The others end with a look of their own: else they would tell that somebody else watches.
    """
    told = Consequences()
    with transaction.atomic():
        account = looks.claimed(look).select_for_update(no_key=True).first()
        if account is None:
            return None
        left = looks.served(look).select_related("account")
        for watch in left.select_for_update(of=("self",)):
            watch.looked_at = timezone.now()
            watch.save(update_fields=["looked_at"])
            gap = looks.end(watch, code)
            told.gaps += [(watch, gap)] if gap else []
            told.ended.append(watch)
        telling.tell_ended(told.ended)
        telling.tell_holes(told.gaps)
        looks.leave(account)
    return told


def _note(
    watch: Watch, account: WatchedAccount, look: Look, sight: Sight, told: Consequences
) -> None:
    now = timezone.now()
    watch.account, watch.looked_at = account, now
    columns = _account_columns(sight.author)
    if watch.name and watch.name != columns["name"]:
        told.renamed.append((watch, watch.name))
    watch.name, watch.nickname = columns["name"], columns["nickname"]
    listed = [story.id for story in sight.stories]
    lost = losses.unsaved(watch, look.began_at)
    told.gaps += [(watch, h) for h in losses.note_holes(watch, lost, listed, look.began_at)]
    # What was not listed when it was to be fetched, and is again, is new.
    again = {story_id for story_id, story in lost.items() if story.gone}
    # What is listed stays known, also while this machine's clock is days ahead.
    seen = _still_of_use(watch.seen, look.began_at) | (set(watch.seen) & set(listed))
    seen -= again
    new = [story for story in sight.stories if story.id not in seen]
    have = saved_already(watch.owner_id, [story.id for story in new], now) if new else set()
    if len(new) < len(sight.stories):  # seen before, and perhaps not saved since
        retry_listed(watch.pk, listed, now)
    if have:
        keep_longer(watch.owner_id, have, now)
    wanted = [story for story in new if story.id not in have]
    code = sight.code
    if wanted:
        found = Found(look_id=look.look_id, author=sight.author, stories=wanted)
        try:
            with transaction.atomic():
                job = submit_found(
                    watch.owner,
                    found,
                    now=now,
                    note=watch.note,
                    time_zone=watch.time_zone,
                    watch=watch,
                )
        except (QuotaExceeded, DiskFull) as error:
            # Not seen, then: the next look finds them again. Nor is this time covered.
            code = error.code
        else:
            told.jobs.append((watch, job))
            have |= {story.id for story in wanted}
    watch.seen = sorted(seen | have)
    watch.state = WatchState.ACTIVE
    if code:
        looks.fail(watch, account, code)
    else:
        gap = coverage.note_whole_list(watch, look.began_at)
        if gap is not None:
            told.gaps.append((watch, gap))
        watch.failures, watch.error_code = 0, ""
        looks.plan(watch, account)
    watch.save(update_fields=AFTER_A_LOOK)


def _still_of_use(ids: Iterable[str], now: datetime) -> set[str]:
    """The ids of stories that were posted within `SEEN_FOR`: an id tells when that was."""
    oldest = int((now - SEEN_FOR).timestamp())
    kept = set()
    for story_id in ids:
        with suppress(ValueError):
            if int(story_id) >> 32 >= oldest:
                kept.add(story_id)
    return kept


def _lock_in_order(look: Look, author: Author) -> None:
    """Lock the account of a look, and the one it may turn out to be, as whoever locks several does:
    the other order could deadlock."""
    either = Q(pk=look.account_id) | Q(tiktok_id=author.id)
    accounts = WatchedAccount.objects.filter(either).order_by("pk")
    list(accounts.select_for_update(no_key=True).values_list("pk"))


def _identify(
    account: WatchedAccount, author: Author, ids: Sequence[UUID]
) -> tuple[WatchedAccount, list[UUID]]:
    """The account a name turned out to be, and the watches the look is made for.

    Where somebody watches that account already, the name's row goes and its watches go there.
    """
    try:
        with transaction.atomic():
            account.tiktok_id = author.id
            account.save(update_fields=["tiktok_id"])
    except IntegrityError:
        known = WatchedAccount.objects.select_for_update(no_key=True).get(tiktok_id=author.id)
        return known, _move_watches(account, known, ids)
    return account, list(ids)


def _move_watches(name: WatchedAccount, known: WatchedAccount, ids: Sequence[UUID]) -> list[UUID]:
    moved = []
    for watch in list(name.watches.select_for_update()):
        earlier = known.watches.filter(owner=watch.owner_id).select_for_update().first()
        if earlier is None:
            _move(watch, known)
        elif earlier.state == WatchState.ENDED:
            # Begun anew: what was seen stays known. Nobody watched in between, so that is no hole.
            watch.seen = earlier.seen
            WatchGap.objects.filter(watch=earlier).update(watch=watch)
            Job.with_erased.filter(watch=earlier).update(watch=watch)
            earlier.delete()
            _move(watch, known)
        else:
            # Watched already, by the name it had before: the wishes are the newer ones.
            earlier.every_s, earlier.note = watch.every_s, watch.note
            earlier.notify, earlier.renew_by = watch.notify, watch.renew_by
            earlier.state, earlier.next_at = WatchState.ACTIVE, watch.next_at
            earlier.save(update_fields=_WISHES)
            watch.delete()
            watch = earlier
        if watch.pk in ids or watch is earlier:
            moved.append(watch.pk)
    return moved  # the name's row goes with the others that nobody watches


_WISHES: Final = ("every_s", "note", "notify", "renew_by", "state", "next_at")


def _move(watch: Watch, account: WatchedAccount) -> None:
    watch.account = account
    watch.save(update_fields=["account", "seen"])


def _account_columns(author: Author) -> dict[str, str]:
    return {
        "name": author.name[:64],
        "nickname": clean_text(author.nickname, 200),
        "sec_uid": (author.sec_uid or "")[:200],
    }
