"""Two jobs through a whole instance, beside curl fetching the same files.

Each is looked at while it runs: by a browser on its page and by a script on the API.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import accounts, floor, instance, meters
from benchmarks.clients import Browser, Script, Tally
from benchmarks.fake import Fake, fake
from benchmarks.floor import CurlRun
from benchmarks.instance import Instance

JOB_LIMIT_S: Final = 120.0
REST_S: Final = 15.0
"""From the end of the last job until memory at rest is read."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is measured. connections: transfers at once. aim: wall time relative to curl's."""

    name: str
    cast: str
    connections: int
    aim: float | None

    @property
    def about(self) -> str:
        who = "one author" if self.name.endswith("-a") else "twenty authors"
        return f"{who}, {self.name.partition('-')[0]} media, {self.connections} connections"

    @property
    def key(self) -> str:
        return f"{self.name}@{self.connections}"


SCENARIOS: Final = (
    Scenario("real-a", "bench-real-a", 24, 0.65),
    Scenario("real-b", "bench-real-b", 24, 2.2),
    Scenario("real-b", "bench-real-b", 48, 1.7),
    Scenario("light-a", "bench-a", 24, None),
    Scenario("light-b", "bench-b", 24, None),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One job from its submission until the row says that it is settled.

    cpu_s, peak_pss_mib: by part of the instance ("total": of all at one moment). fake_cpu_s: of the
    fake, which shares the machine. strangers: the share of the machine's CPUs that processes had
    which are no part of the measurement. page, api: what the browser and the script were answered.
    """

    wall_s: float
    cpu_s: dict[str, float]
    peak_pss_mib: dict[str, float]
    fake_cpu_s: float
    strangers: float
    files: int
    size_bytes: int
    page: Tally
    api: Tally


class Unchecked(Exception):
    """A job that did not end with every file saved and checked."""


def measure(scenario: Scenario, home: Path, *, repeat: int, python: str) -> dict[str, Any]:
    """Alternate curl and the job, so that whatever else the machine does hits both.

    Each repetition starts the instance anew: its first job finds no connection open, no decoder
    loaded and no name known (`fresh`); after another curl it gets the job again (`warm`).
    """
    curls: list[CurlRun] = []
    fresh: list[JobRun] = []
    warm: list[JobRun] = []
    rest: dict[str, float] = {}
    with fake(scenario.cast, home / scenario.cast) as tiktok:
        media = tiktok.media()

        def curl() -> CurlRun:
            return floor.fetch(media, home / "curl", proxy=tiktok.proxy, ca=tiktok.ca)

        settings = instance.fetching_from(tiktok, fetch_concurrency=str(scenario.connections))
        for _ in range(repeat):
            curls.append(curl())
            with instance.whole(home / "instance.log", python=python, **settings) as started:
                instance.wait_for_redis()
                fresh.append(_job(started, tiktok, media))
                curls.append(curl())
                warm.append(_job(started, tiktok, media))
                if len(warm) == repeat:
                    time.sleep(REST_S)
                    rest = meters.pss_by_part(started.pid)
        if strays := tiktok.strays():
            raise Unchecked(f"hosts that are not TikTok's were asked for: {strays}")
    floor_s = statistics.median(run.wall_s for run in curls)
    return {
        "about": scenario.about,
        "aim": scenario.aim,
        "ratio": statistics.median(run.wall_s for run in fresh) / floor_s,
        "warm_ratio": statistics.median(run.wall_s for run in warm) / floor_s,
        "curl": [asdict(run) for run in curls],
        "fresh": [asdict(run) for run in fresh],
        "warm": [asdict(run) for run in warm],
        "rest_pss_mib": rest,
    }


def _job(started: Instance, tiktok: Fake, media: dict[str, Any]) -> JobRun:
    """Submit every author as one job, look at it until it is settled, check and forget it."""
    from jobs.models import Job
    from jobs.queue import erasure

    user = accounts.owner()
    token, session = accounts.token_of(user), accounts.session_of(user)
    _forget_names(tiktok.accounts)
    meters.settle(started.pid)
    stop, page, api = threading.Event(), Tally(), Tally()
    before, fake_before = meters.cpu_by_part(started.pid), meters.cpu_s(tiktok.pid)
    busy, own, at = meters.machine_cpu_s(), time.process_time(), time.monotonic()
    with (
        meters.PartsWatch(started.pid) as memory,
        Script(started.port, token) as script,
        Browser(started.port, session) as browser,
        ThreadPoolExecutor(2) as lookers,
    ):
        began = time.time()
        job_id = script.submit([f"@{name}" for name in tiktok.accounts])
        looking = [
            lookers.submit(browser.watch, job_id, page, stop),
            lookers.submit(script.watch, job_id, api, stop),
        ]
        _wait(looking, stop)
        used = meters.growth(before, meters.cpu_by_part(started.pid))
        fake_cpu_s = meters.cpu_s(tiktok.pid) - fake_before
        known = sum(used.values()) + fake_cpu_s + time.process_time() - own
        cpus_s = (time.monotonic() - at) * len(os.sched_getaffinity(0))
        strangers = max(0.0, meters.machine_cpu_s() - busy - known) / cpus_s
    job = Job.objects.get(pk=job_id)
    if job.settled_at is None:
        raise Unchecked(f"the job was not settled within {JOB_LIMIT_S:.0f} s")
    files, size_bytes = _check(job.pk, media)
    erasure.erase(job)
    return JobRun(
        wall_s=job.settled_at.timestamp() - began,
        cpu_s=used,
        peak_pss_mib=memory.pss_mib,
        fake_cpu_s=fake_cpu_s,
        strangers=strangers,
        files=files,
        size_bytes=size_bytes,
        page=page,
        api=api,
    )


def _wait(looking: Sequence[Any], stop: threading.Event) -> None:
    """Until page and API have shown the end; an error of theirs is ours."""
    try:
        for looker in looking:
            looker.result(JOB_LIMIT_S)
    except TimeoutError:
        pass  # the row says what came of the job
    finally:
        stop.set()


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
