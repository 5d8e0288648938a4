"""The search for an identity that TikTok serves: one at a time, and its outcome is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from stories.errors import (
    AccessError,
    InputError,
    LoginRequired,
    RateLimited,
    Refusal,
    StoriesError,
)
from stories.identity import Identity, IdentityMemory, LocalIdentityMemory, by_name, following

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedTry:
    """A look-up's first try, which TikTok refused.

    began: IdentitySearch.ended when it was sent. served: the identity was answered before in this
    look-up.
    """

    identity: Identity
    error: StoriesError
    began: int
    served: bool


class IdentitySearch:
    """The identities of one client, and the search for one that is served.

    ended: how many searches have ended so far. Of look-ups refused at once a single one searches,
    and the others do what its outcome tells them to.
    """

    def __init__(self, ladder: Sequence[Identity], memory: IdentityMemory | None = None) -> None:
        self._ladder = tuple(ladder)
        self._memory = memory or LocalIdentityMemory()
        self._lock = asyncio.Lock()
        # Refused identity -> the one to try after it; the usual order without an entry.
        self._candidates: dict[str, Identity] = {}
        # Names of identities whose rest is over, and that a look-up of this client tries.
        self._on_trial: set[str] = set()
        self._last_failed = False
        self.ended = 0

    async def current(self) -> Identity:
        """The identity that a look-up begins with.

        That is the one that was served lately, unless the rest of one before it is over: then this
        look-up finds out whether it is served again. Without either the first that does not rest.
        """
        return await self._choose(trials=True)

    async def _choose(self, *, trials: bool) -> Identity:
        kept = await self._memory.get()
        if kept is not None and not trials:
            return by_name(self._ladder, kept)
        state = await self._memory.rests.look([identity.name for identity in self._ladder])
        for identity in self._ladder:
            if identity.name == kept:
                break
            if identity.name == state.due:
                self._on_trial.add(identity.name)
                return identity
            if kept is None and identity.name not in state.resting:
                return identity
        return by_name(self._ladder, kept)

    async def note_served(self, identity: Identity) -> None:
        """A look-up was served as `identity`: one whose rest was over is taken back into use."""
        if identity.name not in self._on_trial:
            return
        self._on_trial.discard(identity.name)
        await self._memory.rests.wake(identity.name)
        await self._memory.put(identity.name)

    async def try_another(self, first: RefusedTry, retry: Callable[[Identity], Awaitable[T]]) -> T:
        """The result of `retry` under another identity than the first; called at most once.

        Raises the first error when another look-up has found meanwhile that the next identity is
        refused too, and when the retry brings no answer; RateLimited, and what the answer to the
        retry raises.
        """
        async with self._lock:
            identity = await self._choose(trials=False)
            refused = identity == first.identity
            if first.began == self.ended or (refused and not self._last_failed):
                if refused:
                    identity = self._candidate(first.identity)
                return await self._search(first, identity, retry)
            if self._last_failed:
                raise first.error
        return await retry(identity)

    def _candidate(self, refused: Identity) -> Identity:
        return self._candidates.get(refused.name) or following(self._ladder, refused)

    async def _search(
        self, first: RefusedTry, identity: Identity, retry: Callable[[Identity], Awaitable[T]]
    ) -> T:
        """The result of `retry`, and what it says of the identity."""
        try:
            result = await retry(identity)
        except LoginRequired:
            raise
        except (InputError, AccessError):
            await self._keep(first, identity)  # an answer, if not the one that was hoped for
            raise
        except RateLimited:
            raise
        except StoriesError as error:
            # A sign-in page says little about the server, and its retry tells no more.
            by_site = isinstance(error, Refusal) and not error.unasked
            if not by_site or isinstance(first.error, LoginRequired):
                raise first.error from error
            await self._drop(first, identity)
            raise
        await self._keep(first, identity)
        return result

    async def _keep(self, first: RefusedTry, identity: Identity) -> None:
        """End a search that found an identity: the one that was refused rests."""
        self.ended += 1
        self._last_failed = False
        self._on_trial -= {first.identity.name, identity.name}
        await self._memory.put(identity.name)
        await self._memory.rests.wake(identity.name)
        await self._memory.rests.rest(first.identity.name)

    async def _drop(self, first: RefusedTry, identity: Identity) -> None:
        """End a search in vain: the next one tries the identity that follows."""
        self.ended += 1
        self._last_failed = True
        candidate = following(self._ladder, identity)
        if not first.served:
            # With nothing to say for it, the next look-up need not begin with it again.
            await self._memory.put(candidate.name)
        elif candidate == first.identity:
            self._candidates[first.identity.name] = following(self._ladder, candidate)
        else:
            self._candidates[first.identity.name] = candidate
