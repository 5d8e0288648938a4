"""Requests that wait for a job to settle."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from jobs.api import waiting
from jobs.models import Item, Job
from jobs.states import ItemState
from tests.unit.jobs.api.scripts import Script, error_of

pytestmark = pytest.mark.django_db

S = ItemState


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Sleeping takes no time; what was slept is written down."""
    slept: list[float] = []
    monkeypatch.setattr(waiting, "_sleep", slept.append)
    return slept


def test_waiting_ends_when_the_job_settles(
    alice: Script, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            Item.objects.update(state=S.EMPTY)

    monkeypatch.setattr(waiting, "_sleep", nap)
    found = alice.call("POST", "/jobs?wait=30", {"lines": ["@ann"]}).json()
    assert found["state"] == "empty"
    assert naps == [0.5, 0.5, 1.0]


@pytest.mark.parametrize(("wait", "slept"), [(0, []), (1, [0.5, 0.5]), (2, [0.5, 0.5, 1.0])])
def test_waiting_ends_when_the_time_is_over(
    alice: Script, naps: list[float], wait: int, slept: list[float]
) -> None:
    response = alice.call("POST", f"/jobs?wait={wait}", {"lines": ["@ann"]})
    assert (response.status_code, response.json()["state"]) == (202, "queued")
    assert naps == slept


def test_the_longest_wait_looks_a_few_times_only(alice: Script, naps: list[float]) -> None:
    alice.call("POST", "/jobs?wait=30", {"lines": ["@ann"]})
    assert sum(naps) == 30
    assert min(naps) >= 0.5
    assert len(naps) < 20


def test_few_may_wait_at_once_and_nobody_takes_all_places(
    alice: Script, bob: Script, naps: list[float]
) -> None:
    def places(owner: object, count: int) -> list[bool]:
        return [others.enter_context(waiting._slots.take(owner)) for _ in range(count)]

    with ExitStack() as others:  # of 48 threads
        assert places(alice.user.pk, 6) == [True] * 5 + [False]
        alice.call("POST", "/jobs?wait=30", {"lines": ["@ann"]})
        assert naps == []
        bob.call("POST", "/jobs?wait=1", {"lines": ["@ann"]})
        assert naps
        for owner in ("carol", "dan"):
            assert all(places(owner, 5))
        assert places("eve", 2) == [True, False]
    naps.clear()
    alice.call("POST", "/jobs?wait=1", {"lines": ["@bea"]})
    assert naps


@pytest.mark.parametrize("wait", ["31", "-1", "x", "1.5"])
def test_a_wait_that_is_none(alice: Script, wait: str) -> None:
    error = error_of(alice.call("POST", f"/jobs?wait={wait}", {"lines": ["@ann"]}), 422)
    assert error["message"].startswith("wait: ")
    assert Job.objects.count() == 0
