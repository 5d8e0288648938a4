"""Lines a second with one worker and with several on PostgreSQL, and what each line costs.

`python -m benchmarks.throughput FILE` measures and writes JSON; `make bench ARGS="--only lines"`
does so among the rest. Lines of one small photo each, of several people, from a fake TikTok without
latency: then two cores are full with one worker, and what more of them add is not to be seen. With
`--latency-ms 80 --threads 4` a line waits for TikTok, as lines do, and cores last for four workers.
`--tree DIR` runs the workers of another state of the code for a comparison, and `--statements`
prints what a line sends to the database.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import instance, meters, report
from benchmarks.database import Counted, Database, Watch
from benchmarks.fake import Fake, fake
from benchmarks.processes import ROOT, eventually
from tests import postgres

if TYPE_CHECKING:
    from django.contrib.auth.models import User

WORKERS: Final = (1, 2, 4)
PEOPLE: Final = 8
"""Whose lines they are, in equal shares."""
LINES: Final = 400
WARM_UP: Final = 160
"""Lines before those that count: every thread has a connection, and the decoders are loaded."""
LIMIT_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What so many workers did in a run. All but the first four and the last four are by line.

    strangers: share of the machine's CPUs in other hands. statements: sent, beginnings and ends of
    transactions among them. key_checks: made by PostgreSQL for foreign keys. database_ms: from a
    statement's arrival to its end, waits included. lock_share: of that, what was spent waiting for
    locks. waits: for a lock, for longer than a second.
    """

    workers: int
    lines: int
    lines_per_s: float
    strangers: float
    statements: float
    key_checks: float
    redis_commands: float
    worker_cpu_ms: float
    database_cpu_ms: float
    redis_cpu_ms: float
    fake_cpu_ms: float
    database_ms: float
    lock_share: float
    longest_wait_s: float
    waits: int
    deadlocks: int


def main() -> int:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("file", type=Path, help="where the JSON goes")
    parser.add_argument("--workers", type=_counts, default=WORKERS, help="1,2,4")
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--latency-ms", type=float, default=0.0, help="of each answer")
    parser.add_argument("--threads", type=int, default=20, help="of each worker")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the code the workers run")
    parser.add_argument("--statements", action="store_true", help="print each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sk-lines-") as folder:
        home = Path(folder)
        with postgres.cluster(**Database.SETTINGS) as server:
            instance.open_app(home / "data", server.url, quota_active="0", quota_daily="0")
            measured = [asdict(run) for run in _runs(server, home, options)]
    options.file.write_text(json.dumps(measured, indent=2) + "\n")
    return 0


def measure(home: Path, *, quick: bool) -> list[dict[str, Any]]:
    """The runs, in a process of their own; none where PostgreSQL is not installed."""
    file = home / "throughput.json"
    argv = [sys.executable, "-m", "benchmarks.throughput", str(file)]
    subprocess.run([*argv, *["--workers", "1,2"] * quick], cwd=ROOT, check=False)
    measured: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    return measured


def _runs(
    server: postgres.Cluster, home: Path, options: argparse.Namespace
) -> Iterator[Throughput]:
    from benchmarks import filling

    database = Database(server)
    people = filling.make_owners(PEOPLE)
    latency = options.latency_ms
    with fake("bench-small", home / "fake", latency_ms=latency, bytes_per_s=None) as tiktok:
        report.throughput_head()
        for workers in options.workers:
            with _ready(workers, tiktok, people, home, options) as pids:
                run, counted = _run(workers, options.lines, tiktok, database, pids)
            report.throughput(asdict(run))
            for calls, spent_s, sql in counted.statements if options.statements else ():
                calls_each, ms = calls / options.lines, spent_s / options.lines * 1000
                report.say(f"    {calls_each:6.2f} x {ms:7.2f} ms  {' '.join(sql.split())[:600]}")
            yield run
    database.close()


