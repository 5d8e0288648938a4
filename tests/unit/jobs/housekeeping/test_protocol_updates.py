"""When the weekly look is made, and when it is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from jobs.choices import PackOrigin
from jobs.ephemeral import leases
from jobs.housekeeping import protocol_updates
from jobs.housekeeping.protocol_updates import AGAIN_AFTER, EVERY, JITTER
from jobs.upstream import protocol_look
from jobs.upstream.protocol_look import LastLook, Outcome
from tests.memory import redis_stays_away

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
WELL, BADLY = Outcome(reason="same"), Outcome(reason="unavailable", said="status 404")


class Instance:
    """An instance whose looks come out as `outcome`; looked: when it looked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.outcome, self.looked = NOW, WELL, list[datetime]()
        self.last = protocol_look.NONE_YET
        self.leased = True
        monkeypatch.setattr(protocol_look, "last", lambda: self.last)
        monkeypatch.setattr(protocol_look, "record", self.record)
        monkeypatch.setattr(leases, "acquire", lambda *_, **__: self.leased)

    def record(self, look: LastLook) -> None:
        self.last = look

    def look(self, origin: PackOrigin) -> Outcome:
        assert origin is PackOrigin.WEEKLY
        self.looked.append(self.now)
        return self.outcome

    def run(self, jitter: float = 0.5) -> Outcome | None:
        return protocol_updates.run(self.now, self.look, lambda: jitter)

    def live(self, span: timedelta, step: timedelta = timedelta(hours=1)) -> None:
        """Sweep once an hour for so long."""
        end = self.now + span
        while self.now < end:
            self.run()
            self.now += step


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]) -> Instance:
    set_env(protocol_updates="weekly", protocol_url="https://packs.example.org/p")
    return Instance(monkeypatch)


def test_switched_off_nothing_is_looked_at(
    instance: Instance, set_env: Callable[..., None]
) -> None:
    set_env(protocol_updates="off")
    instance.live(timedelta(days=30))
    assert instance.looked == []
    assert instance.last == protocol_look.NONE_YET


def test_the_first_look_is_within_hours_and_then_once_a_week(instance: Instance) -> None:
    instance.live(timedelta(days=30))
    first, *others = instance.looked
    assert NOW < first <= NOW + JITTER
    gaps = {later - earlier for earlier, later in zip(instance.looked, others, strict=False)}
    assert all(EVERY <= gap <= EVERY + JITTER for gap in gaps)
    assert len(instance.looked) == 5


def test_a_failure_is_tried_again_a_day_later_and_no_sooner(instance: Instance) -> None:
    instance.outcome = BADLY
    instance.live(timedelta(days=5))
    gaps = {
        later - earlier
        for earlier, later in zip(instance.looked, instance.looked[1:], strict=False)
    }
    assert len(instance.looked) >= 4
    assert all(AGAIN_AFTER <= gap <= AGAIN_AFTER + JITTER + timedelta(hours=1) for gap in gaps)


def test_a_process_that_dies_of_a_look_does_not_look_again_at_once(instance: Instance) -> None:
    def dies(_origin: PackOrigin) -> Outcome:
        instance.looked.append(instance.now)
        raise MemoryError

    instance.run(0.0)
    for _ in range(3):
        instance.now += timedelta(minutes=1)
        try:
            protocol_updates.run(instance.now, dies, lambda: 0.0)
        except MemoryError:
            continue
    assert len(instance.looked) == 1


def test_of_several_workers_one_looks(instance: Instance) -> None:
    instance.run(0.0)
    instance.leased = False
    assert instance.run() is None
    assert instance.looked == []


def test_a_plan_of_a_clock_that_was_wrong_is_made_anew(instance: Instance) -> None:
    instance.record(LastLook(at=None, next_at=NOW + timedelta(days=900), failing_since=None))
    instance.live(timedelta(days=1))
    assert len(instance.looked) == 1


def test_while_redis_is_away_nobody_looks(set_env: Callable[..., None]) -> None:
    set_env(protocol_updates="weekly", protocol_url="https://packs.example.org/p")
    redis_stays_away()

    def look(_origin: PackOrigin) -> Outcome:
        raise AssertionError

    assert protocol_updates.run(NOW, look) is None


def test_what_was_found_is_told(instance: Instance, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    instance.run(0.0)
    instance.outcome = Outcome(version="2099-01-01.1")
    assert instance.run() == instance.outcome
    assert "2099-01-01.1" in caplog.text
