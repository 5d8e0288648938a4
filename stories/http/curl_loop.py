"""libcurl's multi interface on the event loop: transfers that end, fail and are ended at once.

curl_cffi's AsyncCurl with its faults fenced in. It wakes ten times a second for as long as it
lives; here nothing runs while no transfer does.
"""

from __future__ import annotations

import asyncio
from typing import Final

from curl_cffi import AsyncCurl, Curl, CurlError, CurlMOpt

SAFEGUARD_S: Final = 1.0
"""Seconds between two looks at transfers that run, should a signal of curl's have been lost."""

_CURL_SOCKET_TIMEOUT: Final = -1
_TIMED_OUT: Final = 28


class Stalled(CurlError):
    """Nothing arrived for longer than a transfer may be silent."""

    def __init__(self) -> None:
        super().__init__("nothing arrived in time", _TIMED_OUT)


class CurlLoop(AsyncCurl):
    """A curl multi handle on the running loop, with its connections. kept: most idle ones."""

    def __init__(self, *, ca_path: str, kept: int) -> None:
        super().__init__(cacert=ca_path)
        self._safeguard: asyncio.TimerHandle | None = None
        self.setopt(CurlMOpt.MAXCONNECTS, kept)  # type: ignore[no-untyped-call]

    async def transfer(self, curl: Curl, activity: Activity) -> None:
        """Run a transfer that is set up, to its end.

        Raises CurlError; Stalled when `activity` says so; and what a callback of `curl` raised.
        Cancelled or failed, its connection is closed before this returns.
        """
        ended = self.add_handle(curl)
        activity.watch(ended)
        try:
            await ended
        finally:
            activity.unwatch()
            if curl in self._curl2future:
                self.remove_handle(curl)

    def add_handle(self, curl: Curl) -> asyncio.Future[None]:
        """Start a transfer; the future ends with it. transfer() does this, and ends it too."""
        ended: asyncio.Future[None] = super().add_handle(curl)
        if self._safeguard is None:
            self._safeguard = self.loop.call_later(SAFEGUARD_S, self._look)
        return ended

    async def close(self) -> None:
        """Close every connection; what still runs on them fails with CurlError."""
        if self._safeguard is not None:
            self._safeguard.cancel()
        for curl in list(self._curl2future):
            self.set_exception(curl, CurlError("the connections are being closed"))
        await super().close()  # type: ignore[no-untyped-call]

    async def _force_timeout(self) -> None:
        # AsyncCurl's own safeguard, which goes on for ever: see _look.
        return

    def _look(self) -> None:
        """Have curl look at its transfers by itself: a signal may have been lost."""
        self._safeguard = None
        if self._curl2future:
            self.process_data(_CURL_SOCKET_TIMEOUT, 0)
            self._safeguard = self.loop.call_later(SAFEGUARD_S, self._look)


class Activity:
    """When a transfer last moved, and its end when it does not.

    first_s, idle_s: how long it may be silent, in seconds, before its first byte and after one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, first_s: float, idle_s: float) -> None:
        self._loop = loop
        self._idle_s = idle_s
        self._due = loop.time() + first_s
        self._timer: asyncio.TimerHandle | None = None

    def note(self) -> None:
        """Something arrived just now."""
        self._due = self._loop.time() + self._idle_s

    def watch(self, ended: asyncio.Future[None]) -> None:
        """From now on raise Stalled in `ended` when nothing arrives."""
        self._timer = self._loop.call_at(self._due, self._check, ended)

    def unwatch(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()

    def _check(self, ended: asyncio.Future[None]) -> None:
        # A timer for each byte that arrives would cost more than the bytes: it is set again here.
        if self._loop.time() < self._due:
            self.watch(ended)
        elif not ended.done():
            ended.set_exception(Stalled())
