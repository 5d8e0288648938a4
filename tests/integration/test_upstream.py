"""Pace, breaker, identities and progress in a real Redis."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs.ephemeral import connection, progress, steady
from jobs.upstream import breaker, identities, page_identity, pauses, rate_limit, site_clock
from jobs.upstream.rests import SharedRests
from stories.errors import Challenged, RateLimited, Refused
from stories.rests import RestState
from stories.structures import Author
from tests.factories import make_item
from tests.integration.conftest import RedisServer, eventually
from tests.memory import forget_tiktok


@pytest.fixture
def pace(settings: Any) -> Any:
    """`pace(rate, burst)` sets it."""

    def change(rate: float, burst: int) -> None:
        changed = {"list_rate": rate, "list_burst": burst}
        settings.STORYKEEP = settings.STORYKEEP.model_copy(update=changed)

    return change


def test_turns_are_shared_by_everyone(pace: Any) -> None:
    pace(2.0, 3)
    waits = []
    for _ in range(6):
        rate_limit._local_buckets.clear()  # another process knows nothing but Redis
        waits.append(rate_limit._take())
    assert waits == pytest.approx([0, 0, 0, 0.5, 1.0, 1.5], abs=0.1)
    for _ in range(3):
        rate_limit._take(-1)
    assert rate_limit._take() == pytest.approx(0.5, abs=0.1)
    assert rate_limit._local_buckets == {}  # Redis answered every time


def test_the_gate_keeps_the_rate(pace: Any) -> None:
    pace(20.0, 1)

    async def all_of_them() -> float:
        began = time.monotonic()
        await asyncio.gather(*(rate_limit.acquire() for _ in range(11)))
        return time.monotonic() - began

    assert asyncio.run(all_of_them()) >= 0.45


def test_a_refusal_is_everyones(redis_server: RedisServer) -> None:
    until = breaker.open_for(Refused())
    forget_tiktok()  # another process
    assert breaker.open_state() == breaker.BreakerState(until, "refused")
    assert breaker.probe() == breaker.BreakerState(until, "refused")
    assert breaker.open_for(Challenged()) == until  # at the same time: the same refusal
    with redis_server.client() as client:
        assert client.hget("storykeep:breaker", "refusals") == "1"


def test_after_a_pause_one_goes_first(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        waits = []
        for _ in range(6):
            until = breaker.open_for(Refused())
            waits.append(round((until - timezone.now()).total_seconds()))
            client.hset("storykeep:breaker", "until", "1")
        assert waits == pytest.approx([60, 120, 300, 600, 900, 900], abs=5)
        assert breaker.open_state() is None
        assert breaker.probe() is None  # the first to ask
        behind = breaker.probe()
        assert behind
        assert behind.code == "refused"
        assert behind.until < timezone.now() + timedelta(seconds=breaker.PROBE_S)
        assert breaker.record_answer()
        assert not breaker.record_answer()
        assert breaker.probe() is None
        assert breaker.probe() is None


class Machine:
    """The clocks of a machine: the one that can be set, and the one that nobody sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.system, self.steady = time.time(), 5_000.0
        monkeypatch.setattr(time, "time", lambda: self.system)
        monkeypatch.setattr(steady, "now", lambda: self.steady)
        self._patch = monkeypatch

    def goes_on(self, seconds: float) -> None:
        """Time goes by, and another process looks."""
        self.system += seconds
        self.steady += seconds
        forget_tiktok()

    def starts_anew(self) -> None:
        """The clock that nobody sets begins again."""
        self.steady = 10.0
        self._patch.setattr(breaker, "_ANCHOR", f"end:{self.system}")
        forget_tiktok()

    def left_s(self) -> int:
        """Seconds until somebody may ask; 0 when one may now."""
        state = breaker.open_state()
        return round(state.until.timestamp() - self.system) if state else 0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_pause_of_an_hour_lasts_an_hour_whatever_the_clock_does(
    machine: Machine, days: int
) -> None:
    breaker.open_for(RateLimited(retry_after_s=3_600))
    machine.goes_on(600)
    machine.system += days * 86_400
    machine.goes_on(0)
    assert machine.left_s() == 3_000
    machine.system -= days * 86_400
    machine.goes_on(2_999)
    assert machine.left_s() == 1
    machine.goes_on(1)
    assert machine.left_s() == 0
    assert breaker.probe() is None


def test_a_machine_started_anew_goes_by_its_clock_as_far_as_that_can_be(machine: Machine) -> None:
    """And from then on by the one that nobody sets."""
    breaker.open_for(RateLimited(retry_after_s=3_600))
    machine.goes_on(600)
    machine.starts_anew()
    assert machine.left_s() == 3_000
    machine.system -= 7_200  # as it comes up without a battery, until it asks for the time
    machine.starts_anew()
    assert machine.left_s() == 3_600  # no more than it was for
    machine.system += 7_200
    machine.goes_on(3_000)
    assert machine.left_s() == 600
    machine.system -= 86_400
    machine.starts_anew()
    assert machine.left_s() == 0  # no pause is that long: one line tries


