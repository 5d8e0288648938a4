"""Whether there is room: on the disk, within the instance's limit, and within one user's.

Bytes that are announced and still arriving are reserved, so that parallel transfers do not fill the
disk together though each of them alone would fit.
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import Exists, Min, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from jobs.errors import DiskFull, QuotaExceeded
from jobs.files import disk
from jobs.files.disk import RETRY_S
from jobs.files.shared_reservations import Reserved, shared
from jobs.models import Artifact, Role

FRESH_S: Final = 1.0
"""Seconds a count of stored bytes is good for."""
NEAR_BYTES: Final = 1_000_000_000
"""Other processes store less than this, or than a tenth of the limit, while a count is good."""
_LIMIT_LOCK: Final = 0x5354_4F52
"""Our number for PostgreSQL's advisory lock on the instance's limit."""
SWEEP_S: Final = 60.0
"""Seconds a file may go later than its time: the sweep has to come by as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Used and free bytes of the instance. max_bytes: its limit for saved files; 0 = no limit."""

    used_bytes: int
    max_bytes: int
    free_bytes: int
    min_free_bytes: int

    @property
    def full(self) -> bool:
        """No new work fits: the limit for saved files is reached, or the disk is nearly full."""
        over = bool(self.max_bytes) and self.used_bytes >= self.max_bytes
        return over or is_scarce(self.free_bytes)

    @property
    def nearly_full(self) -> bool:
        """A tenth of the limit for saved files is left, or as much above the least free space as
        that space itself."""
        near = bool(self.max_bytes) and self.used_bytes * 10 >= self.max_bytes * 9
        return near or self.free_bytes <= 2 * self.min_free_bytes


def is_scarce(free_bytes: int) -> bool:
    """Whether no more free space is left on the disk than STORYKEEP_DISK_MIN_FREE keeps."""
    return free_bytes <= int(settings.STORYKEEP.disk_min_free)


def counts_for_quota(role: str) -> bool:
    """Whether files of a role (`Role`) have to fit into their owner's quota.

    Previews need not: nobody asked for one, and none may take the room of what was asked for.
    """
    return role != Role.POSTER


def used_bytes(owner_id: int | None = None) -> int:
    """Bytes of all saved files whose row says they are present; of one user's when given. One
    query; another one where files are linked.

    Of the whole instance's, files that are one on the disk (hard links) count once; of one user's,
    each file that counts for the quota does so in full, whoever else has it.
    """
    artifacts = Artifact.objects.filter(removed_at=None).order_by()
    if owner_id is None:
        return _bytes_on_disk(artifacts)
    counted = artifacts.kept().filter(owner_id=owner_id).exclude(role=Role.POSTER)
    return int(counted.aggregate(n=Sum("size_bytes"))["n"] or 0)


def _bytes_on_disk(artifacts: QuerySet[Artifact]) -> int:
    """Bytes of all these files, each content once.

    Files that were never linked are only added up; linked ones, which are few, are told apart.
    """
    is_linked = Q(content_id__isnull=False)
    sums = artifacts.aggregate(n=Sum("size_bytes"), linked=Sum("size_bytes", filter=is_linked))
    every, doubles = sums["n"] or 0, sums["linked"] or 0
    if not doubles:
        return int(every)
    first = artifacts.filter(pk=OuterRef("content_id"), content_id=None)
    # Of files whose first one is there, that one is among all those that were never linked.
    content = artifacts.filter(is_linked).filter(~Exists(first))
    once = content.values("content_id", "size_bytes").distinct().aggregate(n=Sum("size_bytes"))
    return int(every - doubles + (once["n"] or 0))


def measure() -> Capacity:
    """The capacity of the instance right now. One query. Raises StorageNotMounted and OSError."""
    env = settings.STORYKEEP
    disk.root()
    return Capacity(
        used_bytes=used_bytes(),
        max_bytes=env.disk_max,
        free_bytes=disk.free_bytes(),
        min_free_bytes=env.disk_min_free,
    )


def require_room() -> None:
    """Refuse new work while there is no room for it. Raises DiskFull, with a time to come back."""
    with disk.translate_disk_errors():
        full = measure().full
    if full:
        raise DiskFull("no room for new work", retry_after_s=_next_expiry_s())


def require_limit_holds(added: Iterable[Artifact]) -> None:
    """Raise DiskFull when saved files take more than the instance's limit, with what was added.

    added: rows this transaction wrote, to be rolled back then; files that share their bytes with
    others take no room. Every worker process reserves for itself, and what another one stored
    meanwhile is only seen here. Of two at once the second waits, and counts the files of the first.
    No query while the limit is far.
    """
    limit = settings.STORYKEEP.disk_max
    added_bytes = sum(artifact.size_bytes for artifact in added if artifact.content_id is None)
    if not limit or not added_bytes:
        return
    known_bytes = reservations.last_count() + added_bytes
    if known_bytes + max(NEAR_BYTES, limit // 10) <= limit:
        return
    if connection.vendor == "postgresql":  # SQLite has one writer at a time anyway
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LIMIT_LOCK])
    if used_bytes() > limit:
        raise DiskFull("the limit for saved files is reached", retry_after_s=_next_expiry_s())


def _next_expiry_s() -> float:
    """Seconds until the next file expires and is swept."""
    soonest = Artifact.objects.filter(removed_at=None).aggregate(at=Min("expires_at"))["at"]
    if soonest is None:
        return RETRY_S
    wait_s: float = (soonest - timezone.now()).total_seconds()
    return max(0.0, wait_s) + SWEEP_S


class Reservation:
    """Bytes one workspace has announced and neither committed nor discarded yet.

    owner_id, max_bytes: whose files these become, and how many bytes of files that user may have in
    all; None = no limit. written_bytes: called for how many of these bytes are on the disk already.
    is_idle: called for whether nothing is being written. Several threads may use one at once.

    Bytes of linked files are announced like others, and take no room on the disk.
    """

    def __init__(
        self,
        *,
        owner_id: int | None = None,
        max_bytes: int | None = None,
        written_bytes: Callable[[], int],
        is_idle: Callable[[], bool],
    ) -> None:
        self.owner_id = owner_id
        self.max_bytes = max_bytes if owner_id is not None else None
        self._written_bytes = written_bytes
        self._is_idle = is_idle
        self._lock = threading.Lock()
        self._bytes = 0
        self._linked_bytes = 0

    @property
    def in_flight_bytes(self) -> int:
        """Bytes reserved and not given back, those of linked files included."""
        return self._bytes + self._linked_bytes

    @property
    def room_bytes(self) -> int:
        """Bytes reserved and not given back that take room on the disk."""
        return self._bytes

    def unwritten_bytes(self) -> int:
        """Bytes reserved and not on the disk yet."""
        return max(0, self._bytes - self._written_bytes())

    def add(self, size_bytes: int, *, linked: bool) -> None:
        """Count bytes that were granted; for `Reservations` alone."""
        with self._lock:
            if linked:
                self._linked_bytes += size_bytes
            else:
                self._bytes += size_bytes

    def give_back(self, size_bytes: int, *, linked: bool = False) -> None:
        """Return bytes whose file was committed or discarded; all but those of linked files once
        nothing is being written, for some were announced and never came."""
        with self._lock:
            if linked:
                self._linked_bytes = max(0, self._linked_bytes - size_bytes)
            else:
                self._bytes = 0 if self._is_idle() else max(0, self._bytes - size_bytes)

    @property
    def accounts(self) -> tuple[int | None, ...]:
        """The owners whose stored bytes count: everyone (None), and the owner if limited."""
        return (None,) if self.max_bytes is None else (None, self.owner_id)


class Reservations:
    """All reservations of this process, and its last count of stored bytes.

    Stored bytes are counted for everyone (under None) and for owners who have a limit, at most once
    a second; in between, every committed file is added to the count.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: dict[int | None, int] = {}
        self._counted_at: dict[int | None, float] = {}
        self._active: weakref.WeakSet[Reservation] = weakref.WeakSet()

    def enter(self, reservation: Reservation) -> None:
        """Take a workspace's reservation into account from now on."""
        with self._lock:
            self._active.add(reservation)
        self._count(reservation)

    def leave(self, reservation: Reservation) -> None:
        """Forget a reservation whose workspace is closed."""
        with self._lock:
            self._active.discard(reservation)
            shared.publish(_reserved_by(self._active))

    def committed(
        self, reservation: Reservation, size_bytes: int, *, linked: bool = False, quota: bool = True
    ) -> None:
        """Count a file that was moved into place.

        linked: its bytes were there before. quota: it counts for its owner's.
        """
        with self._lock:
            for account in reservation.accounts:
                if linked if account is None else not quota:
                    continue
                self._used[account] = self._used.get(account, 0) + size_bytes
        self._count(reservation)

    def reserve(self, reservation: Reservation, size_bytes: int, *, linked: bool = False) -> None:
        """Grant so many more bytes. Raises DiskFull, or QuotaExceeded when the owner has no room.

        linked: they are on the disk already, so there is always room; the owner's quota counts.
        What other processes of the instance have reserved counts in full, written or not. Costs no
        query when called on an event loop: the last known count is used.
        """
        if not _on_event_loop():
            self._count(reservation)
        with self._lock:
            # Told first, looked at second: of two processes at once, one sees the other.
            shared.publish(_reserved_by(self._active, reservation, size_bytes, linked=linked))
            try:
                self._require_room(reservation, size_bytes, shared.others(), linked=linked)
                reservation.add(size_bytes, linked=linked)
            finally:
                shared.publish(_reserved_by(self._active))

    def _require_room(
        self, reservation: Reservation, size_bytes: int, others: Reserved, *, linked: bool
    ) -> None:
        """Raise DiskFull or QuotaExceeded unless so many more bytes fit. Under the lock."""
        env = settings.STORYKEEP
        active: Collection[Reservation] = list(self._active)
        needed = size_bytes + others.room_bytes
        in_flight = sum(other.room_bytes for other in active)
        used = self._used.get(None, 0)
        full = env.disk_max and used + in_flight + needed > env.disk_max
        if full and not linked:
            raise DiskFull("the limit for saved files is reached", retry_after_s=RETRY_S)
        if reservation.max_bytes is not None:
            owner = reservation.owner_id
            owners = sum(other.in_flight_bytes for other in active if other.owner_id == owner)
            owners += others.by_owner.get(owner or 0, 0)
            if self._used.get(owner, 0) + owners + size_bytes > reservation.max_bytes:
                raise QuotaExceeded("stored_bytes", retry_after_s=RETRY_S)
        if not linked and not _leaves_enough(active, in_flight, needed):
            raise DiskFull("too little free disk space is left", retry_after_s=RETRY_S)

    def last_count(self) -> int:
        """Bytes of all saved files when they were last counted, and what was committed since."""
        with self._lock:
            return self._used.get(None, 0)

    def invalidate(self) -> None:
        """Count stored bytes anew next time: files were removed."""
        with self._lock:
            self._counted_at.clear()

    def _count(self, reservation: Reservation) -> None:
        """Count stored bytes anew, at most once a second; other processes store files, too."""
        now = time.monotonic()
        for account in reservation.accounts:
            with self._lock:
                counted_at = self._counted_at.get(account)
                if counted_at is not None and now - counted_at < FRESH_S:
                    continue
                self._counted_at[account] = now
            used = used_bytes(account)
            with self._lock:
                self._used[account] = used


