"""What one poll costs the web server, and the wire: page and API, unchanged and changed.

Jobs of several sizes, one line of each at work. Before each changed poll that line gets what a
worker gives it when a file is saved: the row of another file, and progress.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks import accounts, filling, instance, meters
from benchmarks.clients import Answer, Browser, Script

SHAPES: Final = {1: (1, 1), 40: (4, 10), 120: (40, 3), 140: (20, 7), 500: (20, 25)}
"""Media files of a job → its lines, and the stories of each."""
WARM_UP: Final = 3
VIEWS: Final = 5
CHANGED: Final = 20
UNCHANGED: Final = 80


def measure(home: Path, python: str) -> dict[str, Any]:
    """Number of files → what a poll of the page and of the API costs."""
    user = accounts.owner()
    session, token = accounts.session_of(user), accounts.token_of(user)
    measured: dict[str, Any] = {}
    with instance.redis(), instance.web(home / "web.log", python=python) as web:
        for files, (lines, stories) in SHAPES.items():
            job = running_job(user, lines, stories)
            with Browser(web.port, session) as browser, Script(web.port, token) as script:
                measured[str(files)] = _of(job, web.pid, browser, script)
            job.delete()
    return measured


def _of(job: Any, pid: int, browser: Browser, script: Script) -> dict[str, Any]:
    """What looking at one job costs."""
    browser.open(job.pk)
    view = _cost(pid, VIEWS, lambda: browser.open(job.pk), 200)
    page = _costs(pid, browser.poll, lambda: save_a_file(job))
    api = _costs(pid, lambda: script.poll(job.pk), lambda: save_a_file(job))
    return {"page": {"view": view, **page}, "api": api}


def _costs(pid: int, poll: Callable[[], Answer], change: Callable[[], None]) -> dict[str, Any]:
    """The cost of polls after a change each, and of polls with nothing new."""
    for _ in range(WARM_UP):
        change()
        poll()
    changed = _cost(pid, CHANGED, poll, 200, before_each=change)
    unchanged = _cost(pid, UNCHANGED, poll, 304)
    return {"changed": changed, "unchanged": unchanged}


def _cost(
    pid: int,
    times: int,
    poll: Callable[[], Answer],
    status: int,
    before_each: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """The mean of several polls: CPU of the web server's processes, and bytes of the answer."""
    wire_bytes = 0
    cpu_s = meters.cpu_s(pid)
    for number in range(times):
        before_each()
        answer = poll()
        # The first after the last change may still bring it.
        if answer.status != status and not (status == 304 and number == 0):
            raise RuntimeError(f"status {answer.status} instead of {status}")
        wire_bytes += answer.wire_bytes
    cpu_s = meters.cpu_s(pid) - cpu_s
    return {"cpu_ms": cpu_s * 1000 / times, "wire_bytes": wire_bytes / times}


def running_job(user: Any, lines: int, stories: int) -> Any:
    """A job of so many stories, all saved but for the last line, which is at work."""
    from django.utils import timezone

    from jobs.models import Job
    from jobs.states import ItemState

    job = filling.fill_job(user, lines=lines, stories=stories)
    now = timezone.now()
    job.items.filter(position=lines).update(
        state=ItemState.RUNNING, settled_at=None, claimed_at=now, heartbeat_at=now
    )
    Job.objects.filter(pk=job.pk).update(settled_at=None)
    return job


def save_a_file(job: Any) -> None:
    """Put another file in the place of the last line's last one, and report it."""
    from uuid import uuid4

    from django.utils import timezone

    from jobs.ephemeral.progress import Reporter
    from jobs.models import Artifact, Role

    last = job.artifacts.filter(role=Role.MEDIA).order_by("item__position", "created_at").last()
    story_id = str(last.story_id)
    Artifact.objects.filter(pk=last.pk).delete()
    last.pk, last.created_at = uuid4(), timezone.now()
    last.size_bytes += 1
    last.save(force_insert=True)
    Reporter(job.pk, last.item_id).file_done((story_id, 1), last.size_bytes)
