"""The outbox: what is to be told, a row each, written where it happens and sent in the background.

`add` is called inside the transaction of what happened, so neither is there without the other. Its
key makes the same event one message, however often it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from notices.kinds import OWN, RIDING, Kind
from notices.models import (
    TOPIC_LENGTH,
    Delivery,
    Message,
    Preference,
    PushSubscription,
    Webhook,
)

_KEY_LENGTH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something to tell a member.

    key: what happened, as `job:<id>`; 200 characters at most. facts: as `notices.wording` reads
    them for this kind, of JSON. path: of a page, without the leading slash, as `jobs/<id>/`.
    topic: what it is about, 32 characters of base64url at most: `forget` finds it by that.
    kept_until: when our copy goes; None when it is about no files.
    """

    owner_id: int
    kind: Kind
    key: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    topic: str = ""
    kept_until: datetime | None = None


def add(news: News) -> bool:
    """Put one message into the outbox; False where its owner is told nothing, which costs one query
    and writes nothing. A second one with the same key is dropped."""
    return bool(add_all([news]))


def add_all(news: Sequence[News]) -> int:
    """`add` for several, in two statements; how many are of members who are told such things."""
    wanted = _wanted(news)
    now = timezone.now()
    Message.objects.bulk_create(
        [
            Message(
                owner_id=one.owner_id,
                kind=one.kind,
                key=one.key[:_KEY_LENGTH],
                facts=dict(one.facts),
                path=one.path,
                topic=one.topic[:TOPIC_LENGTH],
                kept_until=one.kept_until,
                created_at=now,
                not_before=now,
                rides=one.kind in RIDING,
            )
            for one in wanted
        ],
        ignore_conflicts=True,
    )
    return len(wanted)


def is_used() -> bool:
    """Whether anybody at all has said how to be told. One look at a table that is mostly empty."""
    return Preference.objects.exists()


def told_members(owner_ids: Iterable[int]) -> dict[int, bool]:
    """Those of the members who have somewhere to be told → whether of what they asked for
    themselves, too. Blocked ones are not among them. One query."""
    device = PushSubscription.objects.filter(owner=OuterRef("owner"))
    hook = Webhook.objects.filter(owner=OuterRef("owner"))
    rows = Preference.objects.filter(
        Q(channel__isnull=False) | Exists(device) | Exists(hook),
        owner__in=set(owner_ids),
        owner__is_active=True,
    )
    return dict(rows.values_list("owner_id", "own"))


def forget(topics: Iterable[str]) -> None:
    """Remove what was told, or is to be told, about these topics: nothing of it is sent then."""
    Message.objects.filter(topic__in=list(topics)).delete()


def silence(owner_id: int) -> None:
    """Remove all the ways to a member, how they want to be told, and what waits for them."""
    PushSubscription.objects.filter(owner=owner_id).delete()
    Webhook.objects.filter(owner=owner_id).delete()
    Preference.objects.filter(owner=owner_id).delete()
    Message.objects.filter(owner=owner_id).delete()
    Delivery.objects.filter(owner=owner_id).delete()


def _wanted(news: Sequence[News]) -> list[News]:
    if not news:
        return []
    told = told_members(one.owner_id for one in news)
    return [
        one for one in news if one.owner_id in told and (one.kind not in OWN or told[one.owner_id])
    ]
