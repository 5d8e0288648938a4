"""Claimed items, and their rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from jobs.models import Item
from jobs.queue import claims
from jobs.queue.claims import Claim
from jobs.queue.dispatch import claim_next
from jobs.queue.in_hand import in_hand
from tests.factories import make_item


def claimed(item: Item | None = None, **facts: Any) -> Claim:
    """The claim on a fresh item."""
    claim = claims.claim((item or make_item(**facts)).pk)
    assert claim
    return claim


def next_claim(item_id: UUID) -> Claim | None:
    """What a worker claims that has nothing in hand, and is told of this item."""
    place = in_hand.begin()
    assert place
    with place:
        return claim_next(item_id, place)


def row(claim: Claim) -> Item:
    """The row of a claimed item, read anew."""
    return Item.objects.get(pk=claim.item_id)
