"""Claimed items, and their rows."""

from __future__ import annotations

from typing import Any

from jobs.models import Item
from jobs.queue import claims
from jobs.queue.claims import Claim
from tests.factories import make_item


def claimed(item: Item | None = None, **facts: Any) -> Claim:
    """The claim on a fresh item."""
    claim = claims.claim((item or make_item(**facts)).pk)
    assert claim
    return claim


def row(claim: Claim) -> Item:
    """The row of a claimed item, read anew."""
    return Item.objects.get(pk=claim.item_id)
