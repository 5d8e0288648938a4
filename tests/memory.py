"""What a process remembers of Redis and of TikTok by itself, forgotten between tests."""

from __future__ import annotations

import math

from jobs.ephemeral import connection
from jobs.ephemeral.connection import Availability
from jobs.upstream import breaker, rate_limit, ways
from jobs.upstream.all_clear import all_clear
from jobs.upstream.breaker import LocalState
from jobs.upstream.ways import LastKnown


def forget_redis() -> None:
    """Ask Redis again at once, whatever it last did."""
    connection.availability = Availability()


def forget_tiktok() -> None:
    """A closed breaker and a full bucket, as in a process that has just started."""
    all_clear.end()
    breaker._local = LocalState()
    rate_limit._local_buckets.clear()
    rate_limit._seen_left = None
    ways._last_known = LastKnown()


def redis_stays_away() -> None:
    """Have every command fail at once, until `forget_redis`."""
    connection.availability = Availability()
    connection.availability._retry_at = math.inf
