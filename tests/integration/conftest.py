"""Real parts: a Redis server, Celery worker processes, the fake TikTok behind an HTTPS proxy.

How they come to share one world:

- `tests/settings.py` gave this pytest process a data folder of its own. Redis listens on the
  socket the app expects in it, so `submission.submit()` here talks to that server.
- The database is pytest-django's test database. On SQLite `tests/settings.py` made it a file in
  that folder, on PostgreSQL it has a name of its own; either way its address goes to the workers
  as `STORYKEEP_DATABASE_URL`. Tests use `transactional_db`, so that workers see what is committed.
- Workers are started like `manage.py up` starts them, with the environment a user would set:
  `STORYKEEP_PROXY` and `STORYKEEP_CA_BUNDLE` lead them to the fake.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis
from django.conf import settings
from django.db import connection, connections

from jobs.queue import shutdown
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy, running_proxy
from tests.memory import forget_redis, forget_tiktok
from webapp.celery import app
from webapp.processes import redis_server as embedded

if TYPE_CHECKING:
    from tests.integration.supervised import Supervised

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is an integration test, and commits."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.django_db(transaction=True))


def eventually(question: Callable[[], T | None], within: float = 20) -> T:
    """The first true answer; fails when none comes in time."""
    deadline = time.monotonic() + within
    while not (answer := question()):
        if time.monotonic() > deadline:
            pytest.fail(f"still {answer!r} after {within} s")
        time.sleep(0.05)
    return answer


# --- Redis --------------------------------------------------------------------------------------


def _redis_program() -> str:
    """The one most people have; on musl there is none but the system's."""
    try:
        return embedded.packaged().path
    except embedded.NoRedis:
        return embedded.find().path


class RedisServer:
    """A server of our own on a private socket, which tests may kill."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """An empty server; returns when it answers."""
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [
                *(_redis_program(), "--port", "0", "--unixsocket", str(self.socket)),
                *("--save", "", "--dir", str(self.socket.parent)),
                # Tests take the folder of its dump away while it runs.
                *("--enable-protected-configs", "yes"),
            ],
            stdout=subprocess.DEVNULL,
        )
        with self.client() as client:
            eventually(lambda: self._answers(client), within=5)
        forget_redis()

    @staticmethod
    def _answers(client: redis.Redis) -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    def client(self) -> redis.Redis:
        """A connection for the test itself."""
        return redis.Redis(unix_socket_path=str(self.socket), decode_responses=True)

    def freeze(self) -> None:
        """Have it accept connections and answer nothing, until `thaw`."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Gone, and everything in it."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def _server() -> Iterator[RedisServer]:
    server = RedisServer(settings.STORYKEEP.redis_socket)
    server.start()
    yield server
    app.close()
    server.stop()


@pytest.fixture(autouse=True)
def redis_server(_server: RedisServer) -> Iterator[RedisServer]:
    """Redis, running; what the app put into it, and on the disk, goes after the test."""
    forget_tiktok()
    forget_redis()
    yield _server
    shutil.rmtree(settings.STORYKEEP.artifacts, ignore_errors=True)
    with _server.client() as client:
        for key in client.scan_iter("storykeep:*"):
            client.delete(key)
        client.delete("celery", "aside")
    shutdown.shutdown_requested.clear()


# --- TikTok -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def proxy() -> Iterator[FakeProxy]:
    """The HTTPS proxy everything outbound goes through."""
    with running_proxy(FakeTikTok()) as running:
        yield running


@pytest.fixture
def tiktok(proxy: FakeProxy) -> Iterator[FakeTikTok]:
    """A TikTok with nobody on it. No host but TikTok's may have been asked for."""
    proxy.tiktok = FakeTikTok()
    yield proxy.tiktok
    assert proxy.strays == []


@pytest.fixture
def slowly(proxy: FakeProxy) -> Iterator[Callable[[float], None]]:
    """`slowly(bytes_per_s)`: how fast each connection is from now on, pages too; 0 is unlimited."""

    def pace(bytes_per_s: float) -> None:
        proxy.pace.bytes_per_s = bytes_per_s or None

    yield pace
    proxy.pace.bytes_per_s = None


# --- workers ------------------------------------------------------------------------------------


def _database_url() -> str:
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    url = settings.STORYKEEP.database_url
    assert url, "on anything but SQLite the address was given"
    parts = urlsplit(url.get_secret_value())
    return urlunsplit(parts._replace(path=f"/{name}"))


def worker_environment(proxy: FakeProxy, **env: str) -> dict[str, str]:
    """The environment of a worker: ours, and what a user would set to reach the fake."""
    own = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    return (
        own
        | {
            "CELERY_SKIP_CHECKS": "1",
            "STORYKEEP_DATABASE_URL": _database_url(),
            "STORYKEEP_PROXY": proxy.url,
            "STORYKEEP_CA_BUNDLE": proxy.ca_path,
            "STORYKEEP_LIST_RATE": "0",
            "STORYKEEP_ITEM_CONCURRENCY": "4",
        }
        | env
    )


class Worker:
    """A worker process as `manage.py up` starts it."""

    def __init__(self, log: Path, proxy: FakeProxy, *, threads: int = 4, **env: str) -> None:
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "webapp.worker", "--concurrency", str(threads)],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=worker_environment(proxy, **env),
            )

    @property
    def output(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace")

    @property
    def running(self) -> bool:
        """Has it not ended?"""
        return self._process.poll() is None

    def ready(self) -> Worker:
        """Returns when it takes work."""
        eventually(lambda: " ready." in self.output or not self.running)
        assert self.running, self.output
        return self

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait(self, within: float = 10) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(within)

    def stop(self, within: float = 10) -> int:
        """SIGTERM; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait(within)


Start = Callable[..., Worker]


@pytest.fixture
def start_worker(
    transactional_db: None, tmp_path: Path, proxy: FakeProxy, tiktok: FakeTikTok
) -> Iterator[Start]:
    """`start_worker(**environment)`: one more worker, not ready yet. All end with the test."""
    workers: list[Worker] = []

    def start(*, threads: int = 4, **env: str) -> Worker:
        log = tmp_path / f"worker-{len(workers)}.log"
        worker = Worker(log, proxy, threads=threads, **env)
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        if worker.running:
            worker.kill()
        sys.stdout.write(worker.output)  # shown when the test failed
    connections.close_all()


@pytest.fixture
def supervised(
    transactional_db: None, tmp_path: Path, proxy: FakeProxy
) -> Iterator[Callable[[], Supervised]]:
    """`supervised()`: one more worker under a supervisor, ready. All end with the test."""
    from tests.integration.supervised import Supervised

    started: list[Supervised] = []

    def start() -> Supervised:
        started.append(Supervised(tmp_path, proxy))
        eventually(lambda: started[-1].workers())
        return started[-1]

    yield start
    for each in started:
        each.stop()
        sys.stdout.write(each.output)  # shown when the test failed
