"""Leases: which of several processes acts, for a while.

They save work and promise nothing: where Redis forgets one, or its clock is set, two may act.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from jobs.ephemeral.connection import RedisUnavailable, execute, write


def _key(name: str) -> str:
    return f"storykeep:lease:{name}"


def acquire(name: str, holder: str, *, seconds: float) -> bool:
    """Take the lease for so many seconds; False while another holder has it.

    True for who has it already: Redis may carry out what it was asked to while it hung, and the
    answer reached nobody. Raises RedisUnavailable.
    """
    return acquire_key(_key(name), holder, seconds=seconds)


def acquire_key(key: str, holder: str, *, seconds: float) -> bool:
    """`acquire` for a lease whose whole key is given."""
    milliseconds = int(seconds * 1000)

    def take(server: Any) -> list[Any]:
        with server.pipeline(transaction=False) as pipeline:
            pipeline.set(key, holder, nx=True, px=milliseconds)
            pipeline.get(key)
            pipeline.pttl(key)
            return list(pipeline.execute())

    _, has_it, left = write(take)
    if has_it == holder:
        return True
    # Redis keeps a moment of its machine's clock: set back by an hour, a lease would last an hour.
    # One without an end is none of ours.
    if left > milliseconds or left < 0:
        write(lambda server: server.set(key, holder, px=milliseconds))
        return True
    return False


def release(name: str) -> None:
    """Give the lease back before its time; while Redis is away it ends by itself."""
    with suppress(RedisUnavailable):
        execute(lambda server: server.delete(_key(name)))


@contextmanager
def alone(name: str, *, seconds: float) -> Iterator[bool]:
    """Hold a lease meanwhile: what no two processes are to do at once. Yields False while another
    one does it, and True without Redis: then each process knows of itself alone.

    seconds: longer than it may take.
    """
    try:
        is_ours = acquire(name, uuid4().hex, seconds=seconds)
    except RedisUnavailable:
        yield True
        return
    try:
        yield is_ours
    finally:
        if is_ours:
            release(name)
