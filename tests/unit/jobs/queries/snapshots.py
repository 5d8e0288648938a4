"""What tests of snapshots need."""

from __future__ import annotations

from jobs.models import Job
from jobs.queries.job_view import Snapshot
from jobs.queries.snapshot import load_snapshot


def load(job: Job) -> Snapshot:
    """The job's snapshot, for its owner."""
    snapshot = load_snapshot(job.pk, job.owner)
    assert snapshot
    return snapshot
