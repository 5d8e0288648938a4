"""The states of an item and of a job, the edges between them, and the words people read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class ItemState(models.TextChoices):
    """Where one line stands. A job uses the same names."""

    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    PARTIAL = "partial", _("partly done")
    EMPTY = "empty", _("no public story")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


S = ItemState

EDGES: Final[Mapping[ItemState, frozenset[ItemState]]] = {
    # FAILED, PARTIAL: waited too long. FAILED, EMPTY: refused, or an advert, by its text alone
    S.QUEUED: frozenset({S.RUNNING, S.CANCELLED, S.FAILED, S.PARTIAL, S.EMPTY}),
    S.RUNNING: frozenset({S.QUEUED, S.DONE, S.PARTIAL, S.EMPTY, S.FAILED, S.CANCELLED}),
    S.PARTIAL: frozenset({S.QUEUED}),
    S.FAILED: frozenset({S.QUEUED}),
    S.DONE: frozenset(),
    S.EMPTY: frozenset(),
    S.CANCELLED: frozenset(),
}
"""State -> the states it may move to. From RUNNING to QUEUED: try again later. DONE, EMPTY and
CANCELLED lead nowhere."""

OPEN: Final = frozenset({S.QUEUED, S.RUNNING})
SHORT: Final = frozenset({S.PARTIAL, S.FAILED})
"""Settled short of what was asked for."""
SAVED: Final = frozenset({S.DONE, S.PARTIAL})
"""Settled, with something saved."""


def sources(to: ItemState) -> frozenset[ItemState]:
    """The states from which an edge leads to `to`."""
    return frozenset(state for state, targets in EDGES.items() if to in targets)


def job_state(items: Iterable[str]) -> ItemState:
    """A job's state, computed from the states of its items.

    While an item is open: QUEUED until the first item starts (a refused line does not count), then
    RUNNING. All settled: CANCELLED when one was cancelled, their common state when they agree, DONE
    when they are done or empty, else PARTIAL.
    """
    states = {ItemState(state) for state in items}
    if states & OPEN:
        return S.QUEUED if states <= {S.QUEUED, S.FAILED} else S.RUNNING
    if S.CANCELLED in states:
        return S.CANCELLED
    if len(states) == 1:
        return states.pop()
    return S.DONE if states <= {S.DONE, S.EMPTY} else S.PARTIAL
