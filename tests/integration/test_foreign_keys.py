"""Keys of ours that hold what is none of ours: they count as absent, and everything goes on."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import redis
from django.test import Client
from django.utils import timezone

from accounts import tokens
from accounts.models import ApiToken
from jobs.ephemeral import (
    connection,
    damaged_files,
    heartbeats,
    hidden_problems,
    keys,
    leases,
    log_lines,
    media_hosts,
    orphan_files,
    processes,
    progress,
    scrub_position,
    steady,
)
from jobs.ephemeral.clock import ClockWatch, Memory
from jobs.models import Item
from jobs.states import ItemState
from jobs.upstream import (
    breaker,
    browser_budget,
    identities,
    page_identity,
    pauses,
    rate_limit,
    site_clock,
    ways,
)
from stories.errors import RateLimited, Refused
from stories.structures import Author
from tests.factories import make_item, make_user
from tests.integration.conftest import RedisServer
from tests.memory import forget_redis, forget_tiktok
from webapp.attempts_cache import AttemptsCache

FIELDS: Final = (
    *("until", "length", "code", "since", "refusals", breaker._ANCHOR),
    *("tokens", "at", "worker-1@here"),
    *("direct", "tries", "bad_since", "served_at", "served_word", "refused_at", "refused_word"),
    *("unready_at", "unready_word"),
    *("n:1:served", "n:99999999999:served", "n:x:served", f"n:{int(time.time() // 3600)}:served"),
)
"""The fields of all hashes together."""
TEXTS: Final[Mapping[str, bytes]] = {
    "nothing": b"",
    "a word": b"soon",
    "not UTF-8": b"\xff\xfe\x00\x80",
    "not a number": b"NaN",
    "infinite": b"inf",
    "infinitely little": b"-inf",
    "far beyond": b"1e400",
    "enormous": b"9" * 300,
    "far in the future": b"99999999999",
    "negative": b"-1e15",
    "no JSON": b'{"at": ',
    "null": b"null",
    "a record of nothing": b'{"at": 1800000000, "counts": {}}',
    "a list": b"[1, 2]",
    "another record": b'{"at": "x", "seen": [], "phase": "saving", "share": 1e999, "since": {}}',
    "a record of infinities": json.dumps(
        dict.fromkeys(
            [
                *("at", "seen", "started", "since", "until", "waited", "share", "eta_s", "found"),
                *("files_done", "bytes_total", "id", "name", "nickname", "counts"),
            ],
            float("inf"),
        )
        | {"phase": "saving"}
    ).encode(),
    "nested deeply": b"[" * 50_000,
    "a megabyte": b"x" * 1_000_000,
}
KINDS: Final = ("string", "list", "hash", "zset", "set")


def put(client: redis.Redis, key: str, kind: str, text: bytes, fields: tuple[str, ...]) -> None:
    """A key of this type with this text wherever there can be one."""
    client.delete(key)
    if kind == "string":
        client.set(key, text)
    elif kind == "list":
        client.rpush(key, text, text)
    elif kind == "hash":
        client.hset(key, mapping=dict.fromkeys(fields, text))
    elif kind == "set":
        client.sadd(key, text)
    else:
        client.zadd(key, {text: float("inf"), b"x" + text[:20]: 1e300, b"y": float("-inf")})


class Instance:
    """An instance with a line that runs, its pages, and all that looks into Redis."""

    def __init__(self) -> None:
        self.item: Item = make_item(state=ItemState.RUNNING)
        self.job = self.item.job
        self.fields = (*FIELDS, str(self.item.pk))
        self.boss = make_user("boss", is_staff=True, is_superuser=True)
        self.headers = {"Authorization": f"Bearer {tokens.create(self.job.owner, 'phone')}"}

    def names(self) -> dict[str, str]:
        """Each key of the table → the type it should have; of a family, one that is in use."""
        members = {
            "storykeep:api-rate:": f"storykeep:api-rate:{ApiToken.objects.get().pk}",
            "storykeep:attempts:": AttemptsCache("", {})._name("login", None),
            "storykeep:clock:": f"storykeep:clock:{steady.BOOT}",
            "storykeep:hidden:": "storykeep:hidden:disk",
            "storykeep:identity:": "storykeep:identity:corner.bakery",
            "storykeep:lease:": "storykeep:lease:sweep",
            "storykeep:progress:": f"storykeep:progress:{self.job.pk}",
            "storykeep:way:": "storykeep:way:direct",
        }
        return {members.get(name, name): kind for name, kind in keys.TYPES.items()}

    def pages(self) -> dict[str, int]:
        """Address → status."""
        admin, person = Client(), Client()
        admin.force_login(self.boss)
        person.force_login(self.job.owner)
        at = f"/jobs/{self.job.pk}/"
        answers = {
            address: browser.get(address)
            for browser, addresses in {
                person: ("/", at, f"{at}progress/", "/history/", "/health/ready"),
                admin: ("/admin/", "/admin/system/", "/admin/problems/", "/admin/system/ways/"),
            }.items()
            for address in addresses
        }
        answers["api"] = Client().get(f"/api/v1/jobs/{self.job.pk}", headers=self.headers)
        return {address: answer.status_code for address, answer in answers.items()}


def look(job_id: Any) -> None:
    """Read everything, as pages and workers do."""
    now = timezone.now()
    assert connection.accepts_writes()
    breaker.open_state()
    breaker.shared_state()
    breaker.raise_if_open()
    assert breaker.probe() is None
    pauses.recent(now - timedelta(days=1), now)
    page_identity.in_use()
    site_clock.ahead_s()
    heartbeats.last_seen()
    heartbeats.last_sweep()
    processes.running()
    log_lines.recent()
    media_hosts.recent()
    damaged_files.count(now)
    orphan_files.by_place()
    scrub_position.load()
    identities.remembered()
    AttemptsCache("", {}).get("login", [])
    hidden_problems.hidden(["disk"])
    assert not ClockWatch(memory=Memory()).was_set_forward(3600)
    progress.read(job_id)
    progress.read_many([job_id])
    asyncio.run(identities.Identities().get("corner.bakery"))
    asyncio.run(page_identity.PageIdentity().get())
    page_identity.resting()
    asyncio.run(page_identity.PageIdentity().rests.look(["chrome150"]))
    asyncio.run(ways.Ways().switched_off())
    asyncio.run(ways.Ways().resting())
    ways.records()
    browser_budget.left()


def use(item: Item) -> None:
    """Write everything, and find what was written."""
    now = timezone.now()
    author = Author(id="7", name="corner.bakery")
    rate_limit._take()
    assert rate_limit._take(-1) == 0
    until = breaker.open_for(RateLimited(retry_after_s=100))
    assert 60 <= (until - now).total_seconds() <= 101
    assert breaker.open_state() == breaker.BreakerState(until, "rate_limited")
    pauses.record(until, "rate_limited", 1)
    assert pauses.recent(now - timedelta(days=1), timezone.now())[-1].code == "rate_limited"
    heartbeats.beat("worker-1@here")
    assert heartbeats.alive() == ["worker-1@here"]
    heartbeats.record_sweep(now, {"files": 1})
    assert heartbeats.last_sweep() == heartbeats.Sweep(
        datetime.fromtimestamp(now.timestamp(), UTC), {"files": 1}
    )
    processes.announce("worker-1@here")
    assert [process.name for process in processes.running()] == ["worker-1@here"]
    media_hosts.record(["v99.example.com"])
    assert next(iter(media_hosts.recent())) == "v99.example.com"
    damaged_files.record([item.pk], now)
    assert damaged_files.count(now) == 1
    orphans = orphan_files.WaitingOrphans(1, 2, datetime.fromtimestamp(now.timestamp(), UTC))
    orphan_files.record(1, orphans)
    assert orphan_files.by_place()[1] == orphans
    position = scrub_position.ScrubPosition(7, 1e9)
    scrub_position.store(position)
    assert scrub_position.load() == position
    AttemptsCache("", {}).set("login", [1.5])
    assert AttemptsCache("", {}).get("login", []) == [1.5]
    assert leases.acquire("sweep", "me", seconds=5)
    assert hidden_problems.hide("disk")
    assert hidden_problems.hidden(["disk"]) == {"disk"}
    site_clock.record(3.5)
    assert site_clock.ahead_s() == 3.5
    asyncio.run(identities.Identities().put(author))
    assert asyncio.run(identities.Identities().get("corner.bakery")) == author
    asyncio.run(page_identity.PageIdentity().put("plain"))
    asyncio.run(page_identity.PageIdentity().rests.rest("chrome150"))
    assert list(page_identity.resting()) == ["chrome150"]
    asyncio.run(ways.Ways().refused("direct", "refused", rests=True))
    assert ways.records()["direct"].tries.endswith("r")
    assert asyncio.run(ways.Ways().resting()) == {"direct"}
    ways.write_off(frozenset({"browser"}))
    assert asyncio.run(ways.Ways().switched_off()) == {"browser"}
    assert asyncio.run(browser_budget.BrowserBudget().take())
    assert browser_budget.left() == browser_budget.per_hour() - 1
    ClockWatch(memory=Memory()).look()
    assert ClockWatch(memory=Memory()).look() == 0
    progress.Reporter(item.job_id, item.pk)
    assert progress.read(item.job_id)[str(item.pk)].phase == "looking_up"
    logging.getLogger("jobs").addHandler(kept := log_lines.RecentLines("worker"))
    try:
        kept.emit(logging.makeLogRecord({"levelname": "ERROR", "levelno": 40, "msg": "said"}))
        kept.send()
    finally:
        logging.getLogger("jobs").removeHandler(kept)


@pytest.fixture
def instance(redis_server: RedisServer) -> Instance:
    return Instance()


def check(server: RedisServer, instance: Instance, fill: Callable[[redis.Redis], object]) -> None:
    """All goes on over keys filled so, whoever comes to them first."""
    with redis.Redis(unix_socket_path=str(server.socket)) as other:
        steps: tuple[Callable[[], None], ...] = (
            lambda: look(instance.job.pk),
            lambda: use(instance.item),
        )
        for first in steps:
            fill(other)
            forget_redis()
            forget_tiktok()
            first()
        fill(other)
        forget_redis()
        forget_tiktok()
        pages = instance.pages()
    assert pages == dict.fromkeys(pages, 200)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_values_that_are_none_of_ours(
    redis_server: RedisServer, instance: Instance, text: bytes
) -> None:
    def fill(other: redis.Redis) -> None:
        for name, kind in instance.names().items():
            put(other, name, kind, text, instance.fields)

    check(redis_server, instance, fill)


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_another_type(redis_server: RedisServer, instance: Instance, kind: str) -> None:
    def fill(other: redis.Redis) -> None:
        for name, right in instance.names().items():
            if kind != right:
                put(other, name, kind, b"17", instance.fields)

    check(redis_server, instance, fill)


def test_what_is_removed_is_told_of_without_its_content(
    redis_server: RedisServer, instance: Instance, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server.client() as other:
        other.set("storykeep:swept", "not-for-the-log")
        other.set("storykeep:identity:some.body", "not-for-the-log")
        other.set("storykeep:workers", "not-for-the-log")
        look(instance.job.pk)
        asyncio.run(identities.Identities().get("some.body"))
        assert not other.exists("storykeep:swept", "storykeep:workers")
        assert not other.exists("storykeep:identity:some.body")
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    assert not any("not-for-the-log" in line or "some.body" in line for line in said)


def test_a_breaker_that_was_open_stays_so_beside_garbage(redis_server: RedisServer) -> None:
    until = breaker.open_for(Refused())
    with redis_server.client() as other:
        other.hset("storykeep:breaker", mapping={"refusals": "x", "since": "y", "length": "z"})
        other.hset("storykeep:breaker", breaker._ANCHOR, "nonsense")
    forget_tiktok()
    assert breaker.open_state() == breaker.BreakerState(until, "refused")
