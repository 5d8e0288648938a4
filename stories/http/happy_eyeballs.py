"""Happy Eyeballs (RFC 8305): several addresses of one name, tried beside each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

T = TypeVar("T")

CONNECTION_ATTEMPT_DELAY_S: Final = 0.25
"""How long one address of a name may stay silent before the next is tried beside it."""


async def first_connected(
    attempts: Sequence[Coroutine[Any, Any, T]],
    close: Callable[[T], Awaitable[None]],
    *,
    delay_s: float = CONNECTION_ATTEMPT_DELAY_S,
) -> T:
    """The first connection that succeeds, of attempts started one after the other.

    attempts: coroutines that connect, in order of preference. close: ends a connection that came
    too late. Raises the last failure when all fail, OSError when there are none.
    """
    waiting = list(attempts)[::-1]
    running: set[asyncio.Task[T]] = set()
    failure: Exception = OSError("no address")
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(waiting.pop()))
            done, running = await asyncio.wait(
                running,
                timeout=delay_s if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            winners: list[T] = []
            for task in done:
                error = task.exception()
                if isinstance(error, Exception):
                    failure = error
                elif winners:
                    await close(task.result())
                else:
                    winners.append(task.result())
            if winners:
                return winners[0]
        raise failure
    finally:
        for unused in waiting:
            unused.close()
        for task in running:
            task.cancel()
        for result in await asyncio.gather(*running, return_exceptions=True):
            if not isinstance(result, BaseException):
                await close(result)
