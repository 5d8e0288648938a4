"""The weekly look for a newer protocol pack, where `STORYKEEP_PROTOCOL_UPDATES` asks for it."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from django.conf import settings

from jobs.choices import PackOrigin
from jobs.ephemeral import leases
from jobs.ephemeral.connection import RedisUnavailable
from jobs.upstream import protocol_look
from jobs.upstream.protocol_look import Outcome

logger = logging.getLogger(__name__)

EVERY: Final = timedelta(days=7)
AGAIN_AFTER: Final = timedelta(days=1)
"""The time from a look that failed to the next one."""
JITTER: Final = timedelta(hours=6)
"""Each look is up to so much later, so that instances do not come all at once."""
_LEASE: Final = "protocol_look"
_LEASE_S: Final = 120.0


def run(
    now: datetime,
    look: Callable[[PackOrigin], Outcome] = protocol_look.look_for_newer,
    jitter: Callable[[], float] = random.random,
) -> Outcome | None:
    """Look when that is due; what came of it, None when it is not, or Redis is away.

    look: looks. jitter: a share of JITTER, from 0 to 1.
    """
    if settings.STORYKEEP.protocol_updates != "weekly":
        return None
    try:
        last = protocol_look.last()
        # One that is far away was reckoned by a clock that was wrong.
        planned = last.next_at is not None and last.next_at <= now + EVERY + JITTER
        if not planned or last.next_at is None:
            protocol_look.record(replace(last, next_at=now + JITTER * jitter()))
            return None
        if now < last.next_at or not leases.acquire(_LEASE, uuid4().hex, seconds=_LEASE_S):
            return None
        # Before it: a process that dies of it does not look again and again.
        protocol_look.record(replace(last, next_at=now + AGAIN_AFTER + JITTER * jitter()))
        outcome = look(PackOrigin.WEEKLY)
        if not outcome.failed:
            next_at = now + EVERY + JITTER * jitter()
            protocol_look.record(replace(protocol_look.last(), next_at=next_at))
    except RedisUnavailable:
        return None
    if outcome.version:
        logger.info("the protocol pack %s was found and is in use", outcome.version)
    return outcome
