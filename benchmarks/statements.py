"""SQL statements of the worker per media file: counted, so a single job says it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks import accounts, instance
from benchmarks.fake import fake
from benchmarks.processes import eventually
from benchmarks.scenarios import JOB_LIMIT_S, SCENARIOS, Scenario


def measure(home: Path) -> dict[str, Any]:
    """Scenario → statements of the whole job, its media files, and the one by the other."""
    wanted = {scenario.name: scenario for scenario in SCENARIOS if scenario.name.startswith("real")}
    return {name: _count(scenario, home) for name, scenario in wanted.items()}


def _count(scenario: Scenario, home: Path) -> dict[str, Any]:
    from django.conf import settings

    from jobs.models import Artifact, Job, Role
    from jobs.queue import erasure, submission
    from webapp.processes import specs

    count, log = home / "statements", home / f"counted-{scenario.name}.log"
    _, _, _, *arguments = specs.worker(settings.STORYKEEP).argv
    argv = [sys.executable, "-m", "benchmarks.counted_worker", str(count), *arguments]
    user = accounts.owner()
    with fake(scenario.cast, home / scenario.cast) as tiktok, instance.redis():
        with instance.worker(argv, log, instance.fetching_from(tiktok)):
            before = int(count.read_text())
            job = submission.submit(user, [f"@{name}" for name in tiktok.accounts])
            settled = Job.objects.filter(pk=job.pk, settled_at__isnull=False)
            eventually(settled.exists, "the job", JOB_LIMIT_S, 0.2)
            made = int(count.read_text()) - before
        files = Artifact.objects.filter(job=job, role=Role.MEDIA).count()
        erasure.erase(job)
    return {"statements": made, "files": files, "per_file": made / files}
