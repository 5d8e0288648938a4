"""Connections to Redis that are lost in silence: the worker goes on, and ends when asked to."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.utils import timezone
from kombu import Connection
from pydantic import SecretStr

from jobs.ephemeral import leases
from jobs.housekeeping import reaper
from jobs.models import Job
from jobs.queue import broker, routing, submission
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import RedisServer, Start, eventually


def submit(line: str) -> Job:
    return submission.submit(make_user("alice"), [line])


def is_settled(job: Job) -> bool:
    job.refresh_from_db()
    return job.settled_at is not None


class MuteableProxy:
    """A TCP proxy in front of Redis. Mute, it accepts and reads, and forwards nothing."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._ended = threading.Event()
        self.mute = False
        self._forgotten: set[socket.socket] = set()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address for STORYKEEP_REDIS_URL."""
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def forget_connections(self) -> None:
        """Forward nothing more over what is open now, as a firewall does that forgot it."""
        self._forgotten |= set(self._peers)

    def close(self) -> None:
        """End, with all connections."""
        self._ended.set()
        self._thread.join()
        for end in (*self._peers, self._listener):
            end.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            for key, _ in self._selector.select(0.05):
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._forward(key.fileobj)

    def _accept(self) -> None:
        caller, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._target))
        self._peers |= {caller: server, server: caller}
        for end in (caller, server):
            self._selector.register(end, selectors.EVENT_READ)

    def _forward(self, end: socket.socket) -> None:
        try:
            data = end.recv(64 * 1024)
            if not data:
                raise ConnectionError
            if not self.mute and end not in self._forgotten:
                self._peers[end].sendall(data)
        except OSError:
            for side in (end, self._peers.pop(end)):
                self._peers.pop(side, None)
                self._forgotten.discard(side)
                self._selector.unregister(side)
                side.close()


@pytest.fixture
def gateway(redis_server: RedisServer) -> Iterator[MuteableProxy]:
    """A gateway between the worker and Redis."""
    proxy = MuteableProxy(redis_server.socket)
    yield proxy
    proxy.close()


def test_a_lost_connection_for_broadcasts_stops_no_worker(
    start_worker: Start, tiktok: FakeTikTok, redis_server: RedisServer
) -> None:
    tiktok.account("corner.bakery").video(seconds=1)
    worker = start_worker().ready()
    with redis_server.client() as client:
        client.client_kill_filter(_type="pubsub")
        job = submit("@corner.bakery")
        eventually(lambda: is_settled(job))
        assert client.client_list(_type="pubsub") == []
    assert worker.stop() == 0


def test_a_gateway_that_forgets_idle_connections_stops_no_worker(
    start_worker: Start, tiktok: FakeTikTok, gateway: MuteableProxy
) -> None:
    """No end of connection is ever seen: neither FIN nor RST."""
    tiktok.account("corner.bakery").video(seconds=1)
    worker = start_worker(STORYKEEP_REDIS_URL=gateway.url).ready()
    gateway.forget_connections()
    eventually(lambda: "dropping stale connection" in worker.output, within=60)
    job = submit("@corner.bakery")
    # What went over a connection that is dead as well is lost; the scheduler has it sent again.
    eventually(lambda: reaper.requeue_stalled(timezone.now()) and is_settled(job), within=60)
    assert worker.stop() == 0


@pytest.mark.parametrize("database", [None, 0, 3])
def test_messages_are_sent_to_the_database_that_workers_look_into(
    redis_server: RedisServer, database: int | None
) -> None:
    query = "" if database is None else f"?db={database}"
    url = SecretStr(f"unix://{redis_server.socket}{query}")
    env = settings.STORYKEEP.model_copy(update={"redis_url": url})
    with redis.Redis.from_url(env.redis_address) as sender, Connection(env.broker_url) as workers:
        channel: Any = workers.default_channel
        asked = channel.client.connection_pool.connection_kwargs["db"]
        sent = sender.connection_pool.connection_kwargs.get("db", 0)
    assert {asked, sent} == {database or 0}


def test_a_lease_is_held_by_one_and_no_longer_than_it_was_taken_for(
    redis_server: RedisServer,
) -> None:
    assert leases.acquire("sweep", "one", seconds=54)
    assert leases.acquire("sweep", "one", seconds=54)
    assert not leases.acquire("sweep", "other", seconds=54)
    with redis_server.client() as client:
        (key,) = client.scan_iter("storykeep:lease:*")
        assert 0 < client.pttl(key) <= 54_000
        client.pexpire(key, 3_600_000)  # as it looks when the clock was set back
        assert leases.acquire("sweep", "other", seconds=54)
        assert 0 < client.pttl(key) <= 54_000
    leases.release("sweep")
    assert leases.acquire("sweep", "one", seconds=54)


def test_a_periodic_message_leaves_no_connection_behind(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        before = len(client.client_list())
        assert broker.send_periodic(routing.SWEEP)
        assert client.llen(routing.SIDE_QUEUE) == 1
        client.delete(routing.SIDE_QUEUE)
        assert len(client.client_list()) == before
