"""Rests that all workers share: which identity, or which way of asking, is left alone for now."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, cast

from jobs.ephemeral.connection import RedisUnavailable, execute, execute_in_thread
from jobs.upstream.all_clear import all_clear
from stories.rests import RESTS_S, TRIAL_S, LocalRests, RestState

_KEPT_S: Final = 24 * 60 * 60

# An entry is `refusals|until|trial`: until in seconds of Redis' own clock, trial 1 while a look-up
# finds out. What is none of ours, or lies further ahead than any rest, is over.
_BEGIN: Final = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local function read(name)
  local text = redis.call('HGET', KEYS[1], name)
  if not text then return end
  local refusals, till, trial = string.match(text, '^(%d+)|(%d+%.?%d*)|([01])$')
  refusals, till = tonumber(refusals), tonumber(till)
  if not refusals or refusals < 1 or refusals > 1e6 then
    redis.call('HDEL', KEYS[1], name)
    return
  end
  if not till or till > now + 7200 then till = 0 end
  return refusals, till, trial
end
local function write(name, refusals, till, trial)
  redis.call('HSET', KEYS[1], name, string.format('%d|%.3f|%s', refusals, till, trial))
end
"""
_LOOK: Final = (
    _BEGIN
    + """
local states, found = {}, false
for at = 2, #ARGV do
  local refusals, till = read(ARGV[at])
  if not refusals then states[at - 1] = 0
  elseif till > now or found then states[at - 1] = 1
  else
    states[at - 1], found = 2, true
    write(ARGV[at], refusals, now + tonumber(ARGV[1]), '1')
  end
end
return states
"""
)
_REST: Final = (
    _BEGIN
    + """
local refusals, till, trial = read(ARGV[1])
if refusals and till > now and trial == '0' then return 0 end
refusals = (refusals or 0) + 1
local rest = tonumber(ARGV[2 + math.min(refusals, #ARGV - 2)])
write(ARGV[1], refusals, now + rest, '0')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""
)
_RESTING, _DUE = 1, 2


class SharedRests:
    """The rests of things by name, in one key of Redis; while it is away, this process's own.

    key: one of all_clear.KEYS. Serves as stories.rests.Rests.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._local = LocalRests()

    async def look(self, names: Sequence[str]) -> RestState:
        """Which of `names` rest, and the first that is to be tried."""
        if await all_clear.holds_meanwhile():
            return RestState()
        arguments = (str(TRIAL_S), *names)
        try:
            told = await execute_in_thread(
                lambda server: server.eval(_LOOK, 1, self._key, *arguments)
            )
        except RedisUnavailable:
            return await self._local.look(names)
        states = dict(zip(names, cast("list[int]", told), strict=True))
        return RestState(
            resting=frozenset(name for name, state in states.items() if state == _RESTING),
            due=next((name for name, state in states.items() if state == _DUE), None),
        )

    async def rest(self, name: str) -> None:
        """Begin a rest, longer than the last one."""
        await self._local.rest(name)
        arguments = (name, str(_KEPT_S), *map(str, RESTS_S))
        try:
            with suppress(RedisUnavailable):
                await execute_in_thread(lambda server: server.eval(_REST, 1, self._key, *arguments))
        finally:
            all_clear.end()

    async def wake(self, name: str) -> None:
        """Forget its refusals."""
        await self._local.wake(name)
        if await all_clear.holds_meanwhile():
            return
        with suppress(RedisUnavailable):
            await execute_in_thread(lambda server: server.hdel(self._key, name))

    def until(self) -> dict[str, float]:
        """Name → end of its rest in Unix seconds by Redis' clock, for those that rest.

        Raises RedisUnavailable.
        """
        return execute(partial(_read_all, self._key))


def _read_all(key: str, server: Any) -> dict[str, float]:
    seconds, microseconds = server.time()
    now = seconds + microseconds / 1e6
    ends = {}
    for name, text in server.hgetall(key).items():
        _, _, rest = text.partition("|")
        try:
            until = float(rest.partition("|")[0])
        except ValueError:
            continue
        if now < until <= now + 2 * RESTS_S[-1]:
            ends[name] = until
    return ends
