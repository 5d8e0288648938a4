"""What was measured, as people read it."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

GIB: Final = 1024**3
MIB: Final = 1024**2
NOISY: Final = 0.1
"""Share of the CPUs in other hands from which on wall times say little."""
PARTS: Final = ("worker", "web", "redis", "scheduler", "supervisor")


def say(line: str = "") -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def scenario(measured: Mapping[str, Any]) -> None:
    """One job beside curl: walls and their ratio, CPU and memory by part, polls."""
    first = measured["fresh"][0]
    size = first["size_bytes"]
    say(f"{measured['about']}; {first['files']} files, {size / MIB:.0f} MiB")
    times = len(measured["fresh"]) + len(measured["warm"])
    say(f"    every file saved, checked and compared: yes, {times} times")
    say(f"    {'':14}{'median s':>9}{'of curl':>9}{'CPU s':>8}{'s/GiB':>7}   each")
    floor_s = _middle(measured["curl"], "wall_s")
    for label in ("curl", "fresh", "warm"):
        runs = measured[label]
        wall_s = _middle(runs, "wall_s")
        cpu_s = statistics.median(_cpu_s(run) for run in runs)
        each = " ".join(f"{run['wall_s']:.2f}" for run in runs)
        say(
            f"    {label:14}{wall_s:9.2f}{wall_s / floor_s:9.2f}{cpu_s:8.2f}"
            f"{cpu_s / size * GIB:7.1f}   {each}"
        )
    aim = f" (aim {measured['aim']})" if measured["aim"] else ""
    say(f"    ratio to curl: {measured['ratio']:.2f}, warm {measured['warm_ratio']:.2f}{aim}")
    runs = measured["fresh"] + measured["warm"]
    _by_part("CPU s", [run["cpu_s"] for run in measured["warm"]], statistics.median, 2)
    say(f"    {'':14}fake {_middle(measured['warm'], 'fake_cpu_s'):.2f}")
    strangers = _middle(runs, "strangers")
    if strangers > NOISY:
        say(f"    other processes had {strangers:.0%} of the CPUs: no ratio here can be trusted")
    _by_part("peak PSS MiB", [run["peak_pss_mib"] for run in runs], max, 0)
    _by_part("at rest", [measured["rest_pss_mib"]], max, 0)
    for name in ("page", "api"):
        say(f"    {name:14}" + _polls([run[name] for run in measured["warm"]]))
    say()


def _cpu_s(run: Mapping[str, Any]) -> float:
    cpu_s = run["cpu_s"]
    return float(sum(cpu_s.values()) if isinstance(cpu_s, Mapping) else cpu_s)


def _middle(runs: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(statistics.median(run[name] for run in runs))


def _by_part(label: str, runs: Sequence[Mapping[str, float]], of: Any, digits: int) -> None:
    names = [name for name in (*PARTS, "total") if any(name in run for run in runs)]
    values = ", ".join(
        f"{name} {of(run.get(name, 0) for run in runs):.{digits}f}" for name in names
    )
    say(f"    {label:14}{values}")


def _polls(tallies: Sequence[Mapping[str, Any]]) -> str:
    """How often a watcher was answered in a job, and with how many bytes, on average."""
    said = []
    for status in (200, 304):
        polls = sum(tally["polls"].get(status, 0) for tally in tallies)
        if polls:
            size = sum(tally["wire_bytes"].get(status, 0) for tally in tallies) / polls
            said.append(f"{polls / len(tallies):.0f} x {status} of {size / 1000:.1f} kB")
    return ", ".join(said) or "no polls"


def decoding(measured: Mapping[str, float]) -> None:
    """CPU of check and poster for one file of each kind."""
    say("check and poster of one file, CPU ms in one thread")
    for name, cpu_ms in measured.items():
        say(f"    {name:22}{cpu_ms:8.1f}")
    say()


def statements(measured: Mapping[str, Any]) -> None:
    """SQL statements by job."""
    say("SQL statements of the worker")
    for name, counted in measured.items():
        say(
            f"    {name:10}{counted['statements']:6} for {counted['files']} files:"
            f" {counted['per_file']:.1f} each"
        )
    say()


def throughput_head() -> None:
    """What the columns of `throughput` are."""
    say("lines of one small file on PostgreSQL; by line: CPU ms, ms in the database")
    heads = (
        *("workers", "lines/s", "statements", "key checks", "Redis", "worker", "database"),
        *("fake", "in database", "for locks", "longest s", "> 1 s", "deadlocks", "strangers"),
    )
    say("    " + "".join(f"{head:>12}" for head in heads))


def throughput(run: Mapping[str, Any]) -> None:
    """One run."""
    cells = (
        f"{run['workers']}",
        f"{run['lines_per_s']:.1f}",
        f"{run['statements']:.1f}",
        f"{run['key_checks']:.1f}",
        f"{run['redis_commands']:.1f}",
        *(f"{run[f'{part}_cpu_ms']:.1f}" for part in ("worker", "database", "fake")),
        f"{run['database_ms']:.1f}",
        f"{run['lock_share']:.1%}",
        f"{run['longest_wait_s']:.2f}",
        f"{run['waits']}",
        f"{run['deadlocks']}",
        f"{run['strangers']:.0%}",
    )
    say("    " + "".join(f"{cell:>12}" for cell in cells))


BATCH: Final = "120"
"""Files of forty accounts of three stories: what a team pastes. Looking at it has limits."""
LIMITS: Final = {"view": (150, 60_000), "changed": (150, 30_000)}
"""Its page and its changed poll → CPU ms, bytes on the wire."""


def polls(measured: Mapping[str, Any]) -> None:
    """Cost of a poll, by size of the job; and whether that of forty accounts is within limits."""
    say("one poll, CPU ms of the web server and kB on the wire")
    heads = ("page: view", "changed", "304", "API: changed", "304")
    widths = (18, 18, 16, 20, 16)
    say(f"    {'files':>6}" + "".join(map(str.rjust, heads, widths)))
    for files, costs in measured.items():
        page, api = costs["page"], costs["api"]
        cells = [page["view"], page["changed"], page["unchanged"], api["changed"], api["unchanged"]]
        written = [f"{cell['cpu_ms']:.1f} / {cell['wire_bytes'] / 1000:.1f}" for cell in cells]
        say(f"    {files:>6}" + "".join(map(str.rjust, written, widths)))
    for name, (cpu_ms, wire_bytes) in LIMITS.items() if BATCH in measured else ():
        cost = measured[BATCH]["page"][name]
        held = cost["cpu_ms"] <= cpu_ms and cost["wire_bytes"] <= wire_bytes
        verdict = "held" if held else "MISSED"
        say(f"    forty accounts, {name}: {cpu_ms} ms / {wire_bytes / 1000:.0f} kB {verdict}")
    say()


def idle(measured: Mapping[str, Any]) -> None:
    """An idle instance."""
    say("idle, `manage.py up`")
    _by_part("PSS MiB", [measured["pss_mib"]], max, 0)
    say(f"    CPU {measured['cpu_share'] * 100:.1f} %")
    say(
        f"    ready after {measured['first_start_s']:.1f} s (new database),"
        f" {measured['next_start_s']:.1f} s (next time)"
    )
    say()


def growth(measured: Mapping[str, Any]) -> None:
    """Costs by size of the database, for each kind of database."""
    for database, tables in measured.items():
        for title, table in (("queued lines", tables["queue"]), ("jobs", tables["jobs"])):
            _growth_table(f"{database}: CPU ms / statements, by {title}", table)
        say(f"{database}: a job of 5,000 stories, CPU ms / statements / kB")
        for name, cost in tables["large_job"].items():
            say(f"    {name:22}{_cell(cost):>18} / {cost['wire_bytes'] / 1000:.0f}")
        say()


def _growth_table(title: str, table: Mapping[str, Any]) -> None:
    sizes = list(table)
    say(title)
    say(f"    {'':22}" + "".join(f"{int(size):>18,}" for size in sizes))
    for name in table[sizes[0]]:
        say(f"    {name:22}" + "".join(f"{_cell(table[size][name]):>18}" for size in sizes))
    say()


def _cell(cost: Mapping[str, Any]) -> str:
    more = "" if cost["ended"] else "> "
    return f"{more}{cost['cpu_ms']:.1f} / {cost['statements']:.0f}"
