"""The account each name belongs to, remembered for about a day by all workers.

Who is remembered stands in a list of its own, so that a name can go when no line has it any more.
"""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any, Final, cast

from jobs.ephemeral import values
from jobs.ephemeral.connection import (
    RedisUnavailable,
    discard,
    execute,
    execute_in_thread,
    rewrite_snapshot,
)
from stories.structures import Author

KEPT_S: Final = 24 * 60 * 60
_LONGEST: Final = 500
_KEY: Final = "storykeep:identity:"
_NAMES: Final = "storykeep:identities"
"""A sorted set: name in lower case → Unix seconds when its account is forgotten."""

# ARGV: name in lower case, account, seconds it is kept, Unix seconds when it is forgotten.
_PUT: Final = """
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[3])
"""


class Identities:
    """The cache of accounts by name that all workers share; empty while Redis is away."""

    async def get(self, name: str) -> Author | None:
        """The account that had this name when it was last looked up; it may have moved on."""
        text = None
        with suppress(RedisUnavailable):
            text = await execute_in_thread(
                lambda server: cast("str | None", server.get(_key(name)))
            )
        if text is None:
            return None
        author = _parse(text)
        if author is None:
            await asyncio.to_thread(discard, _key(name))
        return author

    async def put(self, author: Author) -> None:
        """Remember an account under its name, without what is true for the moment only: the signed
        addresses of its picture, and whether it has stories."""
        fields = asdict(author)
        del fields["avatar_urls"], fields["story_hint"]
        text = json.dumps(fields)
        with suppress(RedisUnavailable):
            await execute_in_thread(partial(_put, author.name.lower(), text))

    async def forget(self, name: str) -> None:
        """Drop a name that turned out to belong to another account."""
        with suppress(RedisUnavailable):
            await execute_in_thread(partial(_drop, [name.lower()]))


def _put(name: str, text: str, server: Any) -> None:
    until = f"{time.time() + KEPT_S:.3f}"
    server.eval(_PUT, 2, _key(name), _NAMES, name, text, str(KEPT_S), until)


def _drop(names: Sequence[str], server: Any) -> None:
    with server.pipeline(transaction=False) as pipeline:
        pipeline.delete(*map(_key, names))
        pipeline.zrem(_NAMES, *names)
        pipeline.execute()


def _parse(text: str) -> Author | None:
    """An account as it is kept; None for what is none of ours."""
    facts = values.record(text) or {}
    words = [values.text(facts.get(name), _LONGEST) for name in ("id", "name", "nickname")]
    author_id, name, nickname = words
    sec_uid, private = facts.get("sec_uid"), facts.get("private")
    if author_id is None or not name or nickname is None:
        return None
    if not (private is None or isinstance(private, bool)):
        return None
    if not (author_id.isascii() and (author_id.isdecimal() or not author_id)):
        return None
    sec_uid = values.text(sec_uid, _LONGEST)
    return Author(id=author_id, name=name, nickname=nickname, sec_uid=sec_uid, private=private)


def _key(name: str) -> str:
    return f"{_KEY}{name.lower()}"


@functools.cache
def _list_what_is_not_listed() -> None:
    """Put accounts into the list that an older version remembered, which kept none; once in a
    process. Raises RedisUnavailable; then the next call does it."""
    execute(_list_all)


def _list_all(server: Any) -> None:
    until = time.time() + KEPT_S
    found = {key.removeprefix(_KEY): until for key in server.scan_iter(f"{_KEY}*", count=1000)}
    if found:
        with server.pipeline(transaction=False) as pipeline:
            pipeline.zadd(_NAMES, found, nx=True)
            pipeline.expire(_NAMES, KEPT_S)
            pipeline.execute()


def remembered() -> list[str]:
    """Names, in lower case, of the accounts that are remembered. Raises RedisUnavailable."""
    _list_what_is_not_listed()
    execute(lambda server: server.zremrangebyscore(_NAMES, 0, time.time()))
    return execute(lambda server: cast("list[str]", server.zrange(_NAMES, 0, -1)))


def drop(names: Sequence[str]) -> None:
    """Remember these accounts no longer, in the snapshot of our own Redis neither.

    names: as `remembered` gives them, one at least. Raises RedisUnavailable.
    """
    execute(partial(_drop, names))
    rewrite_snapshot()
