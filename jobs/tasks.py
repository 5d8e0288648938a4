"""Celery's tasks. Each may be delivered twice, late, or never; none decides anything.

Their names are the broker's: `jobs/queue/broker.py` and the schedule send them.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from jobs.errors import DiskFault, Internal, new_bug_id
from jobs.housekeeping import protocol_updates, reaper
from jobs.housekeeping import scrub as scrubbing
from jobs.housekeeping import sweep as sweeping
from jobs.queue import claims, routing, settling
from jobs.queue.claims import Claim, ClaimLost
from jobs.queue.dispatch import (
    be_alone_in_turn,
    claim_next,
    dispatch,
    reject_message,
    reject_package,
)
from jobs.queue.in_hand import Place, in_hand
from jobs.queue.look_ups import PATIENCE_S, LookUp, look_ups
from jobs.queue.passing_on import DATABASE_IS_AWAY, pass_on
from jobs.queue.shutdown import ShutdownRequested
from jobs.watching import looks
from jobs.watching.looks import Look
from jobs.zips import claims as zip_claims
from jobs.zips import packing
from jobs.zips.claims import PackageClaim
from stories.errors import StoriesError

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def fetch_item(item_id: str) -> None:
    """Fetch one line. Safe to deliver twice: only a fresh claim does any work."""
    try:
        _fetch_next(UUID(item_id))
    except DATABASE_IS_AWAY as error:
        pass_on(routing.FETCH_ITEM, UUID(item_id), error)


def _fetch_next(item_id: UUID) -> None:
    """Fetch what is next, if there is a place for it. item_id: of the line the message is about."""
    try:
        look_up = look_ups.begin()
    except ShutdownRequested:
        look_up = None
    if look_up is None:
        reject_message(item_id)
        return
    with look_up:
        place = in_hand.begin()
        if place is None:
            reject_message(item_id)
            return
        with place:
            claim = claim_next(item_id, place)
            if claim is not None:
                _work_on(claim, look_up)
            was_alone = place.is_alone
        if was_alone:  # messages sent meanwhile are too old by now
            dispatch()


def _work_on(claim: Claim, look_up: LookUp) -> None:
    try:
        # Loaded with the first line: a worker that has nothing to fetch need not hold the client.
        from jobs.fetching import pipeline

        settling.finish(claim, pipeline.run(claim, on_list=look_up.end))
    except ClaimLost:
        logger.info("item %s is no longer ours", claim.item_id)
    except ShutdownRequested:
        claims.release(claim)
    except StoriesError as error:
        settling.fail(claim, error)
    except DATABASE_IS_AWAY as error:
        # Locked, away, full or read-only: it may not even record that we failed. The reaper hands
        # the item on.
        logger.warning("item %s is left to the reaper: %s", claim.item_id, error)
    except Exception as error:  # a bug: say so, do not try again
        if not claims.is_held(claim):  # its rows or files went away under it, as they may
            logger.info("item %s lost its claim: %s", claim.item_id, type(error).__name__)
            return
        bug_id = new_bug_id()
        logger.exception("item %s crashed, bug %s", claim.item_id, bug_id)
        settling.fail(claim, Internal(bug_id))


@shared_task(ignore_result=True)
def pack_package(package_id: str) -> None:
    """Pack one ZIP that was asked for. Safe to deliver twice."""
    place = in_hand.begin(PATIENCE_S)
    if place is None:
        reject_package(UUID(package_id))
        return
    try:
        with place:
            claim = _claim_package(UUID(package_id), place)
            if claim is not None:
                _pack(claim)
    except DATABASE_IS_AWAY as error:
        pass_on(routing.PACK_PACKAGE, UUID(package_id), error)


def _claim_package(package_id: UUID, place: Place) -> PackageClaim | None:
    alone = zip_claims.is_to_be_alone(package_id)
    if place.must_yield or (alone and not be_alone_in_turn(place)):
        reject_package(package_id)
        return None
    return zip_claims.claim(package_id, alone=alone)


def _pack(claim: PackageClaim) -> None:
    try:
        packing.run(claim)
    except ShutdownRequested:
        zip_claims.release(claim)
    except DiskFault as error:
        logger.warning("package %s waits for the disk: %s", claim.package_id, error.detail)
        zip_claims.wait(claim)
    except StoriesError as error:
        zip_claims.fail(claim, error)
    except DATABASE_IS_AWAY as error:
        logger.warning("package %s is left to the reaper: %s", claim.package_id, error)
    except Exception:
        bug_id = new_bug_id()
        logger.exception("package %s crashed, bug %s", claim.package_id, bug_id)
        zip_claims.fail(claim, Internal(bug_id))


@shared_task(ignore_result=True)
def repair() -> None:
    """Requeue what lost workers held and send what is due, every few seconds."""
    reaper.requeue_stalled(timezone.now())


@shared_task(ignore_result=True)
def sweep() -> None:
    """Remove expired files, orphans, abandoned workspaces and old jobs; runs every minute."""
    sweeping.sweep(timezone.now())
    protocol_updates.run(timezone.now())


@shared_task(ignore_result=True)
def watch() -> None:
    """Send for the looks at watched accounts that are due; runs every minute."""
    looks.tick(timezone.now())


@shared_task(ignore_result=True)
def look(account_id: str) -> None:
    """Look at one watched account. Safe to deliver twice: only a fresh claim does any work."""
    with suppress(ShutdownRequested):
        try:
            _look_at(UUID(account_id))
        except DATABASE_IS_AWAY as error:
            logger.warning("a look is left to the next time: %s", error)


def _look_at(account_id: UUID) -> None:
    part = look_ups.begin()
    if part is None:  # the clock sends again
        return
    with part:
        claimed = looks.claim(account_id)
        if claimed is not None:
            _make(claimed)


def _make(claimed: Look) -> None:
    # Loaded with the first look, as the pipeline is with the first line.
    from jobs.fetching import looking

    try:
        looking.run(claimed)
    except DATABASE_IS_AWAY:
        raise
    except Exception:  # a bug: say so, and do not try again at once
        bug_id = new_bug_id()
        logger.exception("a look crashed, bug %s", bug_id)
        looks.note_failure(claimed, Internal.code)


@shared_task(ignore_result=True)
def scrub() -> None:
    """Read a share of the saved files, and give up what is damaged; runs every minute."""
    with suppress(ShutdownRequested):
        scrubbing.scrub.run()


@shared_task(ignore_result=True)
def fill_library() -> None:
    """Write what is wanted into the library, and send it to Immich; runs every few seconds."""
    # Loaded where there is a library: with it comes what puts dates into pictures.
    from jobs.library import run

    run.run()
