"""Every move of an item or package along its edges: claim, settle, wait, cancel, retry, repair."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from jobs.models import Artifact, Item, Job
from jobs.states import ItemState
from stories.errors import StoriesError

LEASE = timedelta(seconds=40)
RENEW_S = 10.0
RESEND_AFTER = timedelta(seconds=30)
WINDOW = 8


class ClaimLost(Exception):
    """Someone else moved what we had claimed: it was cancelled, forgotten, or given away."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on an item; ends when the item's attempt or state moves on."""

    item_id: UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class PackageClaim:
    """The right to pack a package."""

    package_id: UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: DONE, PARTIAL, EMPTY or FAILED, and what was missing if anything."""

    state: ItemState
    error: StoriesError | None = None


def claim(item_id: UUID) -> Claim | None:
    """Take a queued item; None when another worker has it, it was cancelled, or it must wait."""
    raise NotImplementedError


def move(held: Claim, to: ItemState, **facts: Any) -> bool:
    """Move a claimed item along one edge; False when the claim was lost meanwhile."""
    raise NotImplementedError


def holds(held: Claim) -> bool:
    """Is the claim still ours? One small query: asked about once a second while working."""
    raise NotImplementedError


def renew(held: Claim) -> bool:
    """A sign of life; False when the claim was lost."""
    raise NotImplementedError


@contextmanager
def fenced(held: Claim) -> Iterator[None]:
    """A transaction that writes only while the claim is ours. Raises ClaimLost."""
    raise NotImplementedError
    yield


def finish(held: Claim, outcome: Outcome) -> bool:
    """Settle, or queue again when what is missing may still come. False: the claim was lost."""
    raise NotImplementedError


def fail(held: Claim, error: StoriesError) -> bool:
    """The attempt ended with `error`: settle, or queue again with not_before set."""
    raise NotImplementedError


def put_back(held: Claim, until: datetime, code: str) -> bool:
    """Queue again without having tried; counts for nothing."""
    raise NotImplementedError


def release(held: Claim) -> bool:
    """Queue again at once, tries unchanged: this worker is going away."""
    raise NotImplementedError


def claim_package(package_id: UUID) -> PackageClaim | None:
    """Take a queued package; None when another worker has it or it is gone."""
    raise NotImplementedError


def renew_package(held: PackageClaim) -> bool:
    """A sign of life while packing (call it at least every 10 s); False when the claim was lost."""
    raise NotImplementedError


def finish_package(held: PackageClaim, artifact: Artifact) -> bool:
    """The ZIP is kept and its row saved. False: the claim was lost, remove the file again."""
    raise NotImplementedError


def fail_package(held: PackageClaim, error: StoriesError) -> bool:
    """Packing did not work."""
    raise NotImplementedError


def cancel(job: Job) -> int:
    """Stop everything open in this job, for good; how many items that were. Saved files stay."""
    raise NotImplementedError


def cancel_item(item: Item) -> bool:
    """Stop this one item, for good."""
    raise NotImplementedError


def retry(job: Job) -> int:
    """A fresh attempt of what failed and may work now; how many items that are."""
    raise NotImplementedError


def retry_item(item: Item) -> bool:
    """The same for one item; False when a retry cannot help or it is not settled."""
    raise NotImplementedError


def dispatch() -> int:
    """Tell the broker of due items and packages, a small window of them, fairly. Safe to call
    any time; inside a transaction, call it with `transaction.on_commit(lifecycle.dispatch)`.
    Never raises when Redis is away: the repair sends later."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What a repair found to do."""

    requeued: int = 0
    packages: int = 0
    gave_up: int = 0
    closed: int = 0
    sent: int = 0


def repair(now: datetime) -> Repaired:
    """Requeue what a vanished worker held, close what nobody closed, send what is due."""
    raise NotImplementedError
