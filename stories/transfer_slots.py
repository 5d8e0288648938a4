"""The connections that may carry files at once, shared by all lines of a client."""

from __future__ import annotations

import asyncio


class TransferSlots:
    """A semaphore for the connections that may carry files at once, shared by a whole client."""

    def __init__(self, count: int) -> None:
        self._semaphore = asyncio.Semaphore(count)

    async def __aenter__(self) -> None:
        """Wait for a slot and take it."""
        await self._semaphore.acquire()

    async def __aexit__(self, *_: object) -> None:
        """Release the slot."""
        self._semaphore.release()

    @property
    def available(self) -> bool:
        """Whether a slot is free and nobody waits for it."""
        return not self._semaphore.locked()

    async def try_acquire(self) -> bool:
        """Take a slot if one is available; never waits."""
        return self.available and await self._semaphore.acquire()

    def release(self) -> None:
        """Release a slot taken with try_acquire."""
        self._semaphore.release()
