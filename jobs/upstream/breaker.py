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
from uuid import uuid4

from jobs.ephemeral import leases, steady, values
from jobs.ephemeral.connection import RedisUnavailable, discard, execute
from jobs.errors import BY_CODE, is_refusal
from jobs.upstream.all_clear import BREAKER, all_clear
from stories.errors import RateLimited, Refusal, Refused

logger = logging.getLogger(__name__)

_BREAKER: Final = BREAKER
_PROBE: Final = "storykeep:breaker:probe"

PAUSES_S: Final = (60.0, 120.0, 300.0, 600.0, 900.0)
"""Seconds it stays open after the first refusal, the second in a row, …"""
MIN_RATE_LIMITED_S: Final = 60.0
MAX_PAUSE_S: Final = 6 * 60 * 60.0
_IMPOSSIBLE_S: Final = MAX_PAUSE_S + 60.0
"""A pause that ends later than this was reckoned by a clock that was ahead and is right by now."""
_AGREE_S: Final = 2.0
"""So far the system clock and the steady one may differ on the end of a pause, and agree."""
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
    """The breaker as this process knows it by itself. ends_at: by the steady clock. until: what was
    said of its end, in Unix seconds."""

    def __init__(self) -> None:
        self.close()

    @property
    def left_s(self) -> float:
        """Seconds until its pause is over."""
        return max(0.0, self.ends_at - steady.now())

    def open(self, left_s: float, until: float, code: str) -> None:
        """Nobody asks for so many seconds."""
        self.ends_at, self.until, self.code = steady.now() + left_s, until, code

    def close(self) -> None:
        """TikTok answers."""
        self.ends_at, self.until, self.code, self.refusals = 0.0, 0.0, "", 0

    def state(self, since: datetime | None = None) -> BreakerState:
        """The breaker, by the system clock as it stands."""
        return BreakerState(_end(self.left_s, self.until), self.code, since)


_local = LocalState()
_WRITTEN_S: Final = 0.001
_ANCHOR: Final = f"end:{steady.BOOT}"
"""The field that holds, for this machine, when the pause ends by the clock that nobody sets, behind
the `until` it was reckoned from: `1795000000.000|8123.456`."""


# Opens it, or opens it longer; while it is open a refusal counts as the same one. left: of the
# pause that is known under that `until`.
_OPEN: Final = """
local now, steady, asked = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local known, left, anchor, code = ARGV[4], tonumber(ARGV[5]), ARGV[6], ARGV[7]
local function number(text, high)
  local value = tonumber(text or nil)
  if value and value >= 0 and value <= high then return value end
end
local kept = redis.call('HMGET', KEYS[1], 'until', 'refusals', 'since')
local ends, refusals, since = kept[1] or '', number(kept[2], 1e6) or 0, kept[3]
if ends ~= known then return {} end
local pause = asked
if left <= 0 then
  refusals = refusals + 1
  pause = math.max(asked, tonumber(ARGV[8 + math.min(refusals, #ARGV - 8)]))
end
if pause > left + 1 then
  left, ends = pause, string.format('%.3f', now + pause)
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'until', ends, 'length', tostring(pause),
    anchor, ends .. '|' .. string.format('%.3f', steady + left))
end
redis.call('HSET', KEYS[1], 'refusals', refusals, 'code', code,
  'since', number(since, 1e11) and since or tostring(now))
redis.call('EXPIRE', KEYS[1], ARGV[8])
redis.call('DEL', KEYS[2])
return {string.format('%.3f', left), ends}
"""
_TRIES: Final = 5
"""Times a refusal is told, where others change the pause meanwhile."""


def _end(left_s: float, until: float) -> datetime:
    """When a pause is over, by the system clock as it stands. until: when it was said to be."""
    ends = time.time() + left_s
    if left_s > 0:
        # Where the clock was set since, in whole seconds: a page should not see it move.
        ends = until if abs(until - ends) <= _AGREE_S else float(round(ends))
    return datetime.fromtimestamp(ends, UTC)


def open_for(error: Refusal) -> datetime:
    """Open the breaker because of a refusal; until when nobody asks.

    The pause grows with refusals in a row and is never shorter than TikTok asked for, nor longer
    than MAX_PAUSE_S.
    """
    asked = min(error.retry_after_s or 0.0, MAX_PAUSE_S)
    if isinstance(error, RateLimited):
        asked = max(asked, MIN_RATE_LIMITED_S)
    before_s = _local.left_s
    if not before_s:
        _local.refusals += 1
    try:
        left_s, until = _open_shared(asked, error.code)
    except RedisUnavailable:
        longest = PAUSES_S[min(_local.refusals, len(PAUSES_S)) - 1]
        left_s, until = before_s, _local.until
        if not before_s:
            left_s = max(asked, longest)
            until = time.time() + left_s
    finally:
        all_clear.end()
    if left_s > before_s + 1:
        logger.warning("TikTok refuses this server (%s): pausing %.0f s", error.code, left_s)
    _local.open(left_s, until, error.code)
    return _local.state().until


