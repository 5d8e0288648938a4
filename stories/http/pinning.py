"""Addresses of names, checked and kept for a while, as curl is told to connect to them.

curl never resolves a name itself: it is handed addresses of the public internet only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from stories.http.resolver import Resolve, public_addresses

KEPT_S: Final = 60.0
"""Seconds that the addresses of a name are used for, as long as curl itself would."""


class PinnedAddresses:
    """Checked addresses by host and port. resolve: how host names become addresses.

    Of requests at once for one host a single one resolves.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._known: dict[tuple[str, int], tuple[float, asyncio.Task[tuple[str, ...]]]] = {}

    async def get(self, host: str, port: int) -> tuple[str, ...]:
        """The public addresses of `host`, best first. Raises what public_addresses does."""
        now = asyncio.get_running_loop().time()
        until, task = self._known.get((host, port), (0.0, None))
        if task is None or now >= until or _failed(task):
            self._forget_stale(now)
            task = asyncio.ensure_future(public_addresses(host, port, self._resolve))
            task.add_done_callback(_failed)  # looked at also when nobody waits any more
            self._known[host, port] = (now + KEPT_S, task)
        # Shielded: whoever gives up waiting does not end it for the others.
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError as error:
            waiting = asyncio.current_task()
            if waiting is None or waiting.cancelling():
                raise
            raise OSError("the look-up was ended") from error

    def forget(self, host: str, port: int) -> None:
        """Resolve `host` anew next time: nobody answers at the addresses that are known."""
        _, task = self._known.get((host, port), (0.0, None))
        if task is not None and task.done():
            del self._known[host, port]

    def _forget_stale(self, now: float) -> None:
        for key in [key for key, (until, _) in self._known.items() if now >= until]:
            del self._known[key]

    async def aclose(self) -> None:
        """End the look-ups under way."""
        tasks = [task for _, task in self._known.values()]
        self._known.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _failed(task: asyncio.Task[tuple[str, ...]]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def resolve_entry(host: str, port: int, addresses: Sequence[str]) -> str:
    """An entry of curl's RESOLVE option: these addresses for this name, and no question asked."""
    return f"{host}:{port}:" + ",".join(f"[{a}]" if ":" in a else a for a in addresses)
