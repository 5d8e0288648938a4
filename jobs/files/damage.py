"""Saved files that are not what was saved: told by length and hash, and given up.

A disk flips a bit, loses a block or cuts a file short, and nobody notices before the file is taken.
What is given up is gone at once: its row says why, and its story can be fetched again while it
lives.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import BinaryIO, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from jobs.ephemeral import damaged_files
from jobs.files import capacity, disk, store
from jobs.files.deletion import DeletionTally
from jobs.files.stores import length
from jobs.models import DAMAGED, Artifact

logger = logging.getLogger(__name__)

CHUNK_BYTES: Final = 1024 * 1024
BAD_BLOCK: Final = frozenset({errno.EIO, errno.EBADMSG, errno.EUCLEAN})
"""What reading a file ends with where a block of it is lost."""


def is_whole(file: BinaryIO, artifact: Artifact, pause: Callable[[int], None]) -> bool:
    """Whether an open file has the bytes that were saved. It is read to its end.

    pause: called with the size of each piece that was read; may sleep, and may raise to stop.
    """
    if length(file) != artifact.size_bytes:
        return False
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(CHUNK_BYTES):
        digest.update(piece)
        pause(len(piece))
    return digest.hexdigest() == artifact.sha256


def forget_cached(file: BinaryIO) -> None:
    """Have a file read from the disk, and leave what others have cached alone."""
    with suppress(OSError, AttributeError):  # not every system can
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def give_up(artifacts: Iterable[Artifact], now: datetime | None = None) -> list[UUID]:
    """Mark files as damaged and delete them; ids of all that went.

    Each is looked at once more, past what is cached: memory, a cable or a controller may have
    failed for a moment, and what is deleted does not come back. Rows whose file is the same one on
    the disk (hard links) go with it. Nothing is done while the folder is another one than the files
    were saved in. Raises OSError where it cannot be looked into.
    """
    if disk.is_unmounted(again=True):
        return []
    now = now or timezone.now()
    marked: dict[UUID, int] = {}
    for artifact in filter(_is_damaged, artifacts):
        for row in (artifact, *_same_on_disk(artifact)):
            if row.pk not in marked and _mark(row, now):
                marked[row.pk] = row.size_bytes
    if not marked:
        return []
    tally = DeletionTally()
    for artifact_id, size_bytes in marked.items():
        tally.delete_file(artifact_id, size_bytes)
    capacity.invalidate()
    damaged_files.record(marked, now)
    logger.warning("%d saved files are damaged on the disk, or missing: given up", len(marked))
    return list(marked)


def _is_damaged(artifact: Artifact) -> bool:
    try:
        with store.open_artifact(artifact.pk) as file:
            forget_cached(file)
            return not is_whole(file, artifact, lambda _bytes: None)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in BAD_BLOCK:
            raise
        return True


def _same_on_disk(artifact: Artifact) -> list[Artifact]:
    """The other present rows whose file is this very one under another name."""
    content_id = artifact.content_id or artifact.pk
    alike = Artifact.objects.filter(Q(pk=content_id) | Q(content_id=content_id), removed_at=None)
    others = list(alike.exclude(pk=artifact.pk))
    if not others:
        return []
    identity = store.identity(artifact.pk)
    return [
        other for other in others if identity is not None and store.identity(other.pk) == identity
    ]


def _mark(artifact: Artifact, now: datetime) -> bool:
    """Mark a row; False when it was removed before."""
    with transaction.atomic():
        rows = Artifact.objects.select_for_update().filter(pk=artifact.pk, removed_at=None)
        labels = rows.values_list("labels", flat=True).first()
        if labels is None:
            return False
        # Its time is over as well: "removed before its time" means deleted by someone.
        rows.update(removed_at=now, expires_at=now, labels=[*labels, DAMAGED])
    return True
