"""A running `manage.py up`, with the settings a user would have, and what may be done to it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener
from uuid import UUID

import psycopg
import redis
from celery import Celery
from psycopg.rows import dict_row

from jobs.queue import routing
from tests.chaos import machine
from tests.chaos.api import Person
from tests.chaos.machine import eventually
from tests.fake_tiktok.proxy import FakeProxy

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60
IDS = {"id", "job_id", "item_id", "story_id", "artifact_id", "content_id", "bundle_id"}
PARTS = {
    "redis": ("redis-server", "valkey-server"),
    "web": ("webapp.web",),
    "worker": ("webapp.worker",),
    "scheduler": ("webapp.scheduler",),
}
_DIRECT = build_opener(ProxyHandler({}))


def environment(folder: Path, proxy: FakeProxy, **settings: str) -> dict[str, str]:
    """The environment of an instance in `folder`. settings: names without their prefix."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STORYKEEP_", "PYTEST")) and name != "DJANGO_SETTINGS_MODULE"
    }
    usual = {
        "data_dir": str(folder),
        "proxy": proxy.url,
        "ca_bundle": proxy.ca_path,
        "list_rate": "0",
        "api_rate": "0",
        "disk_min_free": "0",
        "time_zone": "UTC",
    }
    ours = {f"STORYKEEP_{name.upper()}": value for name, value in (usual | settings).items()}
    return inherited | ours


class Database:
    """An instance's database, read beside it. url: "" for the SQLite file in the folder."""

    def __init__(self, folder: Path, url: str) -> None:
        self.path, self.url = folder / "storykeep.sqlite3", url

    @contextmanager
    def connect(self) -> Iterator[Any]:
        """A connection without a transaction of its own; SQLite waits up to ten seconds."""
        if self.url:
            with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as server:
                yield server
            return
        with closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as file:
            file.row_factory = sqlite3.Row
            yield file

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows by column name; ids as text, however they are stored."""
        with self.connect() as connection:
            found = [dict(row) for row in connection.execute(sql).fetchall()]
        for row in found:
            for name in IDS & row.keys():
                value = row[name]
                if isinstance(value, UUID) or (isinstance(value, str) and len(value) == 32):
                    row[name] = str(UUID(str(value)))
        return found

    def count(self, table: str, where: str = "1 = 1") -> int:
        """How many rows of a table."""
        sql = f"SELECT COUNT(*) AS n FROM {table} WHERE {where}"  # noqa: S608  # a test's own words
        return int(self.rows(sql)[0]["n"])

    def quoted(self, row_id: str) -> str:
        """An id as it is written in SQL here."""
        return f"'{row_id}'" if self.url else f"'{UUID(row_id).hex}'"

    def write(self, sql: str) -> None:
        """One statement that changes rows."""
        with self.connect() as connection:
            connection.execute(sql)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else writes to the lines and files during the block."""
        with self.connect() as connection:
            if self.url:
                connection.execute("BEGIN")
                connection.execute("LOCK TABLE jobs_item, jobs_artifact IN EXCLUSIVE MODE")
            else:
                connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")


