"""From the outbox to deliveries: what is due to a member is put together, one for each way.

A batch and its deliveries come into being in one transaction, so no message is in two of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from notices.kinds import AT_ONCE, Kind, Way
from notices.models import Delivery, Message, Preference, PushSubscription, Webhook
from notices.schedule import Schedule

MEMBERS_AT_ONCE: Final = 50
"""Members that are planned for at one call; the others are due at the next."""
MESSAGES_AT_ONCE: Final = 200
"""Messages that are put together at most, and as many that ride along."""
RIDES_FOR: Final = timedelta(days=1)
"""What goes along with the next message is one itself once it has waited so long for it."""
FARTHEST: Final = timedelta(hours=26)
"""No message waits longer for its hour: one that says so was put off by a clock that was wrong."""
KEPT: Final = timedelta(days=7)
"""Messages and deliveries are kept so long once they ended: what was given up is shown, and nothing
is told twice."""


def plan(now: datetime) -> int:
    """Make deliveries of what is due; how many members are told something. Safe to run twice at
    once."""
    _let_off(now)
    due = Message.objects.filter(batch=None, rides=False).filter(
        Q(not_before__lte=now) | Q(not_before__gt=now + FARTHEST)
    )
    owner_ids = due.order_by("not_before").values_list("owner_id", flat=True)[:MESSAGES_AT_ONCE]
    members = list(dict.fromkeys(owner_ids))[:MEMBERS_AT_ONCE]
    preferences = Preference.objects.select_related("channel", "owner").in_bulk(members)
    return sum(_plan_for(owner_id, preferences.get(owner_id), now) for owner_id in members)


def _let_off(now: datetime) -> None:
    """Have what rides be told by itself: it has waited long enough, or its member has one message a
    day, in which it has its place whatever else there is."""
    daily = Preference.objects.filter(pk=OuterRef("owner_id"), digest_hour__isnull=False)
    riding = Message.objects.filter(batch=None, rides=True)
    waited = riding.filter(Q(created_at__lte=now - RIDES_FOR) | Exists(daily))
    if waited.exists():  # mostly there is none: seen without the database's one write lock
        waited.update(rides=False, not_before=now)


def _plan_for(owner_id: int, preference: Preference | None, now: datetime) -> bool:
    waiting = Message.objects.filter(owner_id=owner_id, batch=None)
    if preference is None or not preference.owner.is_active:  # they changed their mind meanwhile
        waiting.delete()
        return False
    planned = False
    for message_id in list(
        waiting.filter(kind__in=AT_ONCE).values_list("pk", flat=True)[:MESSAGES_AT_ONCE]
    ):
        planned |= _put_together([message_id], preference, now, told=False)
    # In the order they came in; what rides along does not say when, and takes nobody's place.
    first = waiting.exclude(kind__in=AT_ONCE).order_by("created_at", "pk")
    rows = list(first.filter(rides=False).values_list("pk", "created_at")[:MESSAGES_AT_ONCE])
    if not rows:
        return planned
    at = schedule_of(preference).next_at(now, min(created for _, created in rows))
    if at > now:
        waiting.filter(rides=False).update(not_before=at)
        return planned
    riders = list(first.filter(rides=True).values_list("pk", flat=True)[:MESSAGES_AT_ONCE])
    return _put_together([*(pk for pk, _ in rows), *riders], preference, now, told=True) or planned


def _put_together(
    message_ids: list[uuid.UUID], preference: Preference, now: datetime, *, told: bool
) -> bool:
    batch = uuid.uuid4()
    with transaction.atomic():
        messages = Message.objects.filter(pk__in=message_ids, batch=None)
        if not messages.update(batch=batch):  # another worker was quicker
            return False
        kinds = Message.objects.filter(batch=batch).values_list("kind", "facts")
        only = next((facts.get("way") for kind, facts in kinds if kind == Kind.TEST), None)
        deliveries = [
            Delivery(
                owner_id=preference.owner_id,
                batch=batch,
                way=way,
                target=target,
                label=label,
                created_at=now,
                not_before=now,
            )
            for way, target, label in _destinations(preference)
            if only in {None, way}
        ]
        Delivery.objects.bulk_create(deliveries)
        if told:
            Preference.objects.filter(pk=preference.pk).update(told_at=now)
    return bool(deliveries)


def _destinations(preference: Preference) -> Iterable[tuple[Way, str, str]]:
    """Each way to a member: which device or channel, and its name."""
    devices = PushSubscription.objects.filter(owner_id=preference.owner_id).order_by("pk")
    for pk, device in devices.values_list("pk", "device"):
        yield Way.PUSH, str(pk), device
    if preference.channel is not None:
        yield Way.CHANNEL, str(preference.channel.pk), preference.channel.name
    for host in Webhook.objects.filter(pk=preference.owner_id).values_list("host", flat=True):
        yield Way.WEBHOOK, "", host[:100]


def schedule_of(preference: Preference) -> Schedule:
    """The hours of a member."""
    return Schedule(
        zone=zone_of(preference),
        digest_hour=preference.digest_hour,
        quiet_from=preference.quiet_from,
        quiet_until=preference.quiet_until,
        told_at=preference.told_at,
    )


def zone_of(preference: Preference) -> tzinfo:
    """The zone of a member's hours; the instance's where none is known."""
    try:
        return ZoneInfo(preference.time_zone) if preference.time_zone else _instances_zone()
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
        return _instances_zone()


def _instances_zone() -> tzinfo:
    return timezone.get_default_timezone()


def plan_anew(owner_id: int, now: datetime) -> None:
    """Have what waits looked at once more: its member chose other hours."""
    Message.objects.filter(owner_id=owner_id, batch=None).update(not_before=now)


def prune(now: datetime) -> None:
    """Remove what is older than KEPT. What waits is not: it is sent or given up first
    (`notices.delivering.give_up_old`), and then kept as long, for its member to see why."""
    old = now - KEPT
    Delivery.objects.filter(created_at__lt=old, ended_at__lt=old).delete()
    is_kept = Exists(Delivery.objects.filter(batch=OuterRef("batch")))
    waits = Q(batch=None, rides=False)
    Message.objects.filter(~waits, ~is_kept, created_at__lt=old).delete()
