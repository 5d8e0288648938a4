"""The one place that writes an item's state: along an edge of `EDGES`, or not at all."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from jobs.models import Item
from jobs.states import EDGES, ItemState, sources


def transition(items: QuerySet[Item], to: ItemState, **fields: Any) -> int:
    """Move those of the items from whose state an edge leads to `to`; how many rows that were.

    fields: other columns to write with it. The WHERE clause is the lock: of two workers that move
    the same item, one updates its row and the other none.
    """
    return items.filter(state__in=sources(to)).update(state=to, **fields)


def begin_in(item: Item, state: ItemState) -> None:
    """Give an item that is not saved yet another state than QUEUED.

    Raises ValueError where no edge leads there from the state it has.
    """
    if state not in EDGES[ItemState(item.state)]:
        raise ValueError(f"no edge leads from {item.state} to {state}")
    item.state = state


def edge(start: ItemState, to: ItemState) -> str:
    """The beginning of an UPDATE in SQL that moves an `item` from `start` to `to`; more columns may
    follow, and a WHERE clause that asks for `start`.

    Raises ValueError where no edge leads there.
    """
    if to not in EDGES[start]:
        raise ValueError(f"no edge leads from {start} to {to}")
    return f"UPDATE jobs_item item SET state = '{to.value}'"  # noqa: S608  # nosec B608  # a constant
