"""Dispatch: tells the broker of a few due items at a time, fairly, and of packages.

The database is the queue; a message in the broker is a turn, whichever item it names. As many items
are marked as sent as there may be messages. One that is lost is sent again by the reaper, and one
that comes twice finds the next item, or nothing to claim.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from enum import Enum, auto
from typing import Any, Final, Literal
from uuid import UUID

from django.db import OperationalError, connection, models, transaction
from django.db.models import Q
from django.utils import timezone

from jobs.models import Item, Package, PackageState
from jobs.queue import broker, turns
from jobs.queue.backoff import requeue_untried
from jobs.queue.claims import Claim, claim
from jobs.queue.fairness import Window, count_sent, fair_order, first_sent, next_line
from jobs.queue.in_hand import Place, in_hand
from jobs.queue.turns import Taken
from jobs.states import ItemState
from jobs.upstream import breaker

S = ItemState

WINDOW: Final = 8
"""The most messages that wait in the broker, so that whoever comes last can still be next."""
REFILL: Final = WINDOW // 2
"""A claim has more messages sent when there is room for so many: one look for several."""
ATTEMPTS: Final = 3
"""Times a thread looks who is next before it takes the item its message was about."""
CHOOSING_S: Final = 1.0
"""Seconds a thread waits for another of its process to choose. Then the database is slow, and who
chooses at once merely looks again."""

_choosing: Final = threading.Lock()


def _window(now: datetime) -> Window:
    """The times between which a message was sent that may still be in the broker.

    None is sent in the future: the clock was set back since.
    """
    return now - broker.EXPIRES_AFTER, now + broker.EXPIRES_AFTER


def _unsent(now: datetime) -> Q:
    """Rows never sent, or too long ago; or in the future, for the clock was set back."""
    after, until = _window(now)
    return Q(sent_at=None) | Q(sent_at__lte=after) | Q(sent_at__gt=until)


def dispatch(now: datetime | None = None) -> int:
    """Tell the broker of due items and packages, a small window of them, fairly.

    How many messages were sent. Safe to call any time; inside a transaction, call it with
    `transaction.on_commit(dispatch, robust=True)`: what was committed stands, and the reaper sends
    what could not be sent now. Never raises when Redis is away.
    """
    now = now or timezone.now()
    if connection.vendor == "postgresql":
        return _send(turns.mark_sent(now, _window(now), WINDOW), _mark_packages_sent(now))
    # Chosen without the database's one write lock, for mostly the window is full, or nobody waits.
    # Two who choose at once choose alike, and one of them finds its rows marked.
    room = WINDOW - count_sent(now, _window(now))
    items = fair_order(now, room, unsent=_window(now)) if room > 0 else []
    packages = list(_waiting_packages(now))
    if not items and not packages:
        return 0
    with transaction.atomic():
        items = _mark_sent(Item, items, now)
        packages = _mark_sent(Package, packages, now)
    return _send(items, packages)


def _waiting_packages(now: datetime) -> models.QuerySet[Any, UUID]:
    """Ids of the packages whose message is to be sent, the oldest first."""
    waiting = Package.objects.filter(_unsent(now), state=PackageState.QUEUED)
    return waiting.order_by("created_at").values_list("pk", flat=True)[:WINDOW]


def _mark_packages_sent(now: datetime) -> list[UUID]:
    """Those of the packages that wait and no other dispatch has locked, marked as sent."""
    packages = list(_waiting_packages(now))  # mostly none
    if packages:
        with transaction.atomic():
            packages = _mark_sent(Package, packages, now)
    return packages


def _mark_sent(model: type[Item] | type[Package], ids: Sequence[UUID], now: datetime) -> list[UUID]:
    """Note that messages are about to be sent; ids of the rows no other dispatch has locked
    (SKIP LOCKED).

    Those others are left out, not waited for: two dispatches that wait for each other's rows would
    wait for ever.
    """
    if not ids:
        return []
    rows: models.QuerySet[Any] = model.objects.filter(_unsent(now), pk__in=ids)
    rows = rows.select_for_update(skip_locked=True)
    # The state is compared here: in the query it has SQLite read all queued rows to find eight.
    locked = {row_id for row_id, state in rows.values_list("pk", "state") if state == S.QUEUED}
    model.objects.filter(pk__in=locked).update(sent_at=now)
    return [row_id for row_id in ids if row_id in locked]


def _send(items: Sequence[UUID], packages: Sequence[UUID]) -> int:
    messages: list[tuple[str, type[Item] | type[Package], UUID]] = [
        (broker.PACK_PACKAGE, Package, package_id) for package_id in packages
    ]
    messages += [(broker.FETCH_ITEM, Item, item_id) for item_id in items]
    sent = 0
    for task, _, row_id in messages:
        if not broker.send(task, row_id):
            break
        sent += 1
    for _, model, row_id in messages[sent:]:
        model.objects.filter(pk=row_id, state=S.QUEUED).update(sent_at=None)
    return sent


def claim_next(item_id: UUID, place: Place) -> Claim | None:
    """A message about this item arrived: claim the item whose owner was served least.

    A single line pasted while another user's forty were already in the broker goes next. While
    TikTok refuses this server the claimed item is put back to wait. None when there is nothing to
    do.

    place: of what is to be claimed, among what this process has in hand. One that is to be tried
    alone is waited for until it is.
    """
    now = timezone.now()
    with _one_at_a_time():
        taken = None if place.must_yield else _choose(item_id, now)
    if isinstance(taken, ToBeAlone):
        taken = _claim_alone(place)
    if taken is None:
        reject_message(item_id)
        return None
    # Of an item that was sent, too, the message is still to come, and is the turn of this one. One
    # that was not may be the very one: then its turn was another's before.
    if not taken.was_sent:
        _give_up_turn(item_id)
    refused = breaker.probe()
    if refused:
        requeue_untried(taken.claim, refused.until, refused.code)
    with suppress(OperationalError):  # we have something to do; the reaper tells the others
        _refill(taken, now)
    return None if refused else taken.claim


def _refill(taken: Taken, now: datetime) -> None:
    """Send more messages when a claim left few, or a package waits."""
    in_broker = taken.in_broker
    if in_broker is None:
        in_broker = count_sent(now, _window(now))
    if WINDOW - in_broker >= REFILL or taken.package_waits:
        dispatch()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Threads of one process choose one after the other: at once they would choose alike."""
    acquired = _choosing.acquire(timeout=CHOOSING_S)
    try:
        yield
    finally:
        if acquired:
            _choosing.release()


