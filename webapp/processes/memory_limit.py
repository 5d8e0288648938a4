"""Whether memory is short: a container's limit, a limit of this process, or all there is.

What the kernel would take back before it kills is no use of memory: caches of files, above all.
"""

from __future__ import annotations

import logging
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

ROOM_SHARE: Final = 0.1
ROOM_MAX_BYTES: Final = 128 * 1024 * 1024
"""Memory is short with less room than this share of the limit, or these bytes if that is less."""
EASED: Final = 1.5
"""It is not any more with so many times that room."""
LOOK_EVERY_S: Final = 1.0
_MIB: Final = 1024 * 1024
_PROC: Final = Path("/proc")
_CGROUPS: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Use:
    """Bytes in use, and how many may be."""

    used: int
    limit: int

    def is_short(self, room_factor: float = 1.0) -> bool:
        """Whether less is left than should be."""
        room = min(ROOM_SHARE * self.limit, ROOM_MAX_BYTES)
        return self.limit - self.used < room_factor * room


Gauge = Callable[[], Use | None]
"""A look at one limit; None where there is none just now. May raise OSError or ValueError."""


class MemoryWatch:
    """Looks at the gauges now and then, and says once when memory gets short or eases."""

    def __init__(self, gauges: Sequence[Gauge], now: Callable[[], float] = time.monotonic) -> None:
        self._gauges, self._now = gauges, now
        self._look_at = now()
        self._short = False

    def is_short(self) -> bool:
        """Whether memory is short; at most LOOK_EVERY_S old. Takes a tenth of a millisecond."""
        if self._now() < self._look_at:
            return self._short
        self._look_at = self._now() + LOOK_EVERY_S
        factor = EASED if self._short else 1.0
        short = next((use for use in self._uses() if use.is_short(factor)), None)
        if short is not None and not self._short:
            logger.warning(
                "memory is short: %d of %d MiB in use; nothing more is taken on until it eases",
                short.used // _MIB,
                short.limit // _MIB,
            )
        elif short is None and self._short:
            logger.info("memory is not short any more")
        self._short = short is not None
        return self._short

    def _uses(self) -> Iterator[Use]:
        for gauge in self._gauges:
            try:
                use = gauge()
            except (OSError, ValueError):
                continue
            if use is not None:
                yield use


def gauges(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> list[Gauge]:
    """A gauge for each limit there may be."""
    return [
        *_cgroup_gauges(proc, cgroups),
        lambda: _address_space(proc),
        lambda: _machine(proc),
    ]


# --- of this process, and of the machine ----------------------------------------------------------


def _address_space(proc: Path) -> Use | None:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    pages = int((proc / "self" / "statm").read_text(encoding="ascii").split()[0])
    return Use(pages * os.sysconf("SC_PAGE_SIZE"), limit)


def _machine(proc: Path) -> Use | None:
    left, total = 0, None
    for line in (proc / "meminfo").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name in {"MemTotal", "MemAvailable", "SwapFree"}:
            kib = int(rest.split()[0])
            if name == "MemTotal":
                total = kib
            else:
                left += kib
    return Use((total - left) * 1024, total * 1024) if total else None


# --- of control groups ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Files:
    """Names of a control group's files, and of what its statistics call caches."""

    limits: tuple[str, ...]
    usage: str
    caches: frozenset[str]


_V1: Final = _Files(
    limits=("memory.limit_in_bytes",),
    usage="memory.usage_in_bytes",
    caches=frozenset({"total_inactive_file", "total_active_file"}),
)
_V2: Final = _Files(
    limits=("memory.max", "memory.high"),
    usage="memory.current",
    caches=frozenset({"inactive_file", "active_file", "slab_reclaimable"}),
)
_NO_LIMIT: Final = 1 << 60
"""Version 1 writes no limit as the largest number of whole pages."""


def _cgroup_gauges(proc: Path, cgroups: Path) -> Iterator[Gauge]:
    """A gauge for each control group this process is in, its own and those around it."""
    try:
        memberships = (proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for membership in memberships:
        _, controllers, path = membership.split(":", 2)
        if not controllers:
            mounts, files = [cgroups, cgroups / "unified"], _V2
        elif "memory" in controllers.split(","):
            mounts, files = [cgroups / "memory"], _V1
        else:
            continue
        for mount in mounts:
            for group in _groups(mount, path):
                if (group / files.usage).exists():
                    yield _cgroup_gauge(group, files)


def _groups(mount: Path, path: str) -> Iterator[Path]:
    """The folders of a group and those around it. In a container the path may be that outside of
    it, of which nothing is there but the mount itself."""
    group = mount / path.strip("/")
    while group != mount:
        yield group
        group = group.parent
    yield mount


def _cgroup_gauge(group: Path, files: _Files) -> Gauge:
    def look() -> Use | None:
        limits = [_number(group / name) for name in files.limits if (group / name).exists()]
        limit = min(limits, default=_NO_LIMIT)
        if limit >= _NO_LIMIT:
            return None
        used = _number(group / files.usage)
        for line in (group / "memory.stat").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name in files.caches:
                used -= int(value)
        return Use(used, limit)

    return look


def _number(path: Path) -> int:
    text = path.read_text(encoding="ascii").strip()
    return _NO_LIMIT if text == "max" else int(text)
