"""What this instance remembers of its ways of asking TikTok, in Redis for all workers.

Of each way: when it last worked, was refused or broke, how often within a day, and whether it
rests: one that was refused while another one served is asked after the others for a while. While
Redis is away each process remembers rests by itself, and counts nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast

from jobs.ephemeral import values
from jobs.ephemeral.connection import RedisUnavailable, execute, execute_in_thread
from jobs.text import clean_text, scrub
from jobs.upstream.all_clear import WAY_RESTS
from jobs.upstream.rests import SharedRests

logger = logging.getLogger(__name__)

NAMES: Final = ("direct", "browser", "gallery-dl")
"""Every way there is, in the order they are asked; nothing is remembered of another."""
ALWAYS: Final = "direct"
"""The way that nobody has to set up."""

TRIES: Final = 5
"""The last outcomes of a way that are kept."""
HOURS: Final = 24
"""Hours for which outcomes are counted; the current one is among them."""
KEPT_S: Final = 30 * 24 * 60 * 60
MAX_REASON: Final = 120
"""Characters of the reason for which a way broke."""
_WAY: Final = "storykeep:way:"
_RESTS: Final = WAY_RESTS
_OFF: Final = "storykeep:ways_off"
OFF_KEPT_S: Final = 24 * 60 * 60
"""Seconds that the mirror of the switches is kept; each sweep writes it anew."""
_KNOWN: Final = "-"
"""A member that says that the set was written: an empty one is no key at all."""

Outcome = Literal["served", "refused", "failed"]
_LETTERS: Final[Mapping[Outcome, str]] = {"served": "s", "refused": "r", "failed": "f"}

# Notes an outcome. ARGV: its name, its letter, a word on it, seconds the record is kept, outcomes
# kept, hours counted.
_NOTE: Final = """
local key, kind, letter, word = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local clock = redis.call('TIME')
local hour = math.floor(clock[1] / 3600)
local now = string.format('%d.%03d', clock[1], math.floor(clock[2] / 1000))
local field = 'n:' .. hour .. ':' .. kind
local kept = redis.call('HMGET', key, field, 'tries')
local count = tonumber(kept[1] or nil) or 0
if count ~= math.floor(count) or count < 0 or count > 1e9 then count = 0 end
local tries = string.match(kept[2] or '', '^[srf]+$') or ''
local facts = {
  field, count + 1, kind .. '_at', now, kind .. '_word', word,
  'tries', string.sub(tries .. letter, -tonumber(ARGV[5])),
}
if letter ~= 's' and (tries == '' or string.sub(tries, -1) == 's') then
  facts[#facts + 1], facts[#facts + 2] = 'bad_since', now
end
redis.call('HSET', key, unpack(facts))
if count == 0 then
  for _, name in ipairs(redis.call('HKEYS', key)) do
    local at = tonumber(string.match(name, '^n:(%d+):') or nil)
    if at and (at <= hour - tonumber(ARGV[6]) or at > hour) then redis.call('HDEL', key, name) end
  end
end
redis.call('EXPIRE', key, ARGV[4])
return count
"""


class Ways:
    """What all workers remember of their ways. Serves as the client's way_memory.

    A name that is not in NAMES is not remembered.
    """

    def __init__(self) -> None:
        self._rests = SharedRests(_RESTS)

    async def switched_off(self) -> frozenset[str]:
        """Names of the ways an admin switched off; while Redis is away, as last known."""
        with suppress(RedisUnavailable):
            await execute_in_thread(_read_off)
        return _last_known.off

    async def resting(self) -> frozenset[str]:
        """Names of ways to be asked after the others. One whose rest is over is not among them, for
        one look-up, which finds out."""
        return (await self._rests.look(NAMES)).resting

    async def served(self, name: str) -> None:
        """A way brought an answer, whatever it said: it rests no more."""
        await self._rests.wake(name)
        await self._note(name, "served", "")

    async def refused(self, name: str, code: str, *, rests: bool) -> None:
        """A way was turned away. rests: another one was not, so that this one is left alone."""
        await self._note(name, "refused", code)
        if rests:
            await self._rests.rest(name)

    async def failed(self, name: str, reason: str) -> None:
        """A way broke by itself: it rests, for one that takes its time to break is asked last."""
        await self._note(name, "failed", _few_words(reason))
        await self._rests.rest(name)

    async def not_ready(self, name: str, reason: str) -> None:
        """A way was needed and is not there; that is no outcome, and it does not rest."""
        if name not in NAMES:
            return
        told = {"unready_at": f"{time.time():.3f}", "unready_word": _few_words(reason)}

        def put(server: Any) -> None:
            with server.pipeline(transaction=False) as pipeline:
                pipeline.hset(f"{_WAY}{name}", mapping=told)
                pipeline.expire(f"{_WAY}{name}", KEPT_S)
                pipeline.execute()

        with suppress(RedisUnavailable):
            await execute_in_thread(put)

    async def _note(self, name: str, outcome: Outcome, word: str) -> None:
        if name not in NAMES:
            logger.warning("a way that is not known is not remembered: %.32s", name)
            return
        arguments = (outcome, _LETTERS[outcome], word, str(KEPT_S), str(TRIES), str(HOURS))
        with suppress(RedisUnavailable):
            await execute_in_thread(
                lambda server: server.eval(_NOTE, 1, f"{_WAY}{name}", *arguments)
            )


def _few_words(reason: str) -> str:
    return scrub(clean_text(reason, 500), MAX_REASON)


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
            pipeline.expire(_OFF, OFF_KEPT_S)
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
    unready_at, unready_reason: of the last time it was needed and was not there.
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
    unready_at: datetime | None = None
    unready_reason: str = ""

    @property
    def asked_at(self) -> datetime | None:
        """When it was last asked; None for never."""
        return max(filter(None, (self.served_at, self.refused_at, self.failed_at)), default=None)

    @property
    def is_unready(self) -> bool:
        """Whether it was not there when it was last needed."""
        if self.unready_at is None:
            return False
        return self.asked_at is None or self.asked_at < self.unready_at


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
    ends = SharedRests(_RESTS).until()
    return {
        name: _record(name, facts, ends.get(name), moment)
        for name, facts in zip(NAMES, kept, strict=True)
    }


def _record(name: str, facts: Mapping[str, str], ends: float | None, now: float) -> WayRecord:
    """A record as it is kept; what is none of ours counts as absent."""
    counts = dict.fromkeys(_LETTERS, 0)
    last_hour = int(now // 3600)
    for field, value in facts.items():
        kind, _, rest = field.partition(":")
        hour, _, outcome = rest.partition(":")
        at = values.whole(hour, 0, 10**8)
        if kind == "n" and outcome in counts and at is not None and at > last_hour - HOURS:
            counts[outcome] += values.whole(value, 0, 10**9) or 0
    tries = values.text(facts.get("tries"), TRIES) or ""
    tries = tries if set(tries) <= set("srf") else ""
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
        resting_until=None if ends is None else datetime.fromtimestamp(ends, UTC),
        unready_at=_past(facts.get("unready_at"), now),
        unready_reason=values.text(facts.get("unready_word"), MAX_REASON) or "",
    )


def _past(text: str | None, now: float) -> datetime | None:
    """A moment that is over; one from the future was told by a clock that was ahead."""
    at = values.number(text, 0.0, values.MAX_MOMENT)
    return None if at is None else datetime.fromtimestamp(min(at, now), UTC)
