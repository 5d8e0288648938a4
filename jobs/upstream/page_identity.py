"""The identity TikTok is asked as: the one that was served lately, remembered by all workers."""

from __future__ import annotations

from contextlib import suppress
from typing import Final, cast

from django.conf import settings

from jobs.ephemeral.connection import RedisUnavailable, execute, execute_in_thread
from jobs.upstream.all_clear import IDENTITY_RESTS, PAGE_IDENTITY, all_clear
from jobs.upstream.rests import SharedRests
from stories.identity import REMEMBERED_S, LocalIdentityMemory, by_name, identity_ladder
from stories.rests import Rests

_KEY: Final = PAGE_IDENTITY
_RESTS: Final = IDENTITY_RESTS


class PageIdentity:
    """The identity that all workers begin with; while Redis is away, this process's own.

    Serves as the client's identity_memory.
    """

    def __init__(self) -> None:
        self._local = LocalIdentityMemory()
        self.rests: Rests = SharedRests(_RESTS)

    async def get(self) -> str | None:
        """The remembered name; None to begin with the usual identity."""
        if await all_clear.holds_meanwhile():
            return None
        try:
            return await execute_in_thread(lambda server: cast("str | None", server.get(_KEY)))
        except RedisUnavailable:
            return await self._local.get()

    async def put(self, name: str) -> None:
        """Remember a name for half an hour."""
        await self._local.put(name)
        try:
            with suppress(RedisUnavailable):
                await execute_in_thread(lambda server: server.set(_KEY, name, ex=REMEMBERED_S))
        finally:
            all_clear.end()


def in_use() -> str:
    """The name of the identity that look-ups begin with. Raises RedisUnavailable."""
    name = execute(lambda server: cast("str | None", server.get(_KEY)))
    return by_name(identity_ladder(settings.STORYKEEP.page_transport), name).name


def resting() -> dict[str, float]:
    """Name of each identity that rests → the end of its rest, in Unix seconds.

    Raises RedisUnavailable.
    """
    return SharedRests(_RESTS).until()


def is_usual(name: str) -> bool:
    """Whether a name is that of the identity this instance uses unless TikTok refuses it."""
    return name == identity_ladder(settings.STORYKEEP.page_transport)[0].name
