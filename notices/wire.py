"""What goes out and what comes back, for whoever has the network to do it.

This package decides what is sent and to whom. Which addresses may be connected to is the business
of what it is handed as `Post` (webapp/sending.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from notices.kinds import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A POST. anywhere: whoever runs the instance has listed its host, so it may be at a private
    address and be asked by http; any other is asked by https at public addresses alone."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    anywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. retry_after_s: as asked for, None without."""

    status: int
    retry_after_s: float | None = None


class NotSent(Exception):
    """There was no answer. reason: why, as a member is told."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


Post = Callable[[Request], Answer]
"""Sends a request, follows no redirect, and raises NotSent."""
