"""Names of one item's files, unlike those of every other file of the job; mostly without a query.

What the item itself has named is remembered. Whether another item of the job has names that begin
alike (the same author twice in one batch) is read with the fence of the transaction that writes the
files, and only then are those looked up. Items that name files alike do so one after the other; no
others of the job wait.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from jobs.files import names
from jobs.models import Artifact

_LOCK_CLASS: Final = 0x4E41_4D45
"""Our number for PostgreSQL's advisory locks on names."""
_LOCK: Final = """
SELECT pg_advisory_xact_lock(%s, name) FROM jobs_job job, unnest(%s::int[]) name
WHERE job.id = %s FOR KEY SHARE OF job
"""
_LOCKED_BYTES: Final = 150
"""So much of a name is never cut off to make room for a number."""


def lock(job_id: UUID, artifacts: Sequence[Artifact]) -> None:
    """Have others wait, until the transaction ends, that would name files of the job like these;
    and those that would erase the job.

    SQLite has one writer at a time anyway.
    """
    if connection.vendor != "postgresql":
        return
    locks = sorted({_lock_of(job_id, artifact.name) for artifact in artifacts})
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [_LOCK_CLASS, locks, job_id])


def _lock_of(job_id: UUID, name: str) -> int:
    """A number that is equal for names that may become one, with the numbers they are given."""
    stem = names.collision_key(name).rpartition(".")[0]
    start = re.sub(r"(_[0-9]+)+$", "", stem).encode()[:_LOCKED_BYTES]
    digest = hashlib.blake2b(start, key=job_id.bytes, digest_size=4).digest()
    return int.from_bytes(digest, signed=True)


class NameAllotment:
    """Gives one item's files their names.

    item_id, job_id: whose they are. named_before: an earlier attempt may have named files.
    """

    def __init__(self, item_id: UUID, job_id: UUID, *, named_before: bool) -> None:
        self._item_id, self._job_id = item_id, job_id
        self._named: set[str] | None = None if named_before else set()

    def allot(self, artifacts: Sequence[Artifact], *, others_alike: bool) -> set[str]:
        """Give each a name that no other file of the job has; the `collision_key` of each.

        others_alike: the value of `others_begin_alike` for their `start`, under the lock of the
        job. Twice is harmless: nothing counts as named before `confirm`.
        """
        if self._named is None:
            self._named = _keys(Artifact.objects.filter(item_id=self._item_id))
        taken = set(self._named)
        if others_alike:
            of_job = Artifact.objects.filter(job_id=self._job_id)
            taken |= _keys(of_job.filter(name__istartswith=start(artifacts)))
        allotted = set()
        for artifact in artifacts:
            artifact.name = names.unique_name(artifact.name, taken)
            key = names.collision_key(artifact.name)
            taken.add(key)
            allotted.add(key)
        return allotted

    def confirm(self, allotted: set[str]) -> None:
        """Remember names whose rows were committed."""
        if self._named is not None:
            self._named |= allotted


def _keys(artifacts: QuerySet[Artifact]) -> set[str]:
    return {names.collision_key(name) for name in artifacts.values_list("name", flat=True)}


def others_begin_alike(start: str) -> Exists:
    """Whether another line of the job has files whose names begin like this: an expression over the
    item's row."""
    alike = Artifact.objects.filter(job=OuterRef("job"), name__istartswith=start)
    return Exists(alike.exclude(item=OuterRef("pk")))


def start(artifacts: Sequence[Artifact]) -> str:
    """The beginning that the names of some files share, suffixes aside."""
    stems = [artifact.name.rpartition(".")[0] for artifact in artifacts]
    return os.path.commonprefix(stems)  # noqa: RUF071  # letters are what is wanted here