def test_a_pause_is_prolonged_by_what_is_left_of_it(machine: Machine) -> None:
    breaker.open_for(RateLimited(retry_after_s=3_600))
    machine.goes_on(600)
    machine.system += 86_400
    until = breaker.open_for(RateLimited(retry_after_s=1_000))
    assert until.timestamp() - machine.system == pytest.approx(3_000, abs=1)
    until = breaker.open_for(RateLimited(retry_after_s=10**9))
    assert until.timestamp() - machine.system == pytest.approx(breaker.MAX_PAUSE_S, abs=1)
    assert machine.left_s() == breaker.MAX_PAUSE_S


def test_a_probe_that_began_before_the_clock_was_set_back_ends_all_the_same(
    redis_server: RedisServer, machine: Machine
) -> None:
    breaker.open_for(Refused())
    machine.goes_on(61)
    assert breaker.probe() is None
    assert breaker.probe() is not None
    with redis_server.client() as client:
        client.pexpire("storykeep:breaker:probe", 86_400_000)
    assert breaker.probe() is None


def test_the_first_one_was_refused_too() -> None:
    breaker.open_for(Refused())
    connection.execute(lambda server: server.hset("storykeep:breaker", "until", "1"))
    forget_tiktok()
    assert breaker.probe() is None
    until = breaker.open_for(RateLimited(retry_after_s=1000))
    assert until > timezone.now() + timedelta(seconds=990)
    assert breaker.probe() == breaker.BreakerState(until, "rate_limited")


def test_identities_are_remembered_a_day(redis_server: RedisServer) -> None:
    author = Author(id="6812345678901234567", name="sample.user", nickname="Näme", private=False)

    async def through() -> None:
        cache = identities.Identities()
        assert await cache.get("sample.user") is None
        await cache.put(author)
        assert await cache.get("Sample.User") == author
        with redis_server.client() as client:
            client.set("storykeep:identity:broken", '{"nonsense": 1}')
            assert 86_000 < int(client.ttl("storykeep:identity:sample.user")) <= 86_400
        assert await cache.get("broken") is None
        await cache.forget("sample.user")
        assert await cache.get("sample.user") is None

    asyncio.run(through())


def test_what_is_true_for_a_moment_is_not_remembered(redis_server: RedisServer) -> None:
    picture = "https://p16-sign.tiktokcdn.com/a.jpeg?x-signature=s"
    author = Author(id="68", name="sample.user", avatar_urls=(picture,), story_hint=True)

    async def through() -> None:
        cache = identities.Identities()
        await cache.put(author)
        with redis_server.client() as client:
            kept = client.get("storykeep:identity:sample.user")
        assert "x-signature" not in kept
        assert "hint" not in kept
        known = await cache.get("sample.user")
        assert known is not None
        assert (known.avatar_urls, known.story_hint) == ((), None)

    asyncio.run(through())


