"""The rate limit on requests to TikTok for pages and lists: one token bucket for all workers.

Media transfers are not limited here. `STORYKEEP_LIST_RATE` is the bucket's rate, `…_LIST_BURST` its
size; a rate of 0 means no limit.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from contextlib import suppress
from typing import Final, cast

from django.conf import settings

from jobs.ephemeral.connection import RedisUnavailable, execute
from jobs.upstream import breaker

_BUCKET: Final = "storykeep:pace"
MAX_WAIT_S: Final = 10 * 60.0
"""No request waits longer for its token; the item's own time limit ends it before."""

# Takes tokens, perhaps in advance: the answer is how many are left, in thousandths; less than none
# were taken in advance.
_TAKE: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local rate, burst, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function number(text, low)
  local value = tonumber(text or nil)
  if value and value >= low and value <= 1e15 then return value end
end
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(number(kept[1], -1e6) or burst, burst)
local at = math.min(number(kept[2], 0) or now, now)
tokens = math.min(burst, tokens + (now - at) / 1000 * rate) - count
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / rate * 1000) + 60000)
return math.floor(tokens * 1000)
"""


class TokenBucket:
    """A token bucket in this process. rate: tokens per second. burst: how many it holds."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = float(burst), time.monotonic()
        self._lock = threading.Lock()

    def take(self, count: int = 1) -> float:
        """Take tokens, in advance if need be; seconds to wait for them. A negative count returns
        tokens."""
        return max(0.0, -self.left_after(count) / self._rate)

    def left_after(self, count: int) -> float:
        """Take tokens; how many are left, less than none where they were taken in advance."""
        with self._lock:
            now = time.monotonic()
            earned = (now - self._at) * self._rate
            self._tokens = min(self._burst, self._tokens + earned) - count
            self._at = now
            return self._tokens


_local_buckets: dict[tuple[float, int], TokenBucket] = {}
_seen_left: tuple[float, float] | None = None
"""The tokens that were left when this process last took one, and when that was."""


def rate() -> float:
    """How many requests a second the limit allows; infinite without one."""
    return settings.STORYKEEP.list_rate or math.inf


def tokens_left() -> float:
    """How many requests could go at once, as far as this process knows; below 0 the next ones wait.

    Looks at nothing: what others have taken since its own last request it learns with the next.
    """
    if rate() == math.inf:
        return math.inf
    burst = float(settings.STORYKEEP.list_burst)
    if _seen_left is None:
        return burst
    left, at = _seen_left
    return min(burst, left + (time.monotonic() - at) * rate())


def _take(count: int = 1) -> float:
    """Take tokens from the instance's bucket; seconds to wait for them."""
    global _seen_left  # of the process, as what it takes is
    per_s, burst = settings.STORYKEEP.list_rate, settings.STORYKEEP.list_burst
    try:
        thousandths = execute(
            lambda server: server.eval(_TAKE, 1, _BUCKET, str(per_s), str(burst), str(count))
        )
    except RedisUnavailable:
        bucket = _local_buckets.setdefault((per_s, burst), TokenBucket(per_s, burst))
        left = bucket.left_after(count)
    else:
        left = int(cast("int", thousandths)) / 1000
    _seen_left = left, time.monotonic()
    return max(0.0, -left / per_s)


async def acquire(*, at_once: bool = False) -> None:
    """Wait until this instance may send one page or list request.

    at_once: take a token and do not wait for it, as the answer to a challenge must. Raises the
    Refusal that opened the breaker while it is open.
    """
    if not settings.STORYKEEP.list_rate:
        breaker.raise_if_open_here()
        return
    await acquire_token(at_once=at_once)
    await asyncio.to_thread(breaker.raise_if_open)


async def acquire_token(*, at_once: bool = False) -> None:
    """Wait for a token whatever the breaker says: for the one look an admin asks for.

    A token whose waiter is cancelled is returned. at_once: take a token and do not wait for it.
    """
    if not settings.STORYKEEP.list_rate:
        return
    wait_s = await asyncio.to_thread(_take)
    if wait_s > 0 and not at_once:
        try:
            await asyncio.sleep(min(wait_s, MAX_WAIT_S))
        except asyncio.CancelledError:
            with suppress(RuntimeError):  # the loop is going away
                asyncio.get_running_loop().run_in_executor(None, _take, -1)
            raise