class Instance:
    """An instance in a folder of its own, which may be started and ended as often as one likes.

    settings: names without their prefix, in lower case. tokens: name of a person → their token.
    root: the folder with the code that runs. host: the name its machine goes by for it, where that
    can be had; "" for its own.
    """

    def __init__(
        self,
        folder: Path,
        proxy: FakeProxy,
        tokens: dict[str, str],
        *,
        root: Path = ROOT,
        host: str = "",
        **settings: str,
    ) -> None:
        self.folder, self.root = folder, root
        self._on_host = machine.on_host(host) if host else []
        self.port = machine.free_port()
        self.env = environment(folder, proxy, port=str(self.port), **settings)
        self.database = Database(folder, settings.get("database_url", ""))
        self.artifacts = Path(settings.get("artifact_dir", folder / "artifacts"))
        self.redis_url = settings.get("redis_url", f"unix://{folder}/run/redis.sock")
        self.url = f"http://127.0.0.1:{self.port}"
        self.people = {name: Person(self.url, token) for name, token in tokens.items()}
        self.log = folder.parent / f"{folder.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._begun: list[subprocess.Popen[bytes]] = []

    # --- its life -------------------------------------------------------------------------------

    def start(self, *, ready: bool = True) -> Instance:
        """Start `up`; returns when everything is ready and a worker takes lines.

        ready: False where something will not be.
        """
        begins_at = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*self._on_host, sys.executable, "manage.py", "up"],
                cwd=self.root,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        workers = int(self.env.get("STORYKEEP_WORKERS", "1"))
        says_ready = b" ready."

        def is_up() -> bool:
            assert self.is_running, self.output[-4000:]
            with self.log.open("rb") as log:
                log.seek(begins_at)
                return log.read().count(says_ready) >= workers and (self.is_ready() or not ready)

        eventually(is_up, PATIENCE_S, lambda: self.output[-4000:])
        return self

    @property
    def is_running(self) -> bool:
        """Whether `up` has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of `up`."""
        assert self._process
        return self._process.pid

    @property
    def output(self) -> str:
        """What all parts have printed since the first start."""
        return self.log.read_text(errors="replace")

    def is_ready(self) -> bool:
        """Whether `/health/ready` says so."""
        with suppress(OSError), _DIRECT.open(f"{self.url}/health/ready", timeout=10) as answer:
            return bool(answer.status == 200)
        return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; the exit code."""
        assert self._process
        if self.is_running:
            self._process.send_signal(number)
        return self._process.wait(PATIENCE_S)

    def stand_still(self) -> list[int]:
        """Stop every process of the instance where it is, what was begun beside it as well; their
        ids."""
        roots = [each for each in (self._process, *self._begun) if each and each.poll() is None]
        everyone = [pid for root in roots for pid in machine.family(root.pid)]
        machine.send(everyone, signal.SIGSTOP)
        return everyone

    def cut_power(self) -> None:
        """Kill every process of the instance at once; nothing of it is left when this returns."""
        everyone = self.stand_still()  # nobody sees another one end
        machine.send(everyone, signal.SIGKILL)
        for each in (self._process, *self._begun):
            assert each
            each.wait(PATIENCE_S)
        eventually(lambda: not any(map(machine.is_alive, everyone)), what="they are gone")

    def kill_up(self) -> None:
        """Kill the supervisor alone; returns when its parts have ended."""
        everyone = machine.family(self.pid)
        assert self._process
        self._process.kill()
        self._process.wait(PATIENCE_S)
        eventually(lambda: not any(map(machine.is_alive, everyone)), what="its parts end")

    def remove(self) -> None:
        """End it, whatever state it is in, and take its folder away."""
        for begun in self._begun:
            begun.kill()
            begun.wait()
        if self.is_running:
            self.cut_power()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- its parts ------------------------------------------------------------------------------

    def parts(self, name: str) -> list[int]:
        """Process ids of a part, a key of PARTS, oldest first."""
        children = machine.children_by_parent().get(self.pid, [])
        lines = {pid: machine.command_line(pid) for pid in children}
        return sorted(pid for pid in children if any(word in lines[pid] for word in PARTS[name]))

    def part(self, name: str) -> int:
        """The process id of a part, once it runs."""
        return eventually(lambda: self.parts(name), what=f"no {name}\n{self.output[-3000:]}")[0]

    def kill(self, name: str) -> int:
        """SIGKILL to one process of a part; its id."""
        pid = self.part(name)
        machine.send([pid], signal.SIGKILL)
        return pid

    def manage(self, *arguments: str) -> str:
        """Run a command of `manage.py` beside the instance; what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.root,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def begin(self, *arguments: str, root: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a command of `manage.py` beside the instance, and do not wait for it.

        root: the folder of other code.
        """
        with self.log.open("ab") as output:
            begun = subprocess.Popen(
                [*self._on_host, sys.executable, "manage.py", *arguments],
                cwd=root or self.root,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._begun.append(begun)
        return begun

    # --- what is kept ---------------------------------------------------------------------------

    def redis(self) -> redis.Redis:
        """A connection of our own to its Redis."""
        return redis.Redis.from_url(self.redis_url, decode_responses=True, socket_timeout=5)

    def end_leases(self) -> None:
        """Have whoever lost their worker wait no longer: what a lease's time does, at once."""
        over = "SET heartbeat_at = '2020-01-01 00:00:00+00:00' WHERE state = 'running'"
        self.database.write(f"UPDATE jobs_item {over}")
        self.database.write(f"UPDATE jobs_package {over}")

    def send_periodic(self, task: str = routing.REPAIR) -> None:
        """Put a message of the clock's into the queue, as the clock does in its time."""
        url = self.redis_url.replace("unix://", "redis+socket://")
        eventually(self._redis_answers, what="Redis answers")
        with Celery(broker=url, set_as_current=False) as app:
            app.send_task(task, queue=routing.SIDE_QUEUE, expires=60, ignore_result=True)

    def _redis_answers(self) -> bool:
        with suppress(redis.RedisError), self.redis() as server:
            return bool(server.ping())
        return False

    def files(self) -> dict[str, Path]:
        """Id → path of each saved file on the disk."""
        found = self.artifacts.glob("[0-9a-f][0-9a-f]/*")
        return {path.name: path for path in found if path.is_file()}
