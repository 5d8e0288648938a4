"""How the cost of pages, API calls and the queue grows with the database.

`python -m benchmarks.growth FILE` measures in this process, on SQLite or on the database that
`STORYKEEP_DATABASE_URL` names, and writes JSON. `measure` does it for both, in processes of their
own. Most rows are without bytes on the disk; the newest jobs' files lie there, as holes.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import accounts, instance
from benchmarks.processes import ROOT

if TYPE_CHECKING:
    from django.test import Client

JOBS: Final = (1, 50, 1_000, 20_000)
LINES: Final = (10, 100, 1_000, 10_000)
PEOPLE: Final = 21
"""Who has lines in the queue, in equal shares."""
PRESENT_JOBS: Final = 300
"""The newest jobs, whose files have not expired."""
DRAINED: Final = 20
"""Lines taken from the queue to see what one costs."""

Act = Callable[[], Any]


def measure(home: Path, *, quick: bool) -> dict[str, Any]:
    """The growth on SQLite, and on a throwaway PostgreSQL where its programs are installed."""
    measured = {}
    for name, runner in (("sqlite", []), ("postgresql", ["-m", "tests.postgres", sys.executable])):
        file = home / f"growth-{name}.json"
        argv = [sys.executable, *runner, "-m", "benchmarks.growth", str(file)]
        ended = subprocess.run([*argv, *["--quick"] * quick], cwd=ROOT, check=False)
        if ended.returncode and name == "sqlite":
            raise RuntimeError("the growth could not be measured")
        if file.exists():
            measured[name] = json.loads(file.read_text())
    return measured


def main() -> int:
    """Measure on one database."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("file", type=Path, help="where the JSON goes")
    parser.add_argument("--quick", action="store_true", help="without the largest sizes")
    options = parser.parse_args()
    database_url = os.environ.get("STORYKEEP_DATABASE_URL", "")
    with tempfile.TemporaryDirectory(prefix="sk-growth-") as folder:
        instance.open_app(Path(folder), database_url, api_rate="0")
        logging.disable(logging.CRITICAL)  # what is broken off would fill the screen
        _warm_up()
        with instance.redis():
            lines, jobs = (LINES[:-1], JOBS[:-1]) if options.quick else (LINES, JOBS)
            measured = {
                "queue": {str(count): _queue(count) for count in lines},
                "jobs": _jobs(jobs),
                "large_job": _large_job(),
            }
    options.file.write_text(json.dumps(measured, indent=2) + "\n")
    return 0


def _warm_up() -> None:
    """Load what pages need and hide it from the garbage collector, as the web server does."""
    from webapp.processes import memory
    from webapp.wsgi import warm_up

    warm_up()
    memory.freeze()


def _costs(acts: dict[str, Act], **before: Act) -> dict[str, Any]:
    """The cost of each. before: what is called ahead of the act of that name, without counting."""
    from benchmarks import gauges

    return {
        name: asdict(gauges.cost(act, before_each=before.get(name, lambda: None)))
        for name, act in acts.items()
    }


# --- a queue --------------------------------------------------------------------------------------


