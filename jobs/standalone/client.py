"""The StoryClient of a run, with a rate limit and an identity cache of the run's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jobs.upstream.client import client_config
from jobs.upstream.other_ways import OtherWays
from jobs.upstream.rate_limit import TokenBucket
from stories.client import StoryClient
from stories.errors import Refusal
from stories.http.session import RateLimit
from stories.structures import Author

MakeClient = Callable[[RateLimit], StoryClient]


class RunRateLimit:
    """The rate limit of a run; a refusal ends all requests. rate: a second, 0 for no limit."""

    def __init__(self, rate: float, burst: int) -> None:
        self._bucket = TokenBucket(rate, burst) if rate else None
        self._refusal: Refusal | None = None

    async def acquire(self, *, at_once: bool = False) -> None:
        """Wait until a request may be sent. Raises the refusal an earlier line met.

        at_once: count the request and do not wait. Implements `stories.http.session.RateLimit`.
        """
        if self._bucket and not self._refusal:
            wait_s = self._bucket.take()
            await asyncio.sleep(0 if at_once else wait_s)
        if self._refusal:
            raise type(self._refusal)(
                "refused before in this run", retry_after_s=self._refusal.retry_after_s
            )

    def refuse_all(self, refusal: Refusal) -> None:
        """Let no request through from now on: TikTok refuses this machine."""
        self._refusal = self._refusal or refusal


class RunIdentities:
    """A cache of accounts by name, for a run. Serves as the client's identities."""

    def __init__(self) -> None:
        self._authors: dict[str, Author] = {}

    async def get(self, name: str) -> Author | None:
        """The account that had this name earlier in the run."""
        return self._authors.get(name.lower())

    async def put(self, author: Author) -> None:
        """Remember an account under its name."""
        self._authors[author.name.lower()] = author

    async def forget(self, name: str) -> None:
        """Forget a name, for it belongs to another account now."""
        self._authors.pop(name.lower(), None)


def client_from_settings(rate_limit: RateLimit) -> StoryClient:
    """A client with the worker's routes and limits."""
    config = client_config()
    others = OtherWays(config)
    return StoryClient(
        config,
        rate_limit=rate_limit,
        identities=RunIdentities(),
        browser=others.browser,
        helper=others.helper,
        guard=others,
    )
