"""The circuit breaker: when TikTok turns this server away, the whole instance stops asking.

It opens with the first refusal, longer with each one in a row. When its time is over, one item
probes; the first real answer closes it.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, cast

from jobs.ephemeral.connection import RedisUnavailable, execute
from jobs.errors import BY_CODE, is_refusal
from stories.errors import RateLimited, Refusal, Refused

logger = logging.getLogger(__name__)

_BREAKER: Final = "storykeep:breaker"
_PROBE: Final = "storykeep:breaker:probe"

PAUSES_S: Final = (60.0, 120.0, 300.0, 600.0, 900.0)
"""Seconds it stays open after the first refusal, the second in a row, …"""
MIN_RATE_LIMITED_S: Final = 60.0
MAX_PAUSE_S: Final = 6 * 60 * 60.0
_IMPOSSIBLE_S: Final = MAX_PAUSE_S + 60.0
"""A pause that ends later than this was reckoned by a clock that was ahead and is right by now."""
PROBE_S: Final = 60.0
"""Seconds one item may find out whether TikTok answers again, before another one tries."""
_KEPT_S: Final = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class BreakerState:
    """An open breaker: nobody asks before `until`. code: of the refusal that opened it.

    since: when the first refusal in a row came; None when not known.
    """

    until: datetime
    code: str
    since: datetime | None = field(default=None, compare=False)


class LocalState:
    """The breaker as this process knows it by itself. until: Unix seconds."""

    def __init__(self) -> None:
        self.until = 0.0
        self.code = ""
        self.refusals = 0

    def close(self) -> None:
        """TikTok answers."""
        self.until, self.code, self.refusals = 0.0, "", 0


_local = LocalState()


# Opens it, or opens it longer; while it is open a refusal counts as the same one.
_OPEN: Final = """
local now, asked, code = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local kept = redis.call('HMGET', KEYS[1], 'until', 'refusals')
local open_until, refusals = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0
local pause = asked
if open_until > now + tonumber(ARGV[5]) then open_until = 0 end
if open_until <= now then
  refusals = refusals + 1
  pause = math.max(asked, tonumber(ARGV[5 + math.min(refusals, #ARGV - 5)]))
end
if now + pause > open_until + 1 then open_until = now + pause end
redis.call('HSET', KEYS[1], 'until', tostring(open_until), 'refusals', refusals, 'code', code)
redis.call('HSETNX', KEYS[1], 'since', tostring(now))
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('DEL', KEYS[2])
return tostring(open_until)
"""


def open_for(error: Refusal) -> datetime:
    """Open the breaker because of a refusal; until when nobody asks.

    The pause grows with refusals in a row and is never shorter than TikTok asked for.
    """
    now = time.time()
    _local.until = _possible(_local.until)
    asked = min(error.retry_after_s or 0.0, MAX_PAUSE_S)
    if isinstance(error, RateLimited):
        asked = max(asked, MIN_RATE_LIMITED_S)
    if _local.until <= now:
        _local.refusals += 1
    local_pause = max(asked, PAUSES_S[min(_local.refusals, len(PAUSES_S)) - 1])
    limits = (str(_KEPT_S), str(_IMPOSSIBLE_S))
    arguments = (repr(now), str(asked), error.code, *limits, *map(str, PAUSES_S))
    try:
        until = float(
            cast("str", execute(lambda server: server.eval(_OPEN, 2, _BREAKER, _PROBE, *arguments)))
        )
    except RedisUnavailable:
        until = _local.until if _local.until > now else now + local_pause
    if until > _local.until:
        logger.warning("TikTok refuses this server (%s): pausing %.0f s", error.code, until - now)
    _local.until, _local.code = until, error.code
    return datetime.fromtimestamp(until, UTC)


def open_state() -> BreakerState | None:
    """The breaker while it is open; None while TikTok is asked. For the pages' banner."""
    state = _state()
    if state is None or state.until.timestamp() <= time.time():
        return None
    return state


def shared_state() -> BreakerState | None:
    """The breaker all workers share: open, or waiting for a probe; None when it is closed.

    Raises RedisUnavailable: what this process knows by itself says nothing about the others.
    """
    until, code, since = execute(
        lambda server: cast("list[str | None]", server.hmget(_BREAKER, ["until", "code", "since"]))
    )
    if not until or not code:
        _local.close()
        return None
    _local.until, _local.code = _possible(float(until)), code
    begun = datetime.fromtimestamp(float(since), UTC) if since else None
    return BreakerState(datetime.fromtimestamp(_local.until, UTC), code, begun)


def end_pause() -> None:
    """End the time of a pause, for the clock was set back: one item tries whether TikTok answers.

    While Redis is away this process's own pause ends.
    """
    now = time.time()
    _local.until = min(_local.until, now)
    with suppress(RedisUnavailable):
        if execute(lambda server: server.exists(_BREAKER)):
            execute(lambda server: server.hset(_BREAKER, "until", repr(now)))


def probe() -> BreakerState | None:
    """Ask leave for one item: None when it may go on, else the state against it, and until when.

    When the pause is over one item goes first, and the others wait for its outcome.
    """
    state = _state()
    if state is None:
        return None
    now = time.time()
    if state.until.timestamp() > now:
        return state
    try:
        first = execute(lambda server: server.set(_PROBE, "1", nx=True, px=int(PROBE_S * 1000)))
    except RedisUnavailable:
        return None
    if first:
        return None
    return BreakerState(datetime.fromtimestamp(now + PROBE_S / 4, UTC), state.code)


def record_answer() -> bool:
    """TikTok gave a real answer. True when that closes the breaker: items that wait may go on.

    An answer that comes while the breaker is open was asked for before it opened; it ends nothing.
    """
    state = _state()
    if state is None or state.until.timestamp() > time.time():
        return False
    _local.close()
    with suppress(RedisUnavailable):
        execute(lambda server: server.delete(_BREAKER, _PROBE))
    return True


def raise_if_open() -> None:
    """Raise the Refusal that opened the breaker, with the seconds left; one look into Redis."""
    state = open_state()
    if state is not None:
        _raise_until(state.until.timestamp())


def raise_if_open_here() -> None:
    """Raise the Refusal this process met by itself, while its pause lasts; asks Redis nothing."""
    _raise_until(_local.until)


def _possible(until: float) -> float:
    """The end of a pause, in Unix seconds; now for one further off than any pause can be."""
    now = time.time()
    return until if until <= now + _IMPOSSIBLE_S else now


def _raise_until(until: float) -> None:
    left_s = _possible(until) - time.time()
    if left_s > 0:
        kind = BY_CODE[_local.code] if is_refusal(_local.code) else Refused
        raise kind("this instance is pausing", retry_after_s=left_s)


def _state() -> BreakerState | None:
    """The shared breaker; while Redis is away, this process's own."""
    try:
        return shared_state()
    except RedisUnavailable:
        if not _local.code:
            _local.close()
            return None
        _local.until = _possible(_local.until)
        return BreakerState(datetime.fromtimestamp(_local.until, UTC), _local.code)