def _open_shared(asked: float, code: str) -> tuple[float, float]:
    """Open the breaker of all workers; seconds left, and its end in Unix seconds.

    Raises RedisUnavailable.
    """
    for _ in range(_TRIES):
        known, left_s, *_ = _look()
        arguments = (
            *(repr(time.time()), repr(steady.now()), str(asked), known, repr(left_s)),
            *(_ANCHOR, code, str(_KEPT_S), *map(str, PAUSES_S)),
        )
        told = execute(lambda server: server.eval(_OPEN, 2, _BREAKER, _PROBE, *arguments))  # noqa: B023
        if told:
            left, until = cast("list[str]", told)
            return float(left), float(until)
    raise RedisUnavailable


def _look() -> tuple[str, float, str | None, str | None]:
    """The shared breaker: its `until` as it is written, the seconds left, code, since.

    How much is left is measured on each machine by the clock that nobody sets. A machine that has
    not seen this pause begins with what its system clock says, at most the length of the pause; one
    that is impossibly far off is over. Raises RedisUnavailable.
    """
    fields = ["until", "length", _ANCHOR, "code", "since"]
    until_text, length, anchor, code, since = execute(
        lambda server: cast("list[str | None]", server.hmget(_BREAKER, fields))
    )
    until = values.number(until_text, 0.0, values.MAX_MOMENT)
    if until_text is None or until is None:
        if until_text is not None:
            discard(_BREAKER)
        return "", 0.0, None, None
    reckoned_from, _, at = (anchor or "").rpartition("|")
    ends_at = values.number(at, 0.0, values.MAX_MOMENT)
    if reckoned_from == until_text and ends_at is not None:
        left_s = ends_at - steady.now()
        # It was written in whole milliseconds, and one that is over may not begin again.
        return until_text, min(left_s, MAX_PAUSE_S) if left_s > _WRITTEN_S else 0.0, code, since
    left_s = max(0.0, until - time.time())
    left_s = 0.0 if left_s > _IMPOSSIBLE_S else left_s
    longest = values.number(length, 0.0, MAX_PAUSE_S)
    left_s = min(left_s, MAX_PAUSE_S if longest is None else longest)
    mine = f"{until_text}|{steady.now() + left_s:.3f}"
    with suppress(RedisUnavailable):
        execute(lambda server: server.hset(_BREAKER, _ANCHOR, mine))
    return until_text, left_s, code, since


def open_state() -> BreakerState | None:
    """The breaker while it is open; None while TikTok is asked. For the pages' banner."""
    state = _state()
    return state if state is not None and _local.left_s else None


def shared_state() -> BreakerState | None:
    """The breaker all workers share: open, or waiting for a probe; None when it is closed.

    Raises RedisUnavailable: what this process knows by itself says nothing about the others.
    """
    until, left_s, code, since = _look()
    if not until or not code:
        _local.close()
        return None
    _local.open(left_s, float(until), code)
    return _local.state(values.moment(since))


def probe() -> BreakerState | None:
    """Ask leave for one item: None when it may go on, else the state against it, and until when.

    When the pause is over one item goes first, and the others wait for its outcome.
    """
    if _is_clear():
        return None
    state = _state()
    if state is None or _local.left_s:
        return state
    try:
        first = leases.acquire_key(_PROBE, uuid4().hex, seconds=PROBE_S)
    except RedisUnavailable:
        return None
    if first:
        return None
    return BreakerState(datetime.fromtimestamp(time.time() + PROBE_S / 4, UTC), state.code)


def record_answer() -> bool:
    """TikTok gave a real answer. True when that closes the breaker: items that wait may go on.

    An answer that comes while the breaker is open was asked for before it opened; it ends nothing.
    """
    if _is_clear() or _state() is None or _local.left_s:
        return False
    _local.close()
    with suppress(RedisUnavailable):
        execute(lambda server: server.delete(_BREAKER, _PROBE))
    return True


def raise_if_open() -> None:
    """Raise the Refusal that opened the breaker, with the seconds left; looks into Redis."""
    if not _is_clear():
        _state()
    raise_if_open_here()


def raise_if_open_here() -> None:
    """Raise the Refusal this process met by itself, while its pause lasts; asks Redis nothing."""
    if left_s := _local.left_s:
        kind = BY_CODE[_local.code] if is_refusal(_local.code) else Refused
        raise kind("this instance is pausing", retry_after_s=left_s)


def _is_clear() -> bool:
    """Whether the shared breaker is closed, by a look that may be a moment old."""
    if not all_clear.holds():
        return False
    _local.close()
    return True


def _state() -> BreakerState | None:
    """The shared breaker; while Redis is away, this process's own."""
    try:
        return shared_state()
    except RedisUnavailable:
        return _local.state() if _local.code else None
