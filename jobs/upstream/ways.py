"""What this instance remembers of its ways of asking TikTok, in Redis for all workers.

Of each way: when it last worked, was refused or broke, how often within a day, and whether it
rests: one that was refused while another one served is asked after the others for a while. While
Redis is away each process remembers rests by itself, and counts nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, cast

from jobs.ephemeral import steady, values
from jobs.ephemeral.connection import RedisUnavailable, execute, execute_in_thread
from jobs.text import clean_text, scrub

logger = logging.getLogger(__name__)

NAMES: Final = ("direct", "browser", "gallery-dl")
"""Every way there is, in the order they are asked; nothing is remembered of another."""
ALWAYS: Final = "direct"
"""The way that nobody has to set up."""

RESTS_S: Final = (60.0, 120.0, 300.0, 900.0, 3600.0)
"""Seconds a way rests after it was refused while another served, after twice in a row, …"""
TRIES: Final = 5
"""The last outcomes of a way that are kept."""
HOURS: Final = 24
"""Hours for which outcomes are counted; the current one is among them."""
KEPT_S: Final = 30 * 24 * 60 * 60
MAX_REASON: Final = 120
"""Characters of the reason for which a way broke."""
_AHEAD_S: Final = 60.0
"""So far the clock of another machine may be ahead of ours."""
_WAY: Final = "storykeep:way:"
_OFF: Final = "storykeep:ways_off"
_KNOWN: Final = "-"
"""A member that says that the set was written: an empty one is no key at all."""

Outcome = Literal["served", "refused", "failed"]
_LETTERS: Final[Mapping[Outcome, str]] = {"served": "s", "refused": "r", "failed": "f"}

_SHARED: Final = """
local clock = redis.call('TIME')
local now = clock[1] + math.floor(clock[2] / 1000) / 1000
local function number(text, high)
  local value = tonumber(text or nil)
  if value and value >= 0 and value <= high then return value end
end
local function stamp(value) return string.format('%.3f', value) end
local function rest_of(key)
  local kept = redis.call('HMGET', key, 'row', 'rest_from', 'rest_s')
  local row, from, length = number(kept[1], 1e6) or 0, number(kept[2], 1e11), number(kept[3], 1e5)
  return row, row >= 1 and from and length and from <= now and now < from + length
end
local function rest(key, length)
  redis.call('HSET', key, 'rest_from', stamp(now), 'rest_s', tostring(length))
end
"""

# Notes an outcome. ARGV: its name, its letter, a word on it, whether the way is to rest, seconds
# the record is kept, outcomes kept, hours counted, the rests.
_NOTE: Final = (
    _SHARED
    + """
local key, kind, letter, word = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local hour = math.floor(now / 3600)
local field = 'n:' .. hour .. ':' .. kind
local count = number(redis.call('HGET', key, field), 1e9) or 0
redis.call('HSET', key, field, math.floor(count) + 1, kind .. '_at', stamp(now),
  kind .. '_word', word)
if count == 0 then
  for _, name in ipairs(redis.call('HKEYS', key)) do
    local at = tonumber(string.match(name, '^n:(%d+):') or nil)
    if at and (at <= hour - tonumber(ARGV[7]) or at > hour) then redis.call('HDEL', key, name) end
  end
end
local tries = string.gsub(redis.call('HGET', key, 'tries') or '', '[^srf]', '')
if letter ~= 's' and (tries == '' or string.sub(tries, -1) == 's') then
  redis.call('HSET', key, 'bad_since', stamp(now))
end
redis.call('HSET', key, 'tries', string.sub(tries .. letter, -tonumber(ARGV[6])))
if letter == 's' then
  redis.call('HDEL', key, 'row', 'rest_from', 'rest_s', 'trial')
