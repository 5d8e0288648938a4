"""How this instance treats TikTok: one shared pace, one breaker, one cache of identities."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stories.errors import Refusal


@dataclass(frozen=True, slots=True)
class Breaker:
    """TikTok is turning this server away: nobody asks before `until`. code: of the refusal."""

    until: datetime
    code: str


def breaker_status() -> Breaker | None:
    """The open breaker, for the banner; None while TikTok answers or Redis is away."""
    raise NotImplementedError


def trip(error: Refusal) -> datetime:
    """TikTok refused: nobody asks until the time returned."""
    raise NotImplementedError


async def gate() -> None:
    """Wait for this instance's turn to send one page or list request."""
    raise NotImplementedError
