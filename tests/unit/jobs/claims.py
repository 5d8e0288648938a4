"""Items a worker has in hand."""

from __future__ import annotations

from typing import Any

from jobs.models import Item
from jobs.queue import claims
from jobs.queue.claims import Claim
from tests.factories import make_item


def claimed(item: Item | None = None, **facts: Any) -> Claim:
    """The claim on a fresh item."""
    held = claims.claim((item or make_item(**facts)).pk)
    assert held
    return held


def row(held: Claim) -> Item:
    """Its row as it is now."""
    return Item.objects.get(pk=held.item_id)