def test_accounts_that_an_older_version_remembered_are_found(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("storykeep:identity:of.old", "{}", ex=80_000)
    identities._list_what_is_not_listed.cache_clear()  # as in a process that has just begun
    assert identities.remembered() == ["of.old"]
    identities.drop(["of.old"])
    with redis_server.client() as client:
        assert not list(client.scan_iter("storykeep:identit*"))


def test_an_account_that_is_dropped_is_in_no_snapshot(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    snapshot = tmp_path / "snapshot.rdb"
    asyncio.run(identities.Identities().put(Author(id="68", name="zwiebel.kuchen")))
    with redis_server.client() as client:
        before = client.config_get("dir")["dir"], client.config_get("dbfilename")["dbfilename"]
        client.config_set("dir", str(tmp_path))
        client.config_set("dbfilename", snapshot.name)
        client.config_set("rdbcompression", "no")
        try:
            eventually(lambda: not client.info()["rdb_bgsave_in_progress"], within=20)
            client.save()
            assert b"zwiebel.kuchen" in snapshot.read_bytes()
            identities.drop(["zwiebel.kuchen"])
            eventually(lambda: b"zwiebel.kuchen" not in snapshot.read_bytes(), within=20)
        finally:
            eventually(lambda: not client.info()["rdb_bgsave_in_progress"], within=20)
            client.config_set("dir", before[0])
            client.config_set("dbfilename", before[1])


def test_the_identity_that_worked_is_everyones_for_half_an_hour(redis_server: RedisServer) -> None:
    async def through() -> None:
        assert await page_identity.PageIdentity().get() is None
        await page_identity.PageIdentity().put("chrome146+referer")
        # Another worker, or this one after a restart.
        assert await page_identity.PageIdentity().get() == "chrome146+referer"

    assert page_identity.in_use() == "chrome150"
    asyncio.run(through())
    assert page_identity.in_use() == "chrome146+referer"
    with redis_server.client() as client:
        assert 1_790 < int(client.ttl("storykeep:page_identity")) <= 1_800


def test_rests_are_everyones_and_one_worker_finds_out_when_they_are_over(
    redis_server: RedisServer,
) -> None:
    key = "storykeep:identity_rests"

    async def through() -> None:
        here, there = SharedRests(key), SharedRests(key)
        await here.rest("chrome150")
        await there.rest("chrome150")  # refused at the same time
        assert await there.look(["chrome150", "plain"]) == RestState(
            resting=frozenset({"chrome150"})
        )
        assert list(here.until()) == ["chrome150"]
        with redis_server.client() as client:
            assert str(client.hget(key, "chrome150")).startswith("1|")
            client.hset(key, "chrome150", "1|1000.000|0")  # its end has passed
        assert (await here.look(["chrome150"])).due == "chrome150"
        assert await there.look(["chrome150"]) == RestState(resting=frozenset({"chrome150"}))
        await here.rest("chrome150")
        with redis_server.client() as client:
            assert str(client.hget(key, "chrome150")).startswith("2|")
            assert 86_000 < int(client.ttl(key)) <= 86_400
        assert 110 < here.until()["chrome150"] - time.time() <= 121
        await there.wake("chrome150")
        assert await here.look(["chrome150"]) == RestState()

    asyncio.run(through())


@pytest.mark.parametrize(
    "foreign", ["", "yes", "0|5|0", "1|inf|0", "1|9e99|0", "1|99999999999|0", "1|5", "9" * 400]
)
def test_what_is_no_rest_of_ours_keeps_nothing_away(
    redis_server: RedisServer, foreign: str
) -> None:
    key = "storykeep:identity_rests"
    with redis_server.client() as client:
        client.hset(key, "chrome150", foreign)

    async def through() -> None:
        rests = SharedRests(key)
        assert "chrome150" not in rests.until()
        assert "chrome150" not in (await rests.look(["chrome150"])).resting
        await rests.rest("chrome150")
        assert (await rests.look(["chrome150"])).resting == {"chrome150"}

    asyncio.run(through())


def test_a_worker_whose_redis_goes_away_keeps_to_its_identity(redis_server: RedisServer) -> None:
    async def through() -> None:
        memory = page_identity.PageIdentity()
        await memory.put("plain")
        redis_server.stop()
        try:
            assert await memory.get() == "plain"
        finally:
            redis_server.start()

    asyncio.run(through())


def test_the_difference_of_the_clocks_is_told_for_a_day(redis_server: RedisServer) -> None:
    assert site_clock.ahead_s() is None
    site_clock.record(-172_800.5)
    assert site_clock.ahead_s() == -172_800.5
    with redis_server.client() as client:
        assert 86_000 < int(client.ttl("storykeep:clock_ahead")) <= 86_400


def test_progress_goes_through_and_is_forgotten() -> None:
    item = make_item()
    reporter = progress.Reporter(item.job_id, item.pk)
    reporter.found(2, {("1", 1): 10}, {})

    def told() -> tuple[str, int | None, int]:
        reporter.tick()
        item_progress = progress.read(item.job_id)[str(item.pk)]
        return item_progress.phase, item_progress.found, item_progress.files_total

    eventually(lambda: told() == ("found", 2, 1))
    progress.erase(item.job_id)
    assert progress.read(item.job_id) == {}
    assert connection.accepts_writes()


def test_redis_comes_back(redis_server: RedisServer) -> None:
    assert connection.accepts_writes()
    redis_server.stop()
    assert not connection.accepts_writes()
    redis_server.start()
    assert connection.accepts_writes()


def test_refusals_in_a_row_are_one_pause(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one after a while of peace is another; a clock set back ends what it knows."""
    clock = time.time()
    for later, length, waited in ((0, 60, 3), (70, 120, 0), (600, 60, 1), (300, 60, 0)):
        monkeypatch.setattr(time, "time", lambda later=later: clock + later)
        until = datetime.fromtimestamp(clock + later + length, UTC)
        pauses.record(until, "refused", waited)
    begin = datetime.fromtimestamp(clock, UTC)
    found = pauses.recent(begin - timedelta(hours=1), begin + timedelta(hours=1))
    told = [
        (round((one.since - begin).total_seconds()), round((one.until - begin).total_seconds()))
        for one in found
    ]
    assert told == [(0, 190), (300, 360), (600, 660)]
    assert [one.waited for one in found] == [3, 0, 1]
