"""Problems an admin has hidden for a while. What is lost here is only shown again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, cast

from jobs.ephemeral.connection import RedisUnavailable, execute, write

HIDDEN_FOR: Final = timedelta(days=30)
_HIDDEN: Final = "storykeep:hidden:"


def hide(code: str) -> bool:
    """Hide a problem for HIDDEN_FOR; False while Redis is away."""
    try:
        write(lambda server: server.set(f"{_HIDDEN}{code}", "1", ex=HIDDEN_FOR))
    except RedisUnavailable:
        return False
    return True


def show(code: str) -> bool:
    """Show a problem again; False while Redis is away."""
    try:
        write(lambda server: server.delete(f"{_HIDDEN}{code}"))
    except RedisUnavailable:
        return False
    return True


def hidden(codes: Sequence[str]) -> frozenset[str]:
    """Those of these problems that are hidden; none while Redis is away."""
    if not codes:
        return frozenset()
    try:
        marks = execute(
            lambda server: cast(
                "list[str | None]", server.mget([f"{_HIDDEN}{code}" for code in codes])
            )
        )
    except RedisUnavailable:
        return frozenset()
    return frozenset(code for code, mark in zip(codes, marks, strict=True) if mark)
