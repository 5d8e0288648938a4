"""The account each name belongs to, remembered for about a day by all workers."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final, cast

from jobs.ephemeral.connection import RedisUnavailable, execute_in_thread
from stories.structures import Author

KEPT_S: Final = 24 * 60 * 60


class Identities:
    """The cache of accounts by name that all workers share; empty while Redis is away."""

    async def get(self, name: str) -> Author | None:
        """The account that had this name when it was last looked up; it may have moved on."""
        with suppress(RedisUnavailable, ValueError, TypeError):
            text = await execute_in_thread(
                lambda server: cast("str | None", server.get(_key(name)))
            )
            if text:
                return Author(**cast("dict[str, Any]", json.loads(text)))
        return None

    async def put(self, author: Author) -> None:
        """Remember an account under its name, without the signed addresses of its picture."""
        fields = asdict(author)
        del fields["avatar_urls"]
        text = json.dumps(fields)
        with suppress(RedisUnavailable):
            await execute_in_thread(lambda server: server.set(_key(author.name), text, ex=KEPT_S))

    async def forget(self, name: str) -> None:
        """Drop a name that turned out to belong to another account."""
        with suppress(RedisUnavailable):
            await execute_in_thread(lambda server: server.delete(_key(name)))


def _key(name: str) -> str:
    return f"storykeep:identity:{name.lower()}"
