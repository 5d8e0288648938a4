"""How this instance treats TikTok: one shared pace, one breaker, one cache of identities.

All three live in Redis, so that every worker keeps to the same. While Redis is away each process
keeps its own pace and its own breaker: fewer promises, but still polite.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

import redis
from django.conf import settings

from jobs.ephemeral.progress import RedisAway, ask
from jobs.errors import BY_CODE
from stories.errors import RateLimited, Refusal, Refused
from stories.structures import Author

logger = logging.getLogger(__name__)
T = TypeVar("T")

_PACE: Final = "storykeep:pace"
_BREAKER: Final = "storykeep:breaker"
_PROBE: Final = "storykeep:breaker:probe"
_IDENTITY: Final = "storykeep:identity:"

PAUSES_S: Final = (60.0, 120.0, 300.0, 600.0, 900.0)
"""How long nobody asks after the first refusal, the second in a row, …"""
LEAST_RATE_LIMITED_S: Final = 60.0
LONGEST_PAUSE_S: Final = 6 * 60 * 60.0
PROBE_S: Final = 60.0
"""How long one item may find out whether TikTok answers again, before another one tries."""
LONGEST_WAIT_S: Final = 10 * 60.0
"""No request waits longer for its turn; the item's own time limit ends it before."""
_BREAKER_KEPT_S: Final = 24 * 60 * 60
IDENTITY_KEPT_S: Final = 24 * 60 * 60


async def _aside(question: Callable[[redis.Redis], T]) -> T:
    """Ask Redis from the event loop, without blocking it."""
    return await asyncio.to_thread(ask, question)


# --- pace ---------------------------------------------------------------------------------------

# Takes one turn, perhaps in advance: the answer is how long to wait for it, in milliseconds.
_RESERVE: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local rate, burst, turns = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(tonumber(kept[1]) or burst, burst)
local at = math.min(tonumber(kept[2]) or now, now)
tokens = math.min(burst, tokens + (now - at) / 1000 * rate) - turns
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / rate * 1000) + 60000)
return tokens < 0 and math.ceil(-tokens / rate * 1000) or 0
"""


class Bucket:
    """A token bucket in this process, for when Redis is away. Times in seconds."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = float(burst), time.monotonic()
        self._lock = threading.Lock()

    def reserve(self, turns: int = 1) -> float:
        """Take turns (a negative number gives back); how long to wait for them."""
        with self._lock:
            now = time.monotonic()
            earned = (now - self._at) * self._rate
            self._tokens = min(self._burst, self._tokens + earned) - turns
            self._at = now
            return max(0.0, -self._tokens / self._rate)


_buckets: dict[tuple[float, int], Bucket] = {}


def _reserve(turns: int = 1) -> float:
    """Take turns at asking TikTok, for the whole instance; how long to wait, in seconds."""
    rate, burst = settings.STORYKEEP.list_rate, settings.STORYKEEP.list_burst
    try:
        wait_ms = ask(
            lambda server: server.eval(_RESERVE, 1, _PACE, str(rate), str(burst), str(turns))
        )
    except RedisAway:
        return _buckets.setdefault((rate, burst), Bucket(rate, burst)).reserve(turns)
    return int(cast("int", wait_ms)) / 1000


async def gate(*, at_once: bool = False) -> None:
    """Wait for this instance's turn to send one page or list request.

    at_once: count it and do not wait, as the answer to a challenge must. Raises the refusal that
    opened the breaker when TikTok is not to be asked now.
    """
    if not settings.STORYKEEP.list_rate:
        _refuse_while_open(_local.until)
        return
    await turn(at_once=at_once)
    status = await asyncio.to_thread(breaker_status)
    if status:
        _refuse_while_open(status.until)


async def turn(*, at_once: bool = False) -> None:
    """Wait for a turn alone, whatever the breaker says: for the one look an admin asks for.

    A turn that is given up while waiting goes back.
    """
    if not settings.STORYKEEP.list_rate:
        return
    wait_s = await asyncio.to_thread(_reserve)
    if wait_s > 0 and not at_once:
        try:
            await asyncio.sleep(min(wait_s, LONGEST_WAIT_S))
        except asyncio.CancelledError:
            with suppress(RuntimeError):  # the loop is going away
                asyncio.get_running_loop().run_in_executor(None, _reserve, -1)
            raise


# --- breaker ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Breaker:
    """TikTok is turning this server away: nobody asks before `until`. code: of the refusal."""

    until: datetime
    code: str


class _Local:
    """What this process knows of the breaker by itself."""

    def __init__(self) -> None:
        self.until = 0.0
        self.code = ""
        self.refusals = 0

    def close(self) -> None:
        self.until, self.code, self.refusals = 0.0, "", 0


_local = _Local()


def forget() -> None:
    """Drop what this process knows by itself."""
    _local.close()
    _buckets.clear()


