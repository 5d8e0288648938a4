"""How far each running item is: what pages poll. Kept in Redis, and allowed to be lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Phase = Literal["queued", "waiting", "looking_up", "found", "saving", "checking", "packing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemProgress:
    """One item's progress. bytes_total: as far as known. eta_s: None while nothing is known.

    found: stories listed, None before the list is here. files_*: media files, not extras.
    """

    phase: Phase
    found: int | None = None
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    eta_s: float | None = None
    started_at: datetime | None = None


def read(job_id: UUID) -> Mapping[str, ItemProgress]:
    """Item id (text) → progress, in one round trip; {} when Redis is down or forgot."""
    raise NotImplementedError


def forget(job_id: UUID) -> None:
    """Drop a job's progress at once."""
    raise NotImplementedError
