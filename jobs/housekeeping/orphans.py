"""Orphans: rows whose file is missing, and files without a row, found by comparing the two.

A share of the folders is compared at each sweep, so that a minute costs the same however many files
are kept; after a start all of them, for the process before may have died between row and file.
Those with files that wait to be deleted are compared once more when their time has come.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from jobs.ephemeral import orphan_files
from jobs.ephemeral.orphan_files import WaitingOrphans
from jobs.files import damage, store
from jobs.files.deletion import DeletionTally, batches
from jobs.files.disk import SHARDS
from jobs.files.stores import StoredFile
from jobs.models import Artifact

logger = logging.getLogger(__name__)

ORPHAN_GRACE: Final = timedelta(minutes=15)
"""A file without a row may be about to get one, a row without a file cannot; only files wait."""
ARRIVAL: Final = timedelta(minutes=1)
"""A file younger than this is counted as one that arrives, and not as an orphan that waits."""
SHARDS_A_SWEEP: Final = 8
"""Folders compared at a sweep: all 256 in 32 sweeps, which come once a minute."""


@dataclass(frozen=True, slots=True)
class Orphans:
    """The counts of rows marked as removed, and of files deleted."""

    rows: int = 0
    files: int = 0


class Comparison:
    """Compares rows and files folder by folder, and goes on where it stopped. For threads.

    The first run of a process compares all folders.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: int | None = None

    def run(self, now: datetime, tally: DeletionTally, *, whole: bool = False) -> Orphans:
        """Compare the folders that are due: mark rows whose file is missing or not whole, as after
        a power cut, and delete files whose worker died between storing and recording them.

        whole: compare all folders.
        """
        with self._lock:
            begin = self._next
            count = len(SHARDS) if begin is None or whole else SHARDS_A_SWEEP
            self._next = ((begin or 0) + count) % len(SHARDS)
        rows = files = 0
        starts = range(begin or 0, (begin or 0) + count, SHARDS_A_SWEEP)
        due = [place for place, found in orphan_files.by_place().items() if found.until <= now]
        for first in dict.fromkeys([start % len(SHARDS) for start in starts] + due):
            found = _compare(SHARDS[first : first + SHARDS_A_SWEEP], now, tally)
            rows, files = rows + found.rows, files + found.files
        return Orphans(rows, files)


comparison: Final = Comparison()
"""This process's own."""


def _compare(shards: Sequence[str], now: datetime, tally: DeletionTally) -> Orphans:
    """Compare neighbouring folders with their rows, which one query brings.

    Rows are read before the files: a file goes after its row, and what is missing here was so when
    the row said that it was there.
    """
    first, last = UUID(shards[0] + "0" * 30), UUID(shards[-1] + "f" * 30)
    rows = Artifact.objects.filter(removed_at=None, pk__range=(first, last))
    wanted = dict(rows.values_list("pk", "size_bytes"))
    files = [file for folder in store.walk(shards) for file in folder]
    sizes = {file.id: file.size_bytes for file in files}
    missing = [pk for pk, size_bytes in wanted.items() if sizes.get(pk) != size_bytes]
    marked = _mark_lost(missing, wanted, now)
    # What is left of a file that was not whole goes with those nobody knows of.
    unknown = [file for file in files if wanted.get(file.id) != file.size_bytes]
    deleted, waiting = _delete_unknown(unknown, now, tally)
    orphan_files.record(SHARDS.index(shards[0]), waiting)
    return Orphans(marked, deleted)


def _mark_lost(missing: Sequence[UUID], sizes: dict[UUID, int], now: datetime) -> int:
    """Mark rows whose file is not there, or not whole; how many."""
    # Looked at once more, for the list of a folder says nothing where the disk does not answer.
    lost = [artifact_id for artifact_id in missing if _is_cut(artifact_id, sizes[artifact_id])]
    return sum(
        len(damage.give_up(Artifact.objects.filter(pk__in=batch), now)) for batch in batches(lost)
    )


def _is_cut(artifact_id: UUID, size_bytes: int) -> bool:
    try:
        return store.size(artifact_id) != size_bytes
    except OSError:
        return False  # the disk does not answer: that says nothing about the file


def _delete_unknown(
    files: Sequence[StoredFile], now: datetime, tally: DeletionTally
) -> tuple[int, WaitingOrphans | None]:
    """Delete files without a row that says they are there; how many, and those that wait."""
    limit, arrived = (now - ORPHAN_GRACE).timestamp(), (now - ARRIVAL).timestamp()
    count = 0
    waiting: list[WaitingOrphans] = []
    for batch in batches(files):
        # Asked for anew: a file may have got its row since.
        rows = Artifact.objects.filter(pk__in=[file.id for file in batch])
        removed_at = dict(rows.values_list("pk", "removed_at"))
        for file in batch:
            recorded = file.id in removed_at
            # A row that says "removed" needs no grace: this file only resisted last time.
            due = removed_at[file.id] is not None if recorded else file.modified_at < limit
            if due and tally.delete_file(file.id, file.size_bytes):
                count += 1
            elif due:
                waiting.append(WaitingOrphans(1, file.size_bytes, now))
            elif not recorded and file.modified_at < arrived:
                until = datetime.fromtimestamp(file.modified_at, UTC) + ORPHAN_GRACE
                waiting.append(WaitingOrphans(1, file.size_bytes, until))
    return count, orphan_files.total(waiting)