def _leaves_enough(active: Iterable[Reservation], in_flight: int, needed: int) -> bool:
    """Whether the disk keeps its free space when all that was granted is written, and this too.

    in_flight: bytes that the active workspaces have reserved. needed: bytes asked for, and those
    that other processes have reserved.
    """
    free = disk.free_bytes() - needed - int(settings.STORYKEEP.disk_min_free)
    # Mostly there is plenty, even if none of it were on the disk yet; how much is, takes a system
    # call for each file that is open.
    return in_flight <= free or sum(other.unwritten_bytes() for other in active) <= free


def _reserved_by(
    active: Iterable[Reservation],
    asking: Reservation | None = None,
    size_bytes: int = 0,
    *,
    linked: bool = False,
) -> Reserved:
    """What the active workspaces have reserved, with what one of them asks for."""
    room_bytes = 0 if linked else size_bytes
    by_owner = Counter[int]()
    if asking is not None and asking.max_bytes is not None:
        by_owner[asking.owner_id or 0] += size_bytes
    for reservation in active:
        room_bytes += reservation.room_bytes
        if reservation.max_bytes is not None and reservation.in_flight_bytes:
            by_owner[reservation.owner_id or 0] += reservation.in_flight_bytes
    return Reserved(room_bytes, by_owner)


def _on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


reservations = Reservations()
invalidate = reservations.invalidate
