"""What an instance takes, measured again and again, and whether it grows."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos import machine
from tests.chaos.instance import Instance

MIB: Final = 1024 * 1024
TABLES: Final = ("jobs_job", "jobs_item", "jobs_story", "jobs_artifact", "jobs_package")
GAUGES: Final[dict[str, Callable[[int], float]]] = {
    "MiB": machine.pss_mib,
    "descriptors": machine.descriptors,
    "threads": machine.threads,
}
"""What is measured of each process, by its unit."""


def folder_mib(folder: Path) -> float:
    """MiB of all files below a folder, from which some may just be going."""
    total = 0
    for above, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.stat(f"{above}/{name}").st_size  # noqa: PTH116  # many, and often
    return total / MIB


def measure(instance: Instance) -> dict[str, float]:
    """Everything at this moment, by name."""
    taken = {
        f"{name} {unit}": gauge(instance.part(name))
        for name in ("web", "worker", "redis")
        for unit, gauge in GAUGES.items()
    }
    taken["up MiB"] = machine.pss_mib(instance.pid)
    with instance.redis() as server:
        taken["redis keys"] = server.dbsize()
    taken["rows"] = sum(instance.database.count(table) for table in TABLES)
    database = [instance.database.path, Path(f"{instance.database.path}-wal")]
    taken["database MiB"] = sum(p.stat().st_size for p in database if p.exists()) / MIB
    taken["saved files MiB"] = folder_mib(instance.artifacts)
    return taken


@dataclass
class Series:
    """Measurements over time. begun: of each, seconds since the first."""

    begun: list[float] = field(default_factory=list)
    taken: list[dict[str, float]] = field(default_factory=list)
    _first_at: float = field(default_factory=time.monotonic)

    def add(self, measured: dict[str, float]) -> None:
        self.begun.append(time.monotonic() - self._first_at)
        self.taken.append(measured)

    def values(self, name: str) -> list[float]:
        return [measured[name] for measured in self.taken]

    def second_half(self, name: str) -> tuple[list[float], list[float]]:
        """Moments and values once everything has warmed up."""
        middle = len(self.begun) // 2
        return self.begun[middle:], self.values(name)[middle:]

    def slope_per_hour(self, name: str) -> float:
        """By how much a value grows in an hour, by least squares over the second half."""
        moments, values = self.second_half(name)
        return statistics.linear_regression(moments, values).slope * 3600

    def growth(self, name: str) -> float:
        """By how much a value grew in the second half, by the same line."""
        moments, _ = self.second_half(name)
        return self.slope_per_hour(name) / 3600 * (moments[-1] - moments[0])


def table(series: Series, before: Mapping[str, float], after: Mapping[str, float]) -> str:
    """The report as a table in Markdown. before, after: with nothing to do."""
    head = (
        "| | before | least | most | after | slope an hour |\n| --- | --- | --- | --- | --- | --- |"
    )
    rows = []
    for name in before:
        values = series.values(name)
        moments = (before[name], min(values), max(values), after[name])
        shown = " | ".join(f"{value:.1f}" for value in moments)
        rows.append(f"| {name} | {shown} | {series.slope_per_hour(name):+.2f} |")
    return "\n".join([head, *rows])