def _queue(lines: int) -> dict[str, Any]:
    """What one line costs its way through a queue of so many; the queue is gone afterwards."""
    from benchmarks import filling, gauges
    from jobs.housekeeping import reaper
    from jobs.models import Item, Job
    from jobs.queries.snapshot import load_snapshot
    from jobs.queue import backoff, dispatch
    from stories.errors import RateLimited

    owners = filling.make_owners(PEOPLE)
    filling.fill_queue(owners, lines=lines, lines_per_job=min(50, max(1, lines // PEOPLE)))
    _refresh_statistics()
    dispatch.dispatch(_now())
    last = Job.objects.order_by("created_at").last()
    assert last is not None
    drained = min(DRAINED, lines // 2)
    line = gauges.cost(_drain(drained), repeat=1)
    measured = _costs(
        {
            "dispatch": lambda: dispatch.dispatch(_now()),
            "repair": lambda: reaper.requeue_stalled(_now()),
            "poll of a queued job": lambda: bool(load_snapshot(last.pk, last.owner)),
            "refusal": lambda: bool(
                backoff.hold_queue(_now() + timedelta(minutes=5), RateLimited.code)
            ),
        },
        refusal=backoff.release_queue,
    )
    backoff.release_queue()
    measured["line"] = asdict(line) | {
        "cpu_ms": line.cpu_ms / drained,
        "statements": line.statements / drained,
    }
    Item.objects.all().delete()
    Job.objects.all().delete()
    return measured


def _drain(lines: int) -> Act:
    """Take so many lines as a worker does, one after the other, and settle each as empty."""
    from jobs.models import Item
    from jobs.queue import settling
    from jobs.queue.dispatch import claim_next
    from jobs.queue.in_hand import InHand
    from jobs.states import ItemState

    def drain() -> None:
        for _ in range(lines):
            sent = Item.objects.filter(state=ItemState.QUEUED, sent_at__isnull=False)
            message = sent.order_by("sent_at").values_list("pk", flat=True).first()
            place = InHand().begin()
            claim = claim_next(message, place) if message and place else None
            if claim is None:
                raise RuntimeError("the queue has lines, and none was to be had")
            settling.finish(claim, settling.Outcome(ItemState.EMPTY))

    return drain


# --- jobs of the past -----------------------------------------------------------------------------


def _jobs(sizes: Sequence[int]) -> dict[str, Any]:
    """What pages, calls and housekeeping cost as one person's jobs become more."""
    from benchmarks import filling, polls
    from jobs.models import Job
    from jobs.states import ItemState

    user = accounts.owner()
    measured: dict[str, Any] = {}
    made = 0
    running = polls.running_job(user, 4, 10)
    for size in sizes:
        missing = size - made
        present = min(max(PRESENT_JOBS - made, 0), missing)
        filling.fill(
            [user],
            jobs=missing,
            present=present / missing,
            until=_now() - made * timedelta(minutes=1),
            every=timedelta(minutes=1),
        )
        made = size
        _lay_files()
        _refresh_statistics()
        browser, script = _browser(user), _script(user)
        settled = Job.objects.filter(owner=user, settled_at__isnull=False)
        job = settled.order_by("-created_at").first()
        assert job is not None
        acts = {
            **_page_acts(browser, job.pk, size),
            **_api_acts(script, running.pk),
            **_keeping_acts(),
        }
        change = lambda: polls.save_a_file(running)  # noqa: E731
        measured[str(size)] = _costs(acts, **{"API: poll, changed": change})
        submitted = Job.objects.filter(owner=user, items__state=ItemState.QUEUED)
        submitted.exclude(pk=running.pk).delete()
    running.delete()
    return measured


def _page_acts(browser: Client, job_id: Any, jobs: int) -> dict[str, Act]:
    job = f"/jobs/{job_id}/"
    last = max(1, jobs // 20)
    return {
        "home": _get(browser, "/"),
        "history": _get(browser, "/history/"),
        "history, last page": _get(browser, f"/history/?page={last}"),
        "history, search": _get(browser, "/history/?q=afternoon"),
        "history, done": _get(browser, "/history/?state=done"),
        "history, failed": _get(browser, "/history/?state=failed"),
        "job": _get(browser, job),
        "fragment": _get(browser, f"{job}progress/"),
    }


def _api_acts(script: Client, running_id: Any) -> dict[str, Act]:
    poll = f"/api/v1/jobs/{running_id}"
    tag = script.get(poll).headers["ETag"]
    return {
        "API: poll, unchanged": _get(script, poll, HTTP_IF_NONE_MATCH=tag),
        "API: poll, changed": _get(script, poll),
        "API: list of 50": _get(script, "/api/v1/jobs?limit=50"),
        "API: me": _get(script, "/api/v1/me"),
        "API: submit": lambda: _submit(script),
    }


def _keeping_acts() -> dict[str, Act]:
    from jobs.housekeeping import reaper, sweep
    from jobs.queue import dispatch

    return {
        "dispatch": lambda: dispatch.dispatch(_now()),
        "repair": lambda: reaper.requeue_stalled(_now()),
        "sweep": lambda: sweep.sweep(_now()),
    }


def _large_job() -> dict[str, Any]:
    """A job of fifty accounts with a hundred stories each."""
    from benchmarks import filling
    from jobs.queries.snapshot import load_snapshot

    user = accounts.owner()
    job = filling.fill_job(user, lines=50, stories=100)
    _lay_files()
    _refresh_statistics()
    browser, script = _browser(user), _script(user)
    measured = _costs(
        {
            "first view": _get(browser, f"/jobs/{job.pk}/"),
            "fragment": _get(browser, f"/jobs/{job.pk}/progress/"),
            "snapshot": lambda: bool(load_snapshot(job.pk, user)),
            "API: poll": _get(script, f"/api/v1/jobs/{job.pk}"),
        }
    )
    return measured | _costs_once({"forget": _post(browser, f"/jobs/{job.pk}/forget/")})


def _costs_once(acts: dict[str, Act]) -> dict[str, Any]:
    from benchmarks import gauges

    return {name: asdict(gauges.cost(act, repeat=1)) for name, act in acts.items()}


# --- requests -------------------------------------------------------------------------------------


def _browser(user: Any) -> Client:
    from django.test import Client

    browser = Client(HTTP_ACCEPT_ENCODING="gzip", HTTP_ACCEPT_LANGUAGE="en")
    browser.force_login(user)
    return browser


def _script(user: Any) -> Client:
    from django.test import Client

    token = accounts.token_of(user)
    return Client(HTTP_ACCEPT_ENCODING="gzip", HTTP_AUTHORIZATION=f"Bearer {token}")


def _get(client: Client, path: str, **headers: Any) -> Act:
    def get() -> int:
        answer = client.get(path, **headers)
        if answer.status_code not in {200, 304}:
            raise RuntimeError(f"{path}: status {answer.status_code}")
        return len(answer.content)

    return get


def _post(client: Client, path: str) -> Act:
    def post() -> int:
        answer = client.post(path)
        if answer.status_code != 302:
            raise RuntimeError(f"{path}: status {answer.status_code}")
        return len(answer.content)

    return post


def _submit(script: Client) -> int:
    lines = [f"@corner.bakery{number}" for number in range(5)]
    answer = script.post("/api/v1/jobs", {"lines": lines}, content_type="application/json")
    if answer.status_code != 202:
        raise RuntimeError(f"submitting: status {answer.status_code}")
    return len(answer.content)


# --- surroundings ---------------------------------------------------------------------------------


def _now() -> Any:
    from django.utils import timezone

    return timezone.now()


def _refresh_statistics() -> None:
    """What a database does by itself, or the product's housekeeping for it, while time passes."""
    from django.db import connection

    from jobs.housekeeping import sweep

    if connection.vendor == "postgresql":  # its own housekeeping comes once a minute
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    sweep.sweep(_now())


def _lay_files() -> None:
    """Lay a hole of the right size for every saved file that has none."""
    from jobs.files.folder_store import shard
    from jobs.models import Artifact

    for artifact_id, size_bytes in Artifact.objects.present().values_list("pk", "size_bytes"):
        with shard(artifact_id, make=True) as (folder, name):
            file = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=folder)
            os.ftruncate(file, size_bytes)
            os.close(file)


if __name__ == "__main__":
    sys.exit(main())
