"""Clearing: what Redis holds of rows, once the database was replaced by another one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from jobs.ephemeral.connection import RedisUnavailable, write
from jobs.ephemeral.keys import PREFIX, family

OF_ROWS: Final = frozenset(
    {
        "storykeep:api-rate:",
        "storykeep:attempts:",
        "storykeep:damaged",
        "storykeep:hidden:",
        "storykeep:identities",
        "storykeep:identity:",
        "storykeep:orphans",
        "storykeep:progress:",
        "storykeep:scrub",
        "storykeep:swept",
    }
)
"""Keys, and families of keys, about people, jobs and files. The others are about TikTok and about
the processes that run."""
_AT_ONCE: Final = 500


def forget_rows(queues: Sequence[str]) -> None:
    """Delete everything about rows, and the messages of these queues. Dropped without Redis."""

    def delete(server: Any) -> None:
        found = [
            key for key in server.scan_iter(f"{PREFIX}*", count=_AT_ONCE) if family(key) in OF_ROWS
        ]
        names = [*found, *queues]
        for start in range(0, len(names), _AT_ONCE):
            server.delete(*names[start : start + _AT_ONCE])

    with suppress(RedisUnavailable):
        write(delete)
