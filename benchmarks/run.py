"""`make bench`: jobs through a whole instance beside curl, and what it costs to look at them.

Prints ratios, CPU, memory and counts. Fails only when a file is missing or was not checked: times
are for people to judge.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from benchmarks import (
    decoding,
    growth,
    idle,
    instance,
    report,
    scenarios,
    statements,
    throughput,
)
from benchmarks.scenarios import SCENARIOS, Unchecked

JOBS: Final = tuple(dict.fromkeys(scenario.name for scenario in SCENARIOS))
PARTS: Final = (*JOBS, "idle", "polls", "decoding", "sql", "lines", "growth")
QUICK: Final = ("real-a", "real-b", "polls", "decoding", "sql")


def main() -> int:
    """Measure, print, and write JSON when asked; 1 when a file was missing or unchecked."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="sk-bench-", dir=options.dir) as folder:
        home = Path(folder)
        measured: dict[str, Any] = {"machine": _machine(), "repetitions": options.repeat}
        try:
            instance.open_app(home / "data")
            _measure(home, options, measured)
        except (Unchecked, RuntimeError) as error:
            sys.stderr.write(f"{error}\n")
            for log in sorted(home.glob("*.log")):
                with suppress(OSError):
                    sys.stderr.write(f"--- {log.name}\n{log.read_text()[-3000:]}\n")
            return 1
        finally:
            if options.json:
                Path(options.json).write_text(json.dumps(measured, indent=2) + "\n")
    return 0


def _measure(home: Path, options: argparse.Namespace, measured: dict[str, Any]) -> None:
    """Measure what was asked for, cheapest first, each printed as soon as it is known."""
    from benchmarks import polls  # needs the app that `open_app` has set up

    if "decoding" in options.only:
        measured["decoding"] = decoding.measure()
        report.decoding(measured["decoding"])
    if "sql" in options.only:
        measured["sql"] = statements.measure(home)
        report.statements(measured["sql"])
    if "polls" in options.only:
        measured["polls"] = polls.measure(home, options.python)
        report.polls(measured["polls"])
    if "idle" in options.only:
        measured["idle"] = idle.measure(home, options.python)
        report.idle(measured["idle"])
    for scenario in SCENARIOS:
        if scenario.name in options.only and options.connections in {0, scenario.connections}:
            result = scenarios.measure(scenario, home, repeat=options.repeat, python=options.python)
            measured[scenario.key] = result
            report.scenario(result)
    if "lines" in options.only:
        measured["lines"] = throughput.measure(home, quick=options.quick)
    if "growth" in options.only:
        measured["growth"] = growth.measure(home, quick=options.quick)
        report.growth(measured["growth"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--repeat", type=int, help="times each, alternating (3; quick: 1)")
    parser.add_argument("--only", type=_parts, help=f"some of {','.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="once, and without the light media")
    parser.add_argument(
        "--connections", type=int, default=0, help="only the jobs with so many at once"
    )
    parser.add_argument("--json", metavar="FILE", help="write everything measured there, too")
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="what runs the instance; users have one with requirements/base.lock alone",
    )
    parser.add_argument("--dir", help="where to put the folder all of it happens in")
    options = parser.parse_args()
    options.only = options.only or (QUICK if options.quick else PARTS)
    options.repeat = options.repeat or (1 if options.quick else 3)
    return options


def _parts(text: str) -> list[str]:
    wanted = text.split(",")
    if unknown := [part for part in wanted if part not in PARTS]:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
    return wanted


def _machine() -> dict[str, Any]:
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


if __name__ == "__main__":
    sys.exit(main())
