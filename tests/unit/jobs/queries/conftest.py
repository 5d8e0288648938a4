"""A Redis that reports what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from jobs.ephemeral import progress
from jobs.ephemeral.progress import ItemProgress


@pytest.fixture
def redis_reports(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, ItemProgress]], None]:
    """Sets what Redis reports of the lines of every job."""

    def report(reports: Mapping[str, ItemProgress]) -> None:
        monkeypatch.setattr(progress, "read", lambda job_id: reports)

    report({})
    return report