# Opens it, or opens it longer; what is open already counts as the same refusal.
_TRIP: Final = """
local now, asked, code = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local kept = redis.call('HMGET', KEYS[1], 'until', 'refusals')
local open_until, refusals = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0
local pause = asked
if open_until <= now then
  refusals = refusals + 1
  pause = math.max(asked, tonumber(ARGV[4 + math.min(refusals, #ARGV - 4)]))
end
if now + pause > open_until + 1 then open_until = now + pause end
redis.call('HSET', KEYS[1], 'until', tostring(open_until), 'refusals', refusals, 'code', code)
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('DEL', KEYS[2])
return tostring(open_until)
"""


def trip(error: Refusal) -> datetime:
    """TikTok refused: nobody asks until the time returned.

    The pause grows with refusals in a row and is never shorter than what TikTok asked for.
    """
    now = time.time()
    asked = min(error.retry_after_s or 0.0, LONGEST_PAUSE_S)
    if isinstance(error, RateLimited):
        asked = max(asked, LEAST_RATE_LIMITED_S)
    if _local.until <= now:
        _local.refusals += 1
    mine = max(asked, PAUSES_S[min(_local.refusals, len(PAUSES_S)) - 1])
    try:
        until = float(
            cast(
                "str",
                ask(
                    lambda server: server.eval(
                        _TRIP,
                        2,
                        _BREAKER,
                        _PROBE,
                        repr(now),
                        str(asked),
                        error.code,
                        str(_BREAKER_KEPT_S),
                        *map(str, PAUSES_S),
                    )
                ),
            )
        )
    except RedisAway:
        until = _local.until if _local.until > now else now + mine
    if until > _local.until:
        logger.warning("TikTok refuses this server (%s): pausing %.0f s", error.code, until - now)
    _local.until, _local.code = until, error.code
    return datetime.fromtimestamp(until, UTC)


def breaker_status() -> Breaker | None:
    """The open breaker, for the banner; None while TikTok answers."""
    kept = _kept()
    if kept is None or kept.until.timestamp() <= time.time():
        return None
    return kept


def standing() -> Breaker | None:
    """The breaker all workers share: open, or waiting for a first try; None when it is closed.

    Raises RedisAway: what this process knows by itself says nothing about the others.
    """
    return _shared()


def may_ask() -> Breaker | None:
    """May an item ask TikTok now? None: go on. Else what stands against it, and until when.

    When a pause is over one item goes first, and the others wait for what it finds.
    """
    kept = _kept()
    if kept is None:
        return None
    now = time.time()
    if kept.until.timestamp() > now:
        return kept
    try:
        first = ask(lambda server: server.set(_PROBE, "1", nx=True, px=int(PROBE_S * 1000)))
    except RedisAway:
        return None
    if first:
        return None
    return Breaker(datetime.fromtimestamp(now + PROBE_S / 4, UTC), kept.code)


def answered() -> bool:
    """TikTok gave a real answer. True when that ends a pause: who waits for it may go on.

    An answer that comes while a pause still runs was asked for before it; it ends nothing.
    """
    kept = _kept()
    if kept is None or kept.until.timestamp() > time.time():
        return False
    _local.close()
    with suppress(RedisAway):
        ask(lambda server: server.delete(_BREAKER, _PROBE))
    return True


def _kept() -> Breaker | None:
    """The breaker as it stands; while Redis is away, as this process knows it by itself."""
    try:
        return _shared()
    except RedisAway:
        if not _local.code:
            _local.close()
            return None
        return Breaker(datetime.fromtimestamp(_local.until, UTC), _local.code)


def _shared() -> Breaker | None:
    until, code = ask(
        lambda server: cast("list[str | None]", server.hmget(_BREAKER, ["until", "code"]))
    )
    if not until or not code:
        _local.close()
        return None
    _local.until, _local.code = float(until), code
    return Breaker(datetime.fromtimestamp(float(until), UTC), code)


def _refuse_while_open(until: float | datetime) -> None:
    at = until.timestamp() if isinstance(until, datetime) else until
    left = at - time.time()
    if left > 0:
        kind = BY_CODE.get(_local.code, Refused)
        raise (kind if issubclass(kind, Refusal) else Refused)(
            "this instance is pausing", retry_after_s=left
        )


# --- identities ---------------------------------------------------------------------------------


class Identities:
    """Whose name belongs to which account, remembered about a day."""

    async def get(self, name: str) -> Author | None:
        """The account that had this name a while ago; the answer may be out of date."""
        with suppress(RedisAway, ValueError, TypeError):
            text = await _aside(lambda server: cast("str | None", server.get(_key(name))))
            if text:
                return Author(**cast("dict[str, Any]", json.loads(text)))
        return None

    async def put(self, author: Author) -> None:
        """Remember an account under its name."""
        text = json.dumps(asdict(author))
        with suppress(RedisAway):
            await _aside(lambda server: server.set(_key(author.name), text, ex=IDENTITY_KEPT_S))

    async def forget(self, name: str) -> None:
        """The name leads elsewhere now."""
        with suppress(RedisAway):
            await _aside(lambda server: server.delete(_key(name)))


def identities() -> Identities:
    """The cache all workers share."""
    return Identities()


def _key(name: str) -> str:
    return _IDENTITY + name.lower()
