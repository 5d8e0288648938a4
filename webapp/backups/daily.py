"""The daily backup: one a day over all hosts, and a failure that admins are told of.

Whoever takes the message makes it, into the folder of its own host. It is due a day after the last
one, looked at every few minutes, so that an instance that was off at that hour has one too.
"""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from django.conf import settings

from jobs.ephemeral import backups as told
from jobs.ephemeral import leases
from jobs.ephemeral.connection import RedisUnavailable
from webapp.backups import kept, making
from webapp.backups.failures import BackupFailed

logger = logging.getLogger(__name__)

EVERY: Final = timedelta(hours=24) - timedelta(minutes=5)
"""A little less than a day, or it would be later each day."""
RETRY_AFTER: Final = timedelta(hours=1)
_LEASE: Final = "daily-backup"
_LEASE_S: Final = 60 * 60
"""A backup that takes longer than that is begun by another one as well, which does no harm."""


def run(now: datetime) -> bool:
    """Make the daily backup if it is due and switched on; whether it was made. Raises nothing."""
    if not settings.STORYKEEP.backup_daily or not _is_due(now):
        return False
    holder = uuid4().hex
    with suppress(RedisUnavailable):
        if not leases.acquire(_LEASE, holder, seconds=_LEASE_S):
            return False
    try:
        making.make("daily", making.passphrase(), now)
    except BackupFailed as error:
        logger.warning("no daily backup was made: %s", error.reason)
        if error.reason != "busy":
            told.record_failed(now, error.reason, socket.gethostname())
        return False
    finally:
        leases.release(_LEASE)
    logger.info("the daily backup was made")
    return True


def _is_due(now: datetime) -> bool:
    """Whether the last one, here or elsewhere, is a day old; after a failure, an hour later."""
    times = [backup.at for backup in kept.kept() if backup.kind == "daily"]
    with suppress(RedisUnavailable):
        made, failed = told.last_made(), told.last_failed()
        if failed and timedelta() <= now - failed.at < RETRY_AFTER:
            return False
        if made and made.kind == "daily":
            times.append(made.at)
    # One from the future is none: the clock was set back.
    return not any(timedelta() <= now - at < EVERY for at in times)
