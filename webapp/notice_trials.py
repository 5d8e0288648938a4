"""Tests of a way to be told: one is sent, and what became of it is shown beside its button."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from django.utils import timezone

from notices import outbox
from notices.kinds import DeliveryState, Kind, Way
from notices.models import Delivery, Message, Preference, PushSubscription, Webhook
from notices.outbox import News

EVERY_S: Final = 10
"""Seconds within which a second test to the same place is the same one."""
SHOWN_FOR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of a test at one place. label: of the device; "" for a channel and a webhook, and
    before it is known. reason: why it waits for another try or was given up; "" for none. at: when
    it was sent or given up."""

    state: DeliveryState
    label: str = ""
    reason: str = ""
    at: datetime | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether something is still to come of it."""
        return self.state == DeliveryState.WAITING


def send(user_id: int, way: Way) -> bool:
    """Put a test into the outbox; False where this way leads nowhere yet."""
    mark = _mark(user_id, way)
    if not mark:
        return False
    # Of another address it is another test, however soon.
    turn = int(timezone.now().timestamp()) // EVERY_S
    key = f"test:{user_id}:{way.value}:{mark}:{turn}"
    return outbox.add(News(owner_id=user_id, kind=Kind.TEST, key=key, facts={"way": way.value}))


def last(user_id: int) -> dict[str, list[Trial]]:
    """By way, what became of its newest test of the last hour. That of a channel or a webhook which
    was replaced since says nothing of the one there is now."""
    since = timezone.now() - SHOWN_FOR
    rows = Message.objects.filter(owner=user_id, kind=Kind.TEST, created_at__gt=since)
    batches: dict[str, UUID | None] = {}
    for key, batch in rows.order_by("created_at").values_list("key", "batch"):
        parts = key.split(":")
        if len(parts) == 5 and parts[2] in Way.values:  # its form is as `send` makes it
            way = Way(parts[2])
            # Of a device that is gone, the reason is what one wants to know.
            if way == Way.PUSH or parts[3] == _mark(user_id, way):
                batches[way.value] = batch
    deliveries = Delivery.objects.filter(batch__in=[batch for batch in batches.values() if batch])
    return _by_way(batches, deliveries.order_by("pk"))


def last_told(preference: Preference) -> datetime | None:
    """When a member's channel last took a message for them; None for not within a week."""
    sent = Delivery.objects.filter(
        owner=preference.owner_id,
        state=DeliveryState.SENT,
        way=Way.CHANNEL,
        target=str(preference.channel_id),
    )
    return sent.order_by("-ended_at").values_list("ended_at", flat=True).first()


def _by_way(
    batches: Mapping[str, UUID | None], deliveries: Iterable[Delivery]
) -> dict[str, list[Trial]]:
    by_batch: dict[UUID, list[Trial]] = {}
    for row in deliveries:
        trial = Trial(
            state=DeliveryState(row.state),
            label=row.label if row.way == Way.PUSH else "",
            reason=str(row.get_reason_display()) if row.reason else "",
            at=row.ended_at,
        )
        by_batch.setdefault(row.batch, []).append(trial)
    not_yet = [Trial(state=DeliveryState.WAITING)]
    return {way: by_batch.get(batch, []) if batch else not_yet for way, batch in batches.items()}


def _mark(user_id: int, way: Way) -> str:
    """What tells where a way leads from where it led before; "" where it leads nowhere."""
    if way == Way.PUSH:
        devices = PushSubscription.objects.filter(owner=user_id).order_by("endpoint")
        led = "\n".join(devices.values_list("endpoint", flat=True))
    elif way == Way.CHANNEL:
        rows = Preference.objects.filter(pk=user_id, channel__isnull=False)
        led = "\n".join(f"{pk} {to}" for pk, to in rows.values_list("channel", "channel__address"))
    else:  # sealed anew whenever it is set, so even the same one is another
        led = "\n".join(Webhook.objects.filter(pk=user_id).values_list("address", flat=True))
    return sha256(led.encode()).hexdigest()[:12] if led else ""
