"""Who is next: the broker is told of a few due items at a time, fairly, and of packages.

The database is the queue; the broker carries turns. A message that is lost is sent again by
`repairs`, and one that comes twice finds nothing to claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import models, transaction
from django.db.models import Count, OuterRef, Q, Subquery, Value, Window
from django.db.models.functions import Coalesce, RowNumber
from django.utils import timezone

from jobs.models import Item, Package, PackageState
from jobs.queue import broker
from jobs.states import ItemState

S = ItemState

WINDOW: Final = 8
"""At most this many messages wait in the broker, so that whoever comes last can still be next."""


def _unsent(now: datetime) -> Q:
    """Never sent, or too long ago; or in the future, for the clock was set back."""
    long_ago = Q(sent_at__lte=now - broker.EXPIRES_AFTER) | Q(
        sent_at__gt=now + broker.EXPIRES_AFTER
    )
    return Q(sent_at=None) | long_ago


def fairest(items: models.QuerySet[Item], limit: int) -> list[UUID]:
    """The items whose owners have the fewest running or ahead in line; then the oldest."""
    owners = items.order_by().values_list("owner_id", flat=True).distinct()
    if len(owners[:2]) < 2:  # mostly nobody else is there, and then the oldest is next
        oldest = items.order_by("asked_at", "position", "pk")
        return list(oldest.values_list("pk", flat=True)[:limit])
    running = (
        Item.objects.filter(owner=OuterRef("owner"), state=S.RUNNING)
        .order_by()
        .values("owner")
        .annotate(count=Count("pk"))
        .values("count")
    )
    in_line = Window(RowNumber(), partition_by="owner_id", order_by=["asked_at", "position", "pk"])
    turn = in_line + Coalesce(Subquery(running), Value(0))
    ordered = items.annotate(turn=turn).order_by("turn", "asked_at", "position", "pk")
    return list(ordered.values_list("pk", flat=True)[:limit])


def dispatch(now: datetime | None = None) -> int:
    """Tell the broker of due items and packages, a small window of them, fairly.

    How many messages were sent. Safe to call any time; inside a transaction, call it with
    `transaction.on_commit(dispatch, robust=True)`: what was committed stands, and the repair sends
    what could not be sent now. Never raises when Redis is away.
    """
    now = now or timezone.now()
    due = Item.objects.due(now)
    untold = due.filter(_unsent(now))
    waiting = Package.objects.filter(_unsent(now), state=PackageState.QUEUED)
    # Mostly there is nothing to tell: seen without asking for the database's one write lock.
    if not untold.exists() and not waiting.exists():
        return 0
    with transaction.atomic():
        room = WINDOW - due.exclude(_unsent(now)).count()
        items = _mark(Item, fairest(untold, room), now) if room > 0 else []
        oldest = waiting.order_by("created_at").values_list("pk", flat=True)[:WINDOW]
        packages = _mark(Package, list(oldest), now)
    return _send(items, packages)


def _mark(model: type[Item] | type[Package], ids: Sequence[UUID], now: datetime) -> list[UUID]:
    """Note that these are about to be sent; what another dispatch has in hand is left out.

    Left out, not waited for: two that wait for each other's rows would wait for ever.
    """
    rows: models.QuerySet[Any] = model.objects.filter(_unsent(now), pk__in=ids, state=S.QUEUED)
    held = set(rows.select_for_update(skip_locked=True).values_list("pk", flat=True))
    model.objects.filter(pk__in=held).update(sent_at=now)
    return [one for one in ids if one in held]


def _send(items: Sequence[UUID], packages: Sequence[UUID]) -> int:
    left: list[tuple[str, type[Item] | type[Package], UUID]] = [
        (broker.PACK_PACKAGE, Package, package_id) for package_id in packages
    ]
    left += [(broker.FETCH_ITEM, Item, item_id) for item_id in items]
    sent = 0
    for task, _, row_id in left:
        if not broker.send(task, row_id):
            break
        sent += 1
    for _, model, row_id in left[sent:]:
        model.objects.filter(pk=row_id, state=S.QUEUED).update(sent_at=None)
    return sent


def decline(row_id: UUID) -> None:
    """A message came to a worker that is going away: somebody else is to be told."""
    Item.objects.filter(pk=row_id, state=S.QUEUED).update(sent_at=None)
    Package.objects.filter(pk=row_id, state=PackageState.QUEUED).update(sent_at=None)
