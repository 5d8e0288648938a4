"""`make bench`: two jobs through the real queue, beside curl, and what an idle instance takes.

Prints ratios, CPU and memory. Fails only when a file is missing or was not checked: times are for
people to judge.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import floor, meters, stack
from benchmarks.floor import CurlRun

LATENCY_MS: Final = 80.0
BYTES_PER_S: Final = 4 * 1024 * 1024
GIB: Final = 1024**3
JOB_LIMIT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is measured. aim: wall time relative to curl's."""

    name: str
    cast: str
    about: str
    aim: float


SCENARIOS: Final = (
    Scenario("a", "bench-a", "one author, ten stories: 6 videos of 8 MiB, 22 pictures", 1.3),
    Scenario("b", "bench-b", "twenty authors: 40 videos of 2 MiB, 100 pictures", 3.0),
)
MEMORY_AIM_MIB: Final = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One job from submit to settled. fake_cpu_s: of the fake, which shares the machine."""

    wall_s: float
    cpu_s: float
    peak_rss_mib: float
    peak_pss_mib: float
    fake_cpu_s: float
    files: int
    size_bytes: int


class Unchecked(Exception):
    """A job that did not end with every file saved and checked."""


def main() -> int:
    """Measure, print, and write JSON when asked; 1 when a file was missing or unchecked."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="sk-bench-", dir=options.dir) as folder:
        home = Path(folder)
        report: dict[str, Any] = {"machine": _machine(), "repetitions": options.repeat}
        try:
            scenarios = [scenario for scenario in SCENARIOS if scenario.name in options.only]
            if scenarios:
                stack.open_app(home / "data")
                with stack.redis():
                    for scenario in scenarios:
                        report[scenario.name] = _scenario(scenario, home, options)
                        _print_scenario(scenario, report[scenario.name])
            if "idle" in options.only:
                report["idle"] = _idle(home, options.python)
                _print_idle(report["idle"])
        except (Unchecked, RuntimeError) as error:
            sys.stderr.write(f"{error}\n")
            with suppress(OSError):
                sys.stderr.write((home / "worker.log").read_text()[-4000:])
            return 1
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="times each, alternating (5)")
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=["a", "b", "idle"], help="a,b,idle"
    )
    parser.add_argument("--json", metavar="FILE", help="write everything measured there, too")
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="what runs the measured parts; users have one with requirements/base.lock alone",
    )
    parser.add_argument("--dir", help="where to put the folder all of it happens in")
    return parser.parse_args()


def _machine() -> dict[str, Any]:
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


# --- a scenario -----------------------------------------------------------------------------------