@contextmanager
def _ready(
    workers: int,
    tiktok: Fake,
    people: Sequence[User],
    home: Path,
    options: argparse.Namespace,
) -> Iterator[dict[str, list[int]]]:
    """Workers that have fetched some lines already, and lines that wait to be let go; the process
    ids by part."""
    from django.conf import settings
    from django.db import connection

    from webapp.processes import specs

    _fill(people, tiktok.accounts[: WARM_UP + options.lines])
    argv = [*specs.worker(settings.STORYKEEP).argv, "--concurrency", str(options.threads)]
    with ExitStack() as parts:
        pids = {"redis": [parts.enter_context(instance.redis())], "worker": []}
        for number in range(workers):
            log = home / f"worker-{workers}-{number}.log"
            pids["worker"].append(
                parts.enter_context(
                    instance.worker(argv, log, instance.fetching_from(tiktok), tree=options.tree)
                )
            )
        _let_go(WARM_UP)
        eventually(lambda: _open_lines() == 0, "the first lines", LIMIT_S, 0.1)
        connection.close()
        time.sleep(1)
        yield pids
    from jobs.models import Job
    from jobs.queue import erasure

    for job in Job.objects.all():
        erasure.erase(job)


def _fill(people: Sequence[User], names: Sequence[str]) -> None:
    """Jobs of these accounts, held back until they are let go; nobody is told of them."""
    from jobs.models import Item
    from jobs.queue import submission

    share = -(-len(names) // len(people))
    for number, person in enumerate(people):
        own = names[number * share : (number + 1) * share]
        for first in range(0, len(own), 25):
            submission.submit(person, [f"@{name}" for name in own[first : first + 25]])
    Item.objects.update(not_before=_later(), sent_at=None)


def _let_go(lines: int) -> None:
    """Have so many of the lines be due, equally many of each person, and tell the workers."""
    from jobs.models import Item
    from jobs.queue import dispatch

    waiting = Item.objects.filter(state="queued").order_by("job__created_at", "position")
    by_person: dict[int, list[Any]] = {}
    for item_id, person in waiting.values_list("pk", "owner_id"):
        by_person.setdefault(person, []).append(item_id)
    share = lines // len(by_person)
    ids = [item_id for own in by_person.values() for item_id in own[:share]]
    Item.objects.filter(pk__in=ids).update(not_before=None)
    dispatch.dispatch()


def _later() -> Any:
    from datetime import timedelta

    from django.utils import timezone

    return timezone.now() + timedelta(hours=1)


def _open_lines() -> int:
    from jobs.models import Item

    return Item.objects.open().filter(not_before=None).count()


def _run(
    workers: int, lines: int, tiktok: Fake, database: Database, pids: dict[str, list[int]]
) -> tuple[Throughput, Counted]:
    from django.db import connection

    from jobs.models import Item

    saved = Item.objects.filter(state="done").count()
    parts = {**pids, "database": [database.pid], "fake": [tiktok.pid]}
    before = {name: sum(map(meters.cpu_s, part)) for name, part in parts.items()}
    machine = meters.machine_cpu_s()
    commands = _redis_commands()
    database.begin()
    began = time.monotonic()
    with Watch(database) as watch:
        _let_go(lines)
        connection.close()
        watch.until_settled(LIMIT_S)
    wall_s = time.monotonic() - began
    counted = database.end()
    commands = _redis_commands() - commands
    spent = {name: sum(map(meters.cpu_s, part)) - before[name] for name, part in parts.items()}
    everyone = meters.machine_cpu_s() - machine
    unsaved = lines - (Item.objects.filter(state="done").count() - saved)
    if unsaved:
        report.say(f"    {unsaved} lines were not saved")

    def by_line(seconds: float) -> float:
        return seconds / lines * 1000

    run = Throughput(
        workers=workers,
        lines=lines,
        lines_per_s=lines / wall_s,
        strangers=max(0.0, everyone - sum(spent.values())) / wall_s / _cpus(),
        statements=counted.sent / lines,
        key_checks=counted.key_checks / lines,
        redis_commands=commands / lines,
        worker_cpu_ms=by_line(spent["worker"]),
        database_cpu_ms=by_line(spent["database"]),
        redis_cpu_ms=by_line(spent["redis"]),
        fake_cpu_ms=by_line(spent["fake"]),
        database_ms=by_line(counted.spent_s),
        lock_share=watch.lock_share,
        longest_wait_s=watch.longest_wait_s,
        waits=counted.long_waits,
        deadlocks=counted.deadlocks,
    )
    return run, counted


def _redis_commands() -> int:
    from jobs.ephemeral import connection

    facts = connection.execute(lambda server: server.info("stats"))
    return int(facts["total_commands_processed"])


def _cpus() -> int:
    import os

    return len(os.sched_getaffinity(0))


def _counts(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
