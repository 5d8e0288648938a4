"""The tables of docs/benchmarks.md: `python -m benchmarks.tables FILE…`.

Each FILE is what `--json` wrote, and becomes a column; several files of one state can be joined by
a comma; where two hold the same, the first counts.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.report import GIB, NOISY

Measured = Mapping[str, Any]
Figure = Callable[[Measured], str]


def _ratio(key: str) -> Figure:
    """Wall time relative to curl's; nothing where other processes had a share in it."""

    def figure(measured: Measured) -> str:
        job = measured[key]
        runs = job["fresh"] + job["warm"]
        if statistics.median(run["strangers"] for run in runs) > NOISY:
            return "busy machine"
        return f"{job['ratio']:.2f} / {job['warm_ratio']:.2f}"

    return figure


def _cpu(key: str) -> Figure:
    def figure(measured: Measured) -> str:
        runs = measured[key]["warm"]
        cpu_s = statistics.median(sum(run["cpu_s"].values()) for run in runs)
        return f"{cpu_s:.1f} s, {cpu_s / runs[0]['size_bytes'] * GIB:.0f} s/GiB"

    return figure


def _worker(measured: Measured) -> str:
    job = measured["real-b@24"]
    peak = max(run["peak_pss_mib"]["worker"] for run in job["fresh"] + job["warm"])
    return f"{peak:.0f} / {job['rest_pss_mib']['worker']:.0f} MiB"


def _video(measured: Measured) -> str:
    large = [ms for name, ms in measured["decoding"].items() if name.startswith("1080")]
    return f"{statistics.mean(large):.0f} ms"


def _poll(door: str, files: int) -> Figure:
    def figure(measured: Measured) -> str:
        cost = measured["polls"][str(files)][door]
        changed, unchanged = cost["changed"], cost["unchanged"]
        size = f"{changed['wire_bytes'] / 1000:.1f} kB"
        return f"{unchanged['cpu_ms']:.1f} / {changed['cpu_ms']:.1f} ms, {size}"

    return figure


ROWS: Final[tuple[tuple[str, Figure], ...]] = (
    ("(b) of curl, 24 connections: fresh / warm", _ratio("real-b@24")),
    ("(b) of curl, 48 connections: fresh / warm", _ratio("real-b@48")),
    ("(a) of curl: fresh / warm", _ratio("real-a@24")),
    ("light (b) of curl: fresh / warm", _ratio("light-b@24")),
    ("light (a) of curl: fresh / warm", _ratio("light-a@24")),
    ("CPU of (b), whole instance", _cpu("real-b@24")),
    ("CPU of (a), whole instance", _cpu("real-a@24")),
    ("CPU of light (b), whole instance", _cpu("light-b@24")),
    ("CPU of light (a), whole instance", _cpu("light-a@24")),
    ("a 1080p video: check and poster", _video),
    ("API poll, 140 files: unchanged / changed", _poll("api", 140)),
    ("API poll, 500 files: unchanged / changed", _poll("api", 500)),
    ("page poll, 140 files: unchanged / changed", _poll("page", 140)),
    ("page poll, 500 files: unchanged / changed", _poll("page", 500)),
    ("worker during (b) / at rest", _worker),
    ("idle instance", lambda measured: f"{measured['idle']['pss_mib']['total']:.0f} MiB"),
    (
        "SQL statements per media file of (b)",
        lambda measured: f"{measured['sql']['real-b']['per_file']:.1f}",
    ),
)


def aims(columns: Sequence[Measured]) -> list[str]:
    """What an instance takes: a row a figure, a column a measurement; "–" where one lacks it."""
    lines = []
    for label, figure in ROWS:
        cells = []
        for measured in columns:
            try:
                cells.append(figure(measured))
            except KeyError:
                cells.append("–")
        lines.append(_row([label, *cells]))
    return lines


def growth(measured: Measured) -> list[str]:
    """The growth tables of one measurement in CPU ms: for each database by queued lines, by jobs,
    and for one large job."""
    lines: list[str] = []
    for database, tables in measured["growth"].items():
        for title, key in (("lines waiting", "queue"), ("jobs", "jobs")):
            lines += [*_by_size(f"{database}, {title}", tables[key]), ""]
        lines += [_row([f"{database}, 5,000 files", "CPU ms", "kB"]), _row(["---"] * 3)]
        lines += [
            _row([name, _growth_cell(cost), f"{cost['wire_bytes'] / 1000:.0f}"])
            for name, cost in tables["large_job"].items()
        ]
        lines.append("")
    return lines


def _by_size(title: str, table: Mapping[str, Any]) -> list[str]:
    sizes = list(table)
    return [
        _row([title, *(f"{int(size):,}" for size in sizes)]),
        _row(["---"] * (len(sizes) + 1)),
        *(
            _row([name, *(_growth_cell(table[size][name]) for size in sizes)])
            for name in table[sizes[0]]
        ),
    ]


def _growth_cell(cost: Mapping[str, Any]) -> str:
    if not cost["ended"]:
        return "not in 10 s"
    return f"{cost['cpu_ms']:.{0 if cost['cpu_ms'] >= 10 else 1}f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Print them."""
    columns: list[dict[str, Any]] = []
    for argument in sys.argv[1:]:
        column: dict[str, Any] = {}
        for file in argument.split(","):
            column = json.loads(Path(file).read_text()) | column
        columns.append(column)
    lines = aims(columns)
    for column in columns:
        if "growth" in column:
            lines += ["", *growth(column)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
