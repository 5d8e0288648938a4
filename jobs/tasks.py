"""The doors Celery knocks at. Each may be opened twice, late, or never; none decides anything."""

from __future__ import annotations

import logging
from uuid import UUID, uuid4

from celery import shared_task
from django.db import OperationalError as DatabaseAway
from django.utils import timezone

from jobs.errors import Internal
from jobs.fetching import pipeline
from jobs.housekeeping import reaper
from jobs.housekeeping.sweep import sweep as sweep_now
from jobs.queue import settling
from jobs.queue.dispatch import decline
from jobs.queue.settling import ClaimLost, Stopping
from jobs.zips import claims, packing
from stories.errors import StoriesError

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def fetch_item(item_id: str) -> None:
    """Fetch one line. Safe to deliver twice: only a fresh claim does any work."""
    if settling.stopping.is_set():
        decline(UUID(item_id))
        return
    held = settling.take_turn(UUID(item_id))
    if held is None:
        return
    try:
        settling.finish(held, pipeline.run(held))
    except ClaimLost:
        logger.info("item %s is no longer ours", held.item_id)
    except Stopping:
        settling.release(held)
    except StoriesError as error:
        settling.fail(held, error)
    except DatabaseAway as error:
        # Locked or away: it may not even take down that we failed. The repair hands the item on.
        logger.warning("item %s is left to the repair: %s", held.item_id, error)
    except Exception as error:  # a bug: say so, do not try again
        if not settling.holds(held):  # its rows or files went away under it, as they may
            logger.info("item %s lost its claim: %s", held.item_id, type(error).__name__)
            return
        bug = uuid4().hex[:8]
        logger.exception("item %s crashed, bug %s", held.item_id, bug)
        settling.fail(held, Internal(bug))


@shared_task(ignore_result=True)
def pack_package(package_id: str) -> None:
    """Pack one ZIP that was asked for."""
    if settling.stopping.is_set():
        decline(UUID(package_id))
        return
    held = claims.claim(UUID(package_id))
    if held is None:
        return
    try:
        packing.run(held)
    except Stopping:
        claims.release(held)
    except StoriesError as error:
        claims.fail(held, error)
    except DatabaseAway as error:
        logger.warning("package %s is left to the repair: %s", held.package_id, error)
    except Exception:
        logger.exception("package %s crashed", held.package_id)
        claims.fail(held, Internal(uuid4().hex[:8]))


@shared_task(ignore_result=True)
def repair() -> None:
    """Every few seconds: what was lost is found, what is due is sent."""
    reaper.repair(timezone.now())


@shared_task(ignore_result=True)
def sweep() -> None:
    """Every minute: what has served its time goes."""
    sweep_now(timezone.now())
