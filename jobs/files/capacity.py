"""Whether there is room: for everyone, for one user, and for what is arriving just now."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import Min, Sum
from django.utils import timezone

from jobs.errors import DiskFull, QuotaExceeded
from jobs.files import disk
from jobs.files.disk import RETRY_S
from jobs.models import Artifact

if TYPE_CHECKING:
    from jobs.files.store import Workspace

FRESH_S: Final = 1.0
"""How long a count of stored bytes is good for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How full we are. max_bytes: 0 = no limit."""

    used_bytes: int
    max_bytes: int
    free_bytes: int
    min_free_bytes: int

    @property
    def full(self) -> bool:
        """No new work fits."""
        over = bool(self.max_bytes) and self.used_bytes >= self.max_bytes
        return over or self.free_bytes <= self.min_free_bytes


def used_bytes(owner_id: int | None = None) -> int:
    """Bytes of every saved file whose row says it is there, or of one user's. One query."""
    files = Artifact.objects.filter(removed_at=None)
    if owner_id is not None:
        files = files.filter(owner_id=owner_id)
    return int(files.aggregate(total=Sum("size_bytes"))["total"] or 0)


def look() -> Room:
    """How full we are right now. One query. Raises FolderAway, and OSError."""
    env = settings.STORYKEEP
    disk.root()
    return Room(
        used_bytes=used_bytes(),
        max_bytes=env.disk_max,
        free_bytes=disk.free_bytes(),
        min_free_bytes=env.disk_min_free,
    )


def check() -> None:
    """Refuse new work while there is no room for it. Raises DiskFull with a time."""
    with disk.disk_errors():
        full = look().full
    if full:
        raise DiskFull("no room for new work", retry_after_s=_room_comes_in_s())


def _room_comes_in_s() -> float:
    soonest = Artifact.objects.filter(removed_at=None).aggregate(at=Min("expires_at"))["at"]
    if soonest is None:
        return RETRY_S
    # A minute on top: the sweep has to come by as well.
    wait: float = (soonest - timezone.now()).total_seconds()
    return max(0.0, wait) + 60.0


class _Keeper:
    """What this process knows about the disk, shared by all its workspaces.

    Used bytes are counted for everyone (under None) and for owners who have a limit.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: dict[int | None, int] = {}
        self._counted_at: dict[int | None, float] = {}
        self._workspaces: weakref.WeakSet[Workspace] = weakref.WeakSet()

    def enter(self, workspace: Workspace) -> None:
        with self._lock:
            self._workspaces.add(workspace)
        self._count(workspace)

    def leave(self, workspace: Workspace) -> None:
        with self._lock:
            self._workspaces.discard(workspace)

    def kept(self, workspace: Workspace, size_bytes: int) -> None:
        with self._lock:
            for whose in _counted(workspace):
                self._used[whose] = self._used.get(whose, 0) + size_bytes
        self._count(workspace)

    def reserve(self, workspace: Workspace, size_bytes: int) -> None:
        if not _on_event_loop():
            self._count(workspace)
        env = settings.STORYKEEP
        with self._lock:
            active: Collection[Workspace] = list(self._workspaces)
            in_flight = sum(one.in_flight_bytes for one in active)
            used = self._used.get(None, 0)
            if env.disk_max and used + in_flight + size_bytes > env.disk_max:
                raise DiskFull("the limit for saved files is reached", retry_after_s=RETRY_S)
            if workspace.max_bytes is not None:
                whose = workspace.owner_id
                theirs = sum(one.in_flight_bytes for one in active if one.owner_id == whose)
                if self._used.get(whose, 0) + theirs + size_bytes > workspace.max_bytes:
                    raise QuotaExceeded("stored_bytes", retry_after_s=RETRY_S)
            owed = sum(one.unwritten_bytes() for one in active)
            if disk.free_bytes() - owed - size_bytes < env.disk_min_free:
                raise DiskFull("too little free disk space is left", retry_after_s=RETRY_S)
            workspace.reserved(size_bytes)

    def _count(self, workspace: Workspace) -> None:
        """Count stored bytes anew, at most once a second; other processes store files, too."""
        now = time.monotonic()
        for whose in _counted(workspace):
            with self._lock:
                counted_at = self._counted_at.get(whose)
                if counted_at is not None and now - counted_at < FRESH_S:
                    continue
                self._counted_at[whose] = now
            used = used_bytes(whose)
            with self._lock:
                self._used[whose] = used

    def forget(self) -> None:
        """Count anew next time: something was removed."""
        with self._lock:
            self._counted_at.clear()


def _counted(workspace: Workspace) -> tuple[int | None, ...]:
    return (None,) if workspace.max_bytes is None else (None, workspace.owner_id)


def _on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


keeper = _Keeper()
recount = keeper.forget
