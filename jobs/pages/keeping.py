"""How much longer the files of a job may be kept, as the choices of a menu."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from jobs.files import lifetime
from jobs.queries.job_view import FileView

HOURS: Final = (2, 8, 24)
"""The choices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepOffer:
    """hours: asked for. until: when the first of the files goes then; None where only others gain.

    longest: the instance allows no more, and perhaps less than `hours`.
    """

    hours: int
    until: datetime | None
    longest: bool


def offers(files: Sequence[FileView]) -> tuple[KeepOffer, ...]:
    """The choices that gain something, each more than the one before; () where none does.

    files: the present ones.
    """
    made: list[KeepOffer] = []
    before = latest = [file.expires_at for file in files]
    for hours in HOURS if files else ():
        by = timedelta(hours=hours)
        after = [lifetime.extended(file.expires_at, file.created_at, by) for file in files]
        gains = (new - old >= lifetime.MIN_GAIN for new, old in zip(after, latest, strict=True))
        if not any(gains):
            continue
        until = min(after) if min(after) > min(before) else None
        capped = (
            file.expires_at + by - at >= lifetime.MIN_GAIN
            for at, file in zip(after, files, strict=True)
        )
        made.append(KeepOffer(hours=hours, until=until, longest=all(capped)))
        latest = after
    return tuple(made)


def asked_hours(text: str) -> timedelta | None:
    """The choice a form sends; None for anything else."""
    return timedelta(hours=int(text)) if text in {str(hours) for hours in HOURS} else None
