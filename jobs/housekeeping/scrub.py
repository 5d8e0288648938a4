"""The scrub: reads every saved file once within its life, and gives up what is damaged.

Files are read in the order of their ids, which are random: a share of all ids is a share of all
files, and within PASS_SHARE of a file's life the reading has come round. Nothing is noted of a file
but how far that is, and of several workers one reads (a lease).

It reads slowly, past the page cache, and stops between two pieces when its process is to end.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from jobs.ephemeral import heartbeats, leases, scrub_position
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.scrub_position import ScrubPosition
from jobs.files import damage, disk, store
from jobs.models import Artifact
from jobs.queue.shutdown import ShutdownRequested, shutdown_requested
from stories.errors import StoriesError

logger = logging.getLogger(__name__)

PASS_SHARE: Final = 0.8
"""Of the life of a file: all ids come round within this much of it, and a late start is made up."""
LONGEST_PASS: Final = timedelta(hours=12)
"""What lives for days is read twice a day: damage is found while TikTok still has the story."""
BYTES_PER_S: Final = 32 * 1024 * 1024
"""How fast is read at most; 115 GB an hour. Where more is kept, a pass takes longer."""
LEASE_S: Final = 15 * 60.0
"""Renewed with every file; 30 GB take less."""
BATCH: Final = 100

_IDS: Final = 1 << 128
READ_AGAIN_S: Final = 30
"""A file that could not be read is read again after so many seconds: a disk that was reset fails
for as long."""


def pass_s() -> float:
    """Seconds within which every file is read once."""
    life: timedelta = settings.STORYKEEP.artifact_ttl
    return min(PASS_SHARE * life, LONGEST_PASS).total_seconds()


class Scrub:
    """Reads the files whose turn has come, and goes on where any worker stopped.

    now_s: Unix seconds. sleep: waits so many seconds.
    """

    def __init__(
        self, now_s: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._id = uuid4().hex
        self._now_s, self._sleep = now_s, sleep

    def run(self) -> int:
        """Read the share that is due; how many files were given up, those linked to them included.

        Nothing is read while Redis is away, while another worker reads, or while the disk does not
        answer. Raises ShutdownRequested.
        """
        try:
            if not leases.acquire("scrub", self._id, seconds=LEASE_S):
                return 0
            begin = scrub_position.load()
        except RedisUnavailable:
            return 0
        try:
            return self._read_due(begin)
        except (OSError, StoriesError) as error:
            logger.warning("saved files cannot be read: %s", error)
            return 0
        finally:
            leases.release("scrub")

    def _read_due(self, begin: ScrubPosition | None) -> int:
        now = self._now_s()
        begin = begin or ScrubPosition(0, now - heartbeats.SWEEP_EVERY_S)
        # A clock that was set leads to no more than one whole pass, and no less than a step.
        since_s = min(max(now - begin.at, heartbeats.SWEEP_EVERY_S), pass_s())
        span = int(_IDS * since_s / pass_s())
        given_up = 0
        for artifact in _due(begin.id, span):
            given_up += self._read(artifact)
            scrub_position.store(ScrubPosition(artifact.pk.int, begin.at))
            with suppress(RedisUnavailable):
                leases.acquire("scrub", self._id, seconds=LEASE_S)
        scrub_position.store(ScrubPosition((begin.id + span) % _IDS, now))
        return given_up

    def _read(self, artifact: Artifact) -> int:
        """Read one file; how many were given up for it."""
        try:
            with store.open_artifact(artifact.pk) as file:
                damage.forget_cached(file)
                whole = damage.is_whole(file, artifact, self._pause)
                damage.forget_cached(file)
        except FileNotFoundError:
            return 0  # deleted this moment; of what is missing otherwise the sweep takes care
        except disk.StorageNotMounted:
            raise
        except OSError as error:
            disk.probe_write()  # where the whole disk fails, that says nothing of this file
            if error.errno not in damage.BAD_BLOCK:
                # Nor may one that cannot be opened keep all behind it from being read.
                logger.warning("file %s cannot be read: %s", artifact.pk, error.strerror)
                return 0
            for _ in range(READ_AGAIN_S):
                self._pause(BYTES_PER_S)
            whole = False
        return 0 if whole else len(damage.give_up([artifact]))

    def _pause(self, size_bytes: int) -> None:
        if shutdown_requested.is_set():
            raise ShutdownRequested
        self._sleep(size_bytes / BYTES_PER_S)


def _due(begin: int, span: int) -> Iterator[Artifact]:
    """The files to read: with ids of this span behind `begin`, on from the first after the last.

    Of files that are one on the disk, the first is read for all while it is there.
    """
    first = Artifact.objects.filter(pk=OuterRef("content_id"), removed_at=None)
    files = Artifact.objects.filter(~Exists(first), removed_at=None)
    end = begin + span
    yield from _in_order(files, begin, min(end, _IDS - 1))
    if end >= _IDS:
        yield from _in_order(files, -1, min(end - _IDS, begin))


def _in_order(files: QuerySet[Artifact], after: int, until: int) -> Iterator[Artifact]:
    """Files with ids in (after, until], a few at a time: reading takes long."""
    while after < until:
        rows = files.filter(pk__lte=UUID(int=until))
        if after >= 0:
            rows = rows.filter(pk__gt=UUID(int=after))
        batch = list(rows.order_by("pk")[:BATCH])
        yield from batch
        if len(batch) < BATCH:
            return
        after = batch[-1].pk.int


scrub: Final = Scrub()
"""This process's own."""
