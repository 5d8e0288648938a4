"""Leases: which of several processes acts, for a while.

They save work and promise nothing: where Redis forgets one, or its clock is set, two may act.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from jobs.ephemeral.connection import RedisUnavailable, execute, write


def _key(name: str) -> str:
    return f"storykeep:lease:{name}"


def acquire(name: str, *, seconds: float) -> bool:
    """Take the lease for so many seconds; False while another process, or this one, has it.

    Raises RedisUnavailable.
    """
    key, milliseconds = _key(name), int(seconds * 1000)

    def take(server: Any) -> tuple[Any, int]:
        with server.pipeline(transaction=False) as pipeline:
            pipeline.set(key, "1", nx=True, px=milliseconds)
            pipeline.pttl(key)
            taken, left = pipeline.execute()
        return taken, left

    taken, left = write(take)
    if taken:
        return True
    # Redis keeps a moment of its machine's clock: set back by an hour, a lease would last an hour.
    if left > milliseconds:
        write(lambda server: server.set(key, "1", px=milliseconds))
        return True
    return False


def release(name: str) -> None:
    """Give the lease back before its time; while Redis is away it ends by itself."""
    with suppress(RedisUnavailable):
        execute(lambda server: server.delete(_key(name)))
