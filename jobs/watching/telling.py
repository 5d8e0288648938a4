"""What people are told of their watches: new names, ends, holes, and that one ends soon.

What a look found is told by the job it becomes (jobs/queue/notifying.py). All of it is put into the
outbox in the transaction of what happened.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from jobs.models import Watch, WatchGap, WatchState
from jobs.watching import permission
from notices import outbox
from notices.kinds import Kind
from notices.outbox import News
from stories.errors import NoSuchAccount, PrivateAccount

RENEW_SOON: Final = timedelta(days=3)
"""So long before it ends its owner is reminded."""
PATH: Final = "watching/"
_WHY: Final = {PrivateAccount.code: "private", NoSuchAccount.code: "gone", "": "lapsed"}


def tell_ended(watches: Iterable[Watch]) -> int:
    """Tell the owners of watches that ended by themselves; how many messages. Reads their accounts.

    Nobody is told of a first look that said no: they have just asked for it, and see it.
    """
    return outbox.add_all(
        [
            _news(
                watch,
                Kind.WATCH_ENDED,
                f"{watch.renew_by:%Y%m%d%H%M%S}",
                author=watch.known_name,
                why=_WHY.get(watch.error_code, ""),
            )
            for watch in watches
            if watch.name or not watch.error_code
        ]
    )


def tell_renamed(watches: Iterable[tuple[Watch, str]], new: str) -> int:
    """Tell that a watched account has a new name. How many messages.

    watches: each with the name its owner knew.
    """
    now = timezone.now()  # an account may have a name it had before
    return outbox.add_all(
        [
            _news(watch, Kind.WATCH_RENAMED, f"{new}:{now.isoformat()}", old=old, new=new)
            for watch, old in watches
        ]
    )


def tell_holes(gaps: Iterable[tuple[Watch, WatchGap]]) -> int:
    """Tell of times that were not covered, with the next message; how many. Not of a watch whose
    finds are not told either."""
    return outbox.add_all(
        [
            _news(
                watch,
                Kind.WATCH_HOLE,
                gap.begins_at.isoformat(),
                author=watch.known_name,
                since=gap.begins_at.isoformat(),
                until=gap.ends_at.isoformat(),
            )
            for watch, gap in gaps
            if watch.notify
        ]
    )


def tell_ending(now: datetime) -> int:
    """Tell of watches that end soon unless they are renewed, once each; how many messages. Not who
    may watch no longer: they cannot renew.

    One that is just being looked at, renewed or deleted is left to the next minute.
    """
    if not outbox.is_used():
        return 0
    soon = Watch.objects.filter(renew_by__gt=now, renew_by__lte=now + RENEW_SOON)
    ending = soon.exclude(state=WatchState.ENDED).filter(permission.of_allowed())
    if not ending.exists():  # mostly: seen without the database's one write lock
        return 0
    with transaction.atomic():
        # Locked, so that whoever deletes one forgets what is told of it as well.
        left = ending.select_for_update(of=("self",), skip_locked=True).select_related("account")
        return outbox.add_all(
            [
                _news(
                    watch,
                    Kind.WATCH_RENEW_SOON,
                    f"{watch.renew_by:%Y%m%d%H%M%S}",
                    author=watch.known_name,
                    until=watch.renew_by.isoformat(),
                )
                for watch in left
            ]
        )


def forget(watch_ids: Iterable[UUID]) -> None:
    """Remove what was told, or is to be told, of watches that were deleted in this transaction.

    After that, not before: what somebody tells of one meanwhile is there by then.
    """
    outbox.forget([watch_id.hex for watch_id in watch_ids])


def _news(watch: Watch, kind: Kind, what: str, **facts: Any) -> News:
    return News(
        owner_id=watch.owner_id,
        kind=kind,
        key=f"watch:{watch.pk}:{kind}:{what}",
        facts=facts,
        path=PATH,
        topic=watch.pk.hex,
    )
