"""Events are scripted here, and no client is asked."""

from __future__ import annotations

import pytest

from tests.unit.jobs.fetching.stage import Stage, put_on


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Plays the events it is given to the pipeline."""
    return put_on(monkeypatch)
