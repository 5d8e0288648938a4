"""BrowserCarrier: pages loaded by a real browser, one look-up at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from stories.client import Browser, StoryClient
from stories.http.session import Session
from stories.ways import Readiness

COST: Final = 4
"""A look-up loads two or three pages, each with a few requests of its own."""


class BrowserCarrier:
    """A browser's pages in the place of our own requests. Serves as carrier_way.Carrier."""

    name = "browser"
    cost = COST
    decisive = True

    def __init__(self, client: StoryClient, browser: Browser) -> None:
        self._client, self._browser = client, browser

    async def ready(self) -> Readiness:
        """Whether there is a browser, and it may be used."""
        return await self._browser.ready()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Session]:
        """A session whose pages a browser loads, in a context of its own.

        Raises WayFailed, and the Refusal of an instance that pauses.
        """
        await self._client.wait_for_pace(self.cost)
        async with self._browser.visit() as visit:
            yield self._client.session_over(visit, visit.identity)
