"""Holders: which losses are deaths, and how many of them are too many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from jobs.ephemeral import processes
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.processes import RunningProcess
from jobs.queue import holders
from jobs.queue.holders import FREE_OUTAGES, MAX_DEATHS_ALONE, Losses, Witnesses

OURS = processes.STARTED_AT
MINUTE = timedelta(minutes=1)
NOW = OURS + 10 * MINUTE


@pytest.fixture(autouse=True)
def _run() -> Iterator[None]:
    holders.belong_to("house")
    yield
    holders.belong_to("")


def running(identity: str, started_at: datetime) -> RunningProcess:
    return RunningProcess(
        name=f"worker-{identity}@nas", version="1", started_at=started_at, id=identity
    )


@pytest.mark.parametrize(
    ("holder", "last_seen", "death"),
    [
        pytest.param("house.x", OURS - MINUTE, True, id="its run goes on without it"),
        pytest.param("other.x", OURS + MINUTE, True, id="we were there when it died"),
        pytest.param(".x", OURS + MINUTE, True, id="of no run, and we were there"),
        pytest.param("other.x", OURS - MINUTE, False, id="its run ended before us"),
        pytest.param(".x", OURS - MINUTE, False, id="of no run, before us"),
        pytest.param("other.x", None, False, id="never seen"),
        pytest.param("other.x", NOW + MINUTE, False, id="seen in the future: the clock is behind"),
        pytest.param("house.lives", OURS + MINUTE, False, id="it lives"),
        pytest.param("", OURS + MINUTE, False, id="of an older version, which named none"),
    ],
)
def test_a_death_is_what_something_outlived(
    holder: str, last_seen: datetime | None, death: bool
) -> None:
    witnesses = Witnesses.of([running("lives", OURS + 2 * MINUTE)])
    assert witnesses.tell_of_death(holder, last_seen, NOW) == death


def test_another_worker_is_a_witness() -> None:
    last_seen = OURS - MINUTE
    assert not Witnesses.of([]).tell_of_death("other.x", last_seen, NOW)
    assert Witnesses.of([running("old", OURS - 2 * MINUTE)]).tell_of_death(
        "other.x", last_seen, NOW
    )


def test_this_process_lives() -> None:
    assert not Witnesses.of([]).tell_of_death(holders.own_name(), OURS + MINUTE, NOW)


def test_where_nothing_is_known_of_runs_none_is_the_same() -> None:
    holders.belong_to("")
    assert not Witnesses.of([]).tell_of_death(".x", OURS - MINUTE, NOW)


def test_witnesses_are_those_that_told_of_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [running("y", OURS - MINUTE)]
    monkeypatch.setattr(processes, "running", lambda: tuple(told))
    assert Witnesses.find() == Witnesses(ids=frozenset({processes.ID, "y"}), since=OURS - MINUTE)


def test_a_clock_put_right_makes_no_witness_of_who_came_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a power cut the machine began an hour in the past."""
    began = OURS + timedelta(hours=1)
    monkeypatch.setattr(processes, "started_at", lambda: began)
    assert not Witnesses.of([]).tell_of_death("other.x", OURS + MINUTE, began + MINUTE)


def test_without_redis_this_process_is_the_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise RedisUnavailable

    monkeypatch.setattr(processes, "running", away)
    assert Witnesses.find() == Witnesses(ids=frozenset({processes.ID}), since=OURS)


@pytest.mark.parametrize(
    ("deaths", "alone", "too_many", "wait_s"),
    [
        (0, 0, False, 0),
        (1, 0, False, 0),
        (2, 1, False, 10),
        (MAX_DEATHS_ALONE, MAX_DEATHS_ALONE - 1, False, 40),
        (MAX_DEATHS_ALONE + 1, MAX_DEATHS_ALONE, True, 50),
    ],
)
def test_the_first_death_is_shared(deaths: int, alone: int, too_many: bool, wait_s: int) -> None:
    losses = Losses(deaths, 0)
    assert (losses.deaths_alone, losses.are_too_many) == (alone, too_many)
    assert losses.wait == timedelta(seconds=wait_s)


def test_each_loss_counts_for_what_it_was() -> None:
    assert Losses(1, 2).after(death=True) == Losses(2, 2)
    assert Losses(1, 2).after(death=False) == Losses(1, 3)
    assert Losses(1, FREE_OUTAGES).after(death=False) == Losses(2, FREE_OUTAGES + 1)