class ToBeAlone(Enum):
    """What is next is to be tried with nothing else in hand, and it is time for that."""

    NOW = auto()


def _choose(item_id: UUID, now: datetime) -> Taken | Literal[ToBeAlone.NOW] | None:
    """Claim what is next. Of threads that choose alike, all but one look again."""
    window = _window(now)
    for _ in range(ATTEMPTS):
        if connection.vendor == "postgresql" and (taken := turns.take(now, window)):
            return taken
        line = next_line(now, window=window)
        if line and line.alone:
            line = next_line(now, trusted=True, window=window)
            if _may_be_tried_alone(others_wait=line is not None):
                return ToBeAlone.NOW
        if line is None:
            return None
        if claimed := claim(line.item_id):
            return Taken(claimed, line.was_sent)
    claimed = claim(item_id)
    return Taken(claimed, was_sent=True) if claimed else None


def _may_be_tried_alone(*, others_wait: bool) -> bool:
    """Whether this process is to try a line alone now.

    While others wait, one process does: the rest are for them.
    """
    if not in_hand.may_empty(others_wait=others_wait):
        return False
    return not (others_wait and any(_tried_alone(model).exists() for model in (Item, Package)))


def _tried_alone(model: type[Item] | type[Package]) -> models.QuerySet[Any]:
    rows: models.QuerySet[Any] = model.objects.filter(state=S.RUNNING, deaths__gt=0)
    return rows


def be_alone_in_turn(place: Place) -> bool:
    """Wait for nothing else to be in hand, if it is time for that; False when it is not, or that
    took too long. For a package, which is told to this process by name."""
    others_wait = next_line(timezone.now(), trusted=True) is not None
    return _may_be_tried_alone(others_wait=others_wait) and place.be_alone()


def _claim_alone(place: Place) -> Taken | None:
    """Claim what is next once nothing else is in hand; None when that is not to be had."""
    if not place.be_alone():
        return None
    now = timezone.now()
    line = next_line(now, window=_window(now))
    claimed = claim(line.item_id, alone=True) if line else None
    if line is None or claimed is None or not line.alone:
        place.share()
    return Taken(claimed, line.was_sent) if line and claimed else None


def reject_message(item_id: UUID) -> None:
    """Have another worker told of an item: this one has no place for it, or ends."""
    _give_up_turn(item_id)


def reject_package(package_id: UUID) -> None:
    """Have another worker told of a package: this one has no place for it, or ends."""
    Package.objects.filter(pk=package_id, state=PackageState.QUEUED).update(sent_at=None)


def _give_up_turn(item_id: UUID) -> None:
    """Take back that an item was sent, for its message is used up.

    That of an item that was not sent, or does not wait any more, was the turn of another one that
    is marked as sent: of the one whose message was sent first. A mark whose message has expired
    stands for none any more: freed in place of one that does, it left that one without.
    """
    after, until = window = _window(timezone.now())
    sent = Item.objects.filter(state=S.QUEUED, sent_at__gt=after, sent_at__lte=until)
    first: UUID | None = item_id
    for _ in range(1 + ATTEMPTS):
        # Another process may take it in between. A mark too many is a message nobody sends.
        if first is None or sent.filter(pk=first).update(sent_at=None):
            return
        first = first_sent(window)
