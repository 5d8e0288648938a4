"""How slow a transfer may be before it counts as broken."""

from __future__ import annotations

import asyncio
from typing import Final

SLOWEST_BYTES_PER_S: Final = 256
"""Slower than this on average counts as a drop: a byte now and then would otherwise hold a
connection for ever."""


class TransferPace:
    """How fast a body comes, averaged over `over_s` seconds at a time."""

    def __init__(self, over_s: float) -> None:
        self._over_s = over_s
        self._clock = asyncio.get_running_loop().time
        self._since, self._bytes = self._clock(), 0

    def too_slow(self, chunk_bytes: int) -> bool:
        """Note that so many bytes arrived; True when too few did on average."""
        self._bytes += chunk_bytes
        elapsed_s = self._clock() - self._since
        if elapsed_s < self._over_s:
            return False
        arrived_bytes = self._bytes
        self._since, self._bytes = self._clock(), 0
        return arrived_bytes < SLOWEST_BYTES_PER_S * elapsed_s
