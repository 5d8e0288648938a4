"""Whose turn it is: members one after the other, each of them by one thread at a time.

A receiver may say nothing for as long as a try can take. Its member has one delivery in hand at
most, and so has its host, whosever it is: the other threads are left to everybody else.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from django.db.models import Min, QuerySet

from notices.kinds import DeliveryState, Way
from notices.models import Delivery, Preference, PushSubscription
from notices.planning import schedule_of

TURN: Final = timedelta(seconds=15)
"""After so long, what was told meanwhile is put together before anything more is sent."""


class Place(NamedTuple):
    """Where a member has deliveries due: the columns of `Delivery`, and when the first was."""

    owner_id: int
    way: str
    target: str
    label: str
    first: datetime

    def held(self) -> set[int | str]:
        """What nobody else may have in hand meanwhile: the member, and the webhook's host or the
        channel. Push services take many at once."""
        if self.way == Way.PUSH:
            return {self.owner_id}
        return {self.owner_id, f"{self.way}:{self.target or self.label}"}


@dataclass(slots=True)
class Turns:
    """What the threads of one process have in hand, and who was served when."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _in_hand: set[int | str] = field(default_factory=set)
    _served: dict[int, int] = field(default_factory=dict)
    _count: int = 0

    def take(self, due: QuerySet[Delivery]) -> Place | None:
        """The place whose turn it is: of who was served longest ago; None where there is none that
        is free. To be released."""
        rows = due.values_list("owner_id", "way", "target", "label")
        places = [Place(*row) for row in rows.annotate(first=Min("not_before")).order_by()]
        with self._lock:
            free = [place for place in places if not place.held() & self._in_hand]
            if not free:
                return None
            chosen = min(
                free, key=lambda place: (self._served.get(place.owner_id, 0), place.first, place)
            )
            self._count += 1
            self._served[chosen.owner_id] = self._count
            self._in_hand |= chosen.held()
            return chosen

    def release(self, place: Place) -> None:
        """Nobody has it in hand any more."""
        with self._lock:
            self._in_hand -= place.held()


def first_at(place: Place, due: QuerySet[Delivery]) -> Delivery | None:
    """The delivery of this place that waits longest; None when another worker was quicker."""
    rows = due.filter(
        owner_id=place.owner_id, way=place.way, target=place.target, label=place.label
    )
    return rows.order_by("not_before", "created_at", "pk").first()


def rest(row: Delivery, wait: timedelta, now: datetime) -> None:
    """Let all that waits for the place of this delivery wait so long, and out of quiet hours.

    A webhook rests for its member alone: at the same host, that of another one may be well. A
    channel and a push service rest for everybody.
    """
    waiting = Delivery.objects.filter(
        state=DeliveryState.WAITING, way=row.way, not_before__lt=now + wait
    )
    if row.way == Way.WEBHOOK:
        waiting = waiting.filter(owner_id=row.owner_id)
    elif row.way == Way.CHANNEL:
        waiting = waiting.filter(target=row.target)
    else:
        waiting = waiting.filter(target__in=_devices_beside(row.target))
    owners = waiting.values_list("owner_id", flat=True)
    for preference in list(Preference.objects.filter(pk__in=owners)):
        at = schedule_of(preference).outside_quiet(now + wait)
        waiting.filter(owner_id=preference.pk).update(not_before=at)


def _devices_beside(target: str) -> list[str]:
    """Devices whose messages go to the same push service as those of this one."""
    endpoint = PushSubscription.objects.filter(pk=target).values_list("endpoint", flat=True).first()
    if endpoint is None:
        return [target]
    host = urlsplit(endpoint).netloc
    beside = PushSubscription.objects.filter(endpoint__startswith=f"https://{host}/")
    return [str(pk) for pk in beside.values_list("pk", flat=True)]
