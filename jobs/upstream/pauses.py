"""The pauses of the last days in which TikTok was not asked: since when, until when, how many lines
waited. For the person who runs the instance; kept in Redis, where they may be lost.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

from jobs.ephemeral import values
from jobs.ephemeral.connection import RedisUnavailable, execute

_PAUSES: Final = "storykeep:pauses"
KEPT: Final = timedelta(days=2)
MAX_KEPT: Final = 200
SAME_WITHIN_S: Final = 120.0
"""A refusal this soon after a pause belongs to it: somebody tried, and TikTok had not changed."""

# The latest is at the head: prolonged by what comes within or right after it, or a new one begins.
_RECORD: Final = """
local now, ends, code, waited = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local head = redis.call('LINDEX', KEYS[1], 0)
local readable, known = pcall(cjson.decode, head or '')
local function is_ours(pause)
  for _, name in ipairs({'since', 'until', 'waited'}) do
    local value = pause[name]
    if type(value) ~= 'number' or value < 0 or value > 1e11 then return false end
  end
  return true
end
known = readable and type(known) == 'table' and is_ours(known) and known
if known and known.since <= now and now <= known['until'] + tonumber(ARGV[5]) then
  known['until'] = math.max(known['until'], ends)
  known.waited, known.code = known.waited + waited, code
  redis.call('LSET', KEYS[1], 0, cjson.encode(known))
else
  redis.call('LPUSH', KEYS[1], cjson.encode({since=now, ['until']=ends, code=code, waited=waited}))
  redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[6]) - 1)
end
redis.call('EXPIRE', KEYS[1], ARGV[7])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """TikTok was not asked from `since` to `until`; refusals in a row are one pause.

    code: of the last refusal. waited: lines that waited for it, at least.
    """

    since: datetime
    until: datetime
    code: str
    waited: int


def record(until: datetime, code: str, waited: int) -> None:
    """Note that TikTok is not asked before `until`, and `waited` more lines wait for it.

    Dropped while Redis is away.
    """
    numbers = (repr(time.time()), repr(until.timestamp()), code, str(waited))
    limits = (str(SAME_WITHIN_S), str(MAX_KEPT), str(int(KEPT.total_seconds())))
    with suppress(RedisUnavailable):
        execute(lambda server: server.eval(_RECORD, 1, _PAUSES, *numbers, *limits))


def recent(since: datetime, now: datetime) -> tuple[Pause, ...]:
    """The pauses that touch the time from `since` to `now`, oldest first. Raises RedisUnavailable.

    None from the future: the clock was set back.
    """
    entries = cast("list[str]", execute(lambda server: server.lrange(_PAUSES, 0, MAX_KEPT - 1)))
    found = [pause for entry in entries if (pause := _parse(entry))]
    touching = [pause for pause in found if pause.since <= now and pause.until >= since]
    return tuple(sorted(touching, key=lambda pause: pause.since))


def _parse(entry: str) -> Pause | None:
    """A pause as it is kept; None for what is none of ours, which leaves with the oldest."""
    facts = values.record(entry) or {}
    since, until = values.moment(facts.get("since")), values.moment(facts.get("until"))
    code, waited = values.text(facts.get("code"), 64), values.whole(facts.get("waited"), 0, 10**9)
    if since is None or until is None or code is None or waited is None:
        return None
    return Pause(since=since, until=until, code=code, waited=waited)