else
  local row, resting = rest_of(key)
  if ARGV[4] == '1' and (not resting or redis.call('HGET', key, 'trial') == '1') then
    row = row + 1
    redis.call('HSET', key, 'row', row)
    rest(key, ARGV[7 + math.min(row, #ARGV - 7)])
  end
  redis.call('HDEL', key, 'trial')
end
redis.call('EXPIRE', key, ARGV[5])
return count
"""
)

# The places, among KEYS, of the ways that rest. One whose rest is over begins the next at once, and
# is not among them: whoever asked finds out whether it is needed. ARGV: the rests.
_RESTING: Final = (
    _SHARED
    + """
local found = {}
for place, key in ipairs(KEYS) do
  local row, resting = rest_of(key)
  if resting then
    found[#found + 1] = place
  elseif row >= 1 then
    redis.call('HSET', key, 'trial', '1')
    rest(key, ARGV[math.min(row + 1, #ARGV)])
  end
end
return found
"""
)


class LocalRests:
    """The rests of ways as this process knows them by itself. clock: seconds, never set."""

    def __init__(self, clock: Callable[[], float] = steady.now) -> None:
        self._clock = clock
        self._rows: dict[str, int] = {}
        self._ends: dict[str, float] = {}
        self._trials: set[str] = set()

    def served(self, name: str) -> None:
        """It works: no rest."""
        for kept in (self._rows, self._ends):
            kept.pop(name, None)
        self._trials.discard(name)

    def refused(self, name: str, *, rests: bool) -> None:
        """It does not. rests: give it a rest, a longer one each time; while it has one, only for
        the try that finds out whether it works again."""
        resting = self._clock() < self._ends.get(name, 0.0)
        if rests and (not resting or name in self._trials):
            self._rows[name] = self._rows.get(name, 0) + 1
            self._rest(name, self._rows[name])
        self._trials.discard(name)

    def resting(self) -> frozenset[str]:
        """Those that rest; one whose rest is over is not among them, once."""
        now = self._clock()
        found = frozenset(name for name, ends in self._ends.items() if now < ends)
        for name in self._ends.keys() - found:
            self._trials.add(name)
            self._rest(name, self._rows[name] + 1)
        return found

    def _rest(self, name: str, row: int) -> None:
        self._ends[name] = self._clock() + RESTS_S[min(row, len(RESTS_S)) - 1]


class Ways:
    """What all workers remember of their ways. Serves as the client's way_memory.

    A name that is not in NAMES is not remembered.
    """

    def __init__(self) -> None:
        self._local = LocalRests()

    async def switched_off(self) -> frozenset[str]:
        """Names of the ways an admin switched off; while Redis is away, as last known."""
        with suppress(RedisUnavailable):
            await execute_in_thread(_read_off)
        return _last_known.off

    async def resting(self) -> frozenset[str]:
        """Names of ways to be asked after the others; one whose rest is over is let through once,
        and rests again until it served."""
        found = self._local.resting()
        with suppress(RedisUnavailable):
            found = await execute_in_thread(_take_resting)
        return found

    async def served(self, name: str) -> None:
        """A way brought an answer, whatever it said: it rests no more."""
        self._local.served(name)
        await self._note(name, "served", "", rests=False)

    async def refused(self, name: str, code: str, *, other_served: bool) -> None:
        """A way was turned away. other_served: another one was not, so that this one rests."""
        self._local.refused(name, rests=other_served)
        await self._note(name, "refused", code, rests=other_served)

    async def failed(self, name: str, reason: str) -> None:
        """A way broke by itself: it rests, as one that takes its time to break is asked last."""
        self._local.refused(name, rests=True)
        await self._note(name, "failed", scrub(clean_text(reason, 500), MAX_REASON), rests=True)

    async def _note(self, name: str, outcome: Outcome, word: str, *, rests: bool) -> None:
        if name not in NAMES:
            logger.warning("a way that is not known is not remembered: %.32s", name)
            return
        arguments = (
            *(outcome, _LETTERS[outcome], word, str(int(rests)), str(KEPT_S), str(TRIES)),
            *(str(HOURS), *map(str, RESTS_S)),
        )
        with suppress(RedisUnavailable):
            await execute_in_thread(
                lambda server: server.eval(_NOTE, 1, f"{_WAY}{name}", *arguments)
            )


def _take_resting(server: Any) -> frozenset[str]:
    keys = [f"{_WAY}{name}" for name in NAMES]
    places = cast("list[int]", server.eval(_RESTING, len(keys), *keys, *map(str, RESTS_S)))
    return frozenset(NAMES[place - 1] for place in places)


# --- switches -------------------------------------------------------------------------------------


class LastKnown:
    """The ways that are switched off, as this process last heard."""

    def __init__(self) -> None:
        self.off: frozenset[str] = frozenset()


_last_known = LastKnown()


def write_off(names: frozenset[str]) -> None:
    """Let every worker know which ways are switched off; while Redis is away, this process."""
    _last_known.off = names

    def put(server: Any) -> None:
        with server.pipeline() as pipeline:
            pipeline.delete(_OFF)
            pipeline.sadd(_OFF, _KNOWN, *sorted(names))
            pipeline.execute()

    with suppress(RedisUnavailable):
        execute(put)


def _read_off(server: Any) -> None:
    """Hear which ways are switched off; of a Redis that has lost it nothing is heard."""
    members = cast("set[str]", server.smembers(_OFF))
    if _KNOWN in members:
        _last_known.off = frozenset(members).intersection(NAMES)


# --- what is known of them, for those who run the instance ----------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WayRecord:
    """What is known of a way.

    served, refused, failed: look-ups within the last HOURS. served_at, refused_at, failed_at: the
    last time, None for never. refused_code: of the last refusal. failed_reason: in a few words.
    tries: the last outcomes, oldest first, as letters: s, r, f. bad_since: of the first in a row
    that did not serve; None while the last one served. resting_until: None while it does not rest.
    """

    name: str
    served: int = 0
    refused: int = 0
    failed: int = 0
    served_at: datetime | None = None
    refused_at: datetime | None = None
    failed_at: datetime | None = None
    refused_code: str = ""
    failed_reason: str = ""
    tries: str = ""
    bad_since: datetime | None = None
    resting_until: datetime | None = None


def records(now: float | None = None) -> dict[str, WayRecord]:
    """What is known of every way, by name. Takes no try. Raises RedisUnavailable.

    now: Unix seconds.
    """
    moment = time.time() if now is None else now

    def read(server: Any) -> Sequence[Mapping[str, str]]:
        with server.pipeline(transaction=False) as pipeline:
            for name in NAMES:
                pipeline.hgetall(f"{_WAY}{name}")
            return cast("Sequence[Mapping[str, str]]", pipeline.execute())

    kept = execute(read)
    return {name: _record(name, facts, moment) for name, facts in zip(NAMES, kept, strict=True)}


def _record(name: str, facts: Mapping[str, str], now: float) -> WayRecord:
    """A record as it is kept; what is none of ours counts as absent."""
    counts = dict.fromkeys(_LETTERS, 0)
    last_hour = int(now // 3600)
    for field, value in facts.items():
        kind, _, rest = field.partition(":")
        hour, _, outcome = rest.partition(":")
        at = values.whole(hour, 0, 10**8)
        if kind == "n" and outcome in counts and at is not None and at > last_hour - HOURS:
            counts[outcome] += values.whole(value, 0, 10**9) or 0
    tries = "".join(letter for letter in facts.get("tries", "") if letter in "srf")[-TRIES:]
    serves = not tries or tries.endswith("s")
    return WayRecord(
        name=name,
        **counts,
        served_at=_past(facts.get("served_at"), now),
        refused_at=_past(facts.get("refused_at"), now),
        failed_at=_past(facts.get("failed_at"), now),
        refused_code=values.text(facts.get("refused_word"), 64) or "",
        failed_reason=values.text(facts.get("failed_word"), MAX_REASON) or "",
        tries=tries,
        bad_since=None if serves else _past(facts.get("bad_since"), now),
        resting_until=_rest_end(facts, now),
    )


def _past(text: str | None, now: float) -> datetime | None:
    """A moment that is over; one from the future was told by a clock that was ahead."""
    at = values.number(text, 0.0, values.MAX_MOMENT)
    return None if at is None else datetime.fromtimestamp(min(at, now), UTC)


def _rest_end(facts: Mapping[str, str], now: float) -> datetime | None:
    begin = values.number(facts.get("rest_from"), 0.0, values.MAX_MOMENT)
    length = values.number(facts.get("rest_s"), 0.0, RESTS_S[-1])
    row = values.whole(facts.get("row"), 1, 10**6)
    if begin is None or length is None or row is None:
        return None
    if not begin - _AHEAD_S <= now < begin + length:
        return None
    return datetime.fromtimestamp(begin, UTC) + timedelta(seconds=length)