def _scenario(scenario: Scenario, home: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Alternate curl and a fresh worker, so that whatever else the machine does hits both.

    A fresh worker has no connection open and no name looked up; the last one is then given the
    same job again, twice, without those memories of the names.
    """
    curls: list[CurlRun] = []
    fresh: list[JobRun] = []
    warm: list[JobRun] = []
    with stack.fake(
        scenario.cast, home / scenario.cast, latency_ms=LATENCY_MS, bytes_per_s=BYTES_PER_S
    ) as fake:
        media = fake.media()
        for number in range(options.repeat):
            curls.append(floor.fetch(media, home / "curl", proxy=fake.proxy, ca=fake.ca))
            last = number == options.repeat - 1
            with stack.worker(
                home / "worker.log",
                python=options.python,
                proxy=fake.proxy,
                ca_bundle=fake.ca,
                list_rate="0",
            ) as pid:
                fresh.append(_job(fake, media, pid))
                warm += [_job(fake, media, pid) for _ in range(2 if last else 0)]
        if strays := fake.strays():
            raise Unchecked(f"hosts that are not TikTok's were asked for: {strays}")
    return {
        "about": scenario.about,
        "aim": scenario.aim,
        "ratio": _median(fresh, "wall_s") / _median(curls, "wall_s"),
        "warm_ratio": _median(warm, "wall_s") / _median(curls, "wall_s"),
        "curl": [asdict(run) for run in curls],
        "fresh_worker": [asdict(run) for run in fresh],
        "warm_worker": [asdict(run) for run in warm],
    }


def _job(fake: stack.Fake, media: dict[str, Any], pid: int) -> JobRun:
    """Submit every author as one job and wait until it is settled."""
    from django.contrib.auth import get_user_model

    from jobs.models import Job
    from jobs.queue import erasure, submission

    owner, _ = get_user_model().objects.get_or_create(username="bench")
    _forget_names(fake.accounts)
    meters.settle(pid)
    cpu_s, fake_cpu_s = meters.cpu_s(pid), meters.cpu_s(fake.pid)
    with meters.PeakWatch(pid) as memory:
        began = time.perf_counter()
        job = submission.submit(owner, [f"@{name}" for name in fake.accounts])
        settled = Job.objects.filter(pk=job.pk, settled_at__isnull=False)
        stack.eventually(settled.exists, "the job", JOB_LIMIT_S)
        wall_s = time.perf_counter() - began
        cpu_s, fake_cpu_s = meters.cpu_s(pid) - cpu_s, meters.cpu_s(fake.pid) - fake_cpu_s
        peak = meters.peak_rss_mib(pid)
    files, size_bytes = _check(job.pk, media)
    erasure.erase(job)
    return JobRun(
        wall_s=wall_s,
        cpu_s=cpu_s,
        peak_rss_mib=peak,
        peak_pss_mib=memory.pss_mib,
        fake_cpu_s=fake_cpu_s,
        files=files,
        size_bytes=size_bytes,
    )


def _forget_names(names: Sequence[str]) -> None:
    from asgiref.sync import async_to_sync

    from jobs.upstream import identities

    forget = async_to_sync(identities.Identities().forget)
    for name in names:
        forget(name)


def _check(job_id: Any, media: dict[str, Any]) -> tuple[int, int]:
    """Every file that was listed is DONE, checked and whole on the disk. How many, and bytes."""
    from jobs.files import store
    from jobs.models import Artifact, Item, Role, Story
    from jobs.states import ItemState
    from stories.media.download import digest

    for model in (Item, Story):
        rows = model.objects.filter(**{"job" if model is Item else "item__job": job_id})
        open_rows = list(rows.exclude(state=ItemState.DONE).values_list("state", "error_code"))
        if open_rows:
            raise Unchecked(f"not everything is done: {open_rows}")
    saved = list(Artifact.objects.present().filter(job=job_id, role=Role.MEDIA))
    if not all(artifact.checked for artifact in saved):
        raise Unchecked("a file was not checked")
    if sorted(artifact.sha256 for artifact in saved) != sorted(
        file["sha256"] for file in media["files"]
    ):
        raise Unchecked(f"{len(saved)} files are not the {len(media['files'])} that were listed")
    for artifact in saved:
        with store.open_artifact(artifact.pk) as file:
            if digest(file) != artifact.sha256:
                raise Unchecked(f"{artifact.name} on the disk is another file")
    return len(saved), sum(artifact.size_bytes for artifact in saved)


def _median(runs: Sequence[CurlRun | JobRun], name: str) -> float:
    return float(statistics.median(getattr(run, name) for run in runs))


# --- an idle instance -----------------------------------------------------------------------------


def _idle(home: Path, python: str) -> dict[str, Any]:
    """How long `manage.py up` takes to its first page, and what the group takes when idle."""
    data, log = home / "idle", home / "idle.log"
    data.mkdir()
    measured: dict[str, Any] = {}
    for name in ("first_start_s", "next_start_s"):
        port = _free_port()
        began = time.perf_counter()
        with stack.instance(data, port, log, python=python) as pid:
            url = f"http://127.0.0.1:{port}/login/"
            stack.eventually(lambda: stack.page_answers(url), f"the first page ({log})", 60)  # noqa: B023
            measured[name] = time.perf_counter() - began
            if name == "next_start_s":
                time.sleep(8)
                measured["pss_mib"] = {
                    _name(child): round(meters.pss_mib(child), 1)
                    for child in meters.family(pid)[1:]
                    if child in _direct(pid)
                }
                measured["pss_mib"]["supervisor"] = round(
                    meters.pss_mib(pid) - sum(measured["pss_mib"].values()), 1
                )
                measured["pss_total_mib"] = round(sum(measured["pss_mib"].values()), 1)
                before = meters.cpu_s(pid)
                time.sleep(5)
                measured["cpu_share"] = (meters.cpu_s(pid) - before) / 5
    shutil.rmtree(data)
    return measured


def _direct(pid: int) -> set[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return {int(word) for word in text.split()}


def _name(pid: int) -> str:
    line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    for word, name in {
        "redis-server": "redis",
        "gunicorn": "web",
        "webapp.worker": "worker",
        "scheduler": "scheduler",
    }.items():
        if word in line:
            return name
    return line[:40]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# --- what people see ------------------------------------------------------------------------------


def _print_scenario(scenario: Scenario, measured: dict[str, Any]) -> None:
    size = measured["fresh_worker"][0]["size_bytes"]
    files = measured["fresh_worker"][0]["files"]

    def middle(runs: str, name: str) -> float:
        return float(statistics.median(run[name] for run in measured[runs]))

    def walls(runs: str) -> str:
        return " ".join(f"{run['wall_s']:.2f}" for run in measured[runs])

    say = _say
    say(f"({scenario.name}) {scenario.about}; {files} files, {size / 1024**2:.0f} MiB")
    say(f"    every file saved, checked and compared: yes, {len(measured['fresh_worker'])} times")
    say(f"    {'':26}{'median s':>9}{'CPU s/GiB':>11}{'peak MiB':>10}{'PSS':>7}   each")
    for label, runs in (
        ("curl, 64 at once", "curl"),
        ("fresh worker", "fresh_worker"),
        ("warm worker, again", "warm_worker"),
    ):
        peak = "peak_mib" if runs == "curl" else "peak_rss_mib"
        highest: Callable[[str], float] = lambda name: max(run[name] for run in measured[runs])  # noqa: B023, E731
        pss = "" if runs == "curl" else f"{highest('peak_pss_mib'):.0f}"
        say(
            f"    {label:26}{middle(runs, 'wall_s'):9.2f}{middle(runs, 'cpu_s') / size * GIB:11.1f}"
            f"{highest(peak):10.0f}{pss:>7}   {walls(runs)}"
        )
    say(
        f"    ratio to curl {measured['ratio']:.2f} (aim {scenario.aim}), warm"
        f" {measured['warm_ratio']:.2f};"
        f" the fake itself used {middle('fresh_worker', 'fake_cpu_s'):.2f} CPU s per job"
    )
    highest_mib = max(
        run["peak_rss_mib"] for run in measured["fresh_worker"] + measured["warm_worker"]
    )
    say(f"    worker memory at its highest {highest_mib:.0f} MiB (aim {MEMORY_AIM_MIB:.0f})\n")


def _print_idle(measured: dict[str, Any]) -> None:
    parts = ", ".join(f"{name} {size:.0f}" for name, size in measured["pss_mib"].items())
    _say(f"(idle) `manage.py up`: PSS {measured['pss_total_mib']:.0f} MiB ({parts})")
    _say(f"    CPU {measured['cpu_share'] * 100:.1f} %")
    _say(
        f"    first page after {measured['first_start_s']:.1f} s (new database),"
        f" {measured['next_start_s']:.1f} s (next time)"
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
