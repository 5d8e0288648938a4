"""A PostgreSQL of a test's own, on an address that packets can be kept from, and a small disk.

It lives in a network namespace: what happens to its packets happens to nobody else's. Wants root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.postgres import binaries, owner

DISK = "96m"
_OURS = "a test that holds all connections"
_END_OTHERS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND application_name <> %s
"""


def run(*words: str | Path) -> None:
    subprocess.run([*map(str, words)], check=True, capture_output=True)


class PostgresServer:
    """A cluster in a namespace of the network. url: where it is reached from outside."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder, self.disk, self.log = folder, folder / "disk", folder / "log"
        self.namespace = f"sk-pg-{number}"
        self._link = f"skpg{number}"
        self._near, self._far = f"10.213.{number % 250}.1", f"10.213.{number % 250}.2"
        self.url = f"postgres://storykeep@{self._far}/postgres"
        self._user = owner()
        self._server: subprocess.Popen[bytes] | None = None

    def _as_owner(self, *words: str | Path) -> list[str]:
        inside = ["ip", "netns", "exec", self.namespace]
        user = [] if self._user is None else ["setpriv", f"--reuid={self._user.pw_uid}"]
        group = [] if self._user is None else [f"--regid={self._user.pw_gid}", "--clear-groups"]
        return [*inside, *user, *group, *map(str, words)]

    def make(self) -> None:
        """The network, the disk and the cluster."""
        run("ip", "netns", "add", self.namespace)
        run("ip", "link", "add", self._link, "type", "veth", "peer", "name", "far", "netns",
            self.namespace)  # fmt: skip
        run("ip", "addr", "add", f"{self._near}/30", "dev", self._link)
        run("ip", "link", "set", self._link, "up")
        for words in (
            ("addr", "add", f"{self._far}/30", "dev", "far"),
            ("link", "set", "far", "up"),
            ("link", "set", "lo", "up"),
        ):
            run("ip", "-n", self.namespace, *words)
        self.disk.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", self.disk)
        for place in (self.folder, self.disk):
            if self._user:
                os.chown(place, self._user.pw_uid, self._user.pw_gid)
            place.chmod(0o700)
        # Its log of changes is elsewhere: without room for that it ends, and does not say so.
        run(*self._as_owner(
            *(binaries() / "initdb", "-D", self.disk / "cluster", "-X", self.folder / "wal"),
            *("-U", "storykeep", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C.UTF-8"),
        ))  # fmt: skip
        with (self.disk / "cluster/pg_hba.conf").open("a") as rules:
            rules.write("host all all 0.0.0.0/0 trust\n")
        self.start()

    def start(self, **settings: str) -> None:
        """Start it, with some settings; returns when it answers."""
        usual = {"listen_addresses": "*", "unix_socket_directories": "", "fsync": "off"}
        options = [word for pair in (usual | settings).items() for word in ("-c", "=".join(pair))]
        with self.log.open("ab") as log:
            self._server = subprocess.Popen(
                self._as_owner(binaries() / "postgres", "-D", self.disk / "cluster", *options),
                stderr=log,
                start_new_session=True,
            )
        ready = [str(binaries() / "pg_isready"), "-q", "-h", self._far, "-t", "5"]
        deadline = time.monotonic() + 60
        while subprocess.run(ready, check=False).returncode:
            assert time.monotonic() < deadline, self.log.read_text(errors="replace")

    def stop(self) -> None:
        """A fast stop, which ends every connection."""
        if self._server:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(60)
            self._server = None

    @contextlib.contextmanager
    def dropping(self) -> Iterator[None]:
        """Drop every packet to it and from it: nothing is refused, nobody answers."""
        rules = [("INPUT", "-i"), ("OUTPUT", "-o")]
        inside = ("ip", "netns", "exec", self.namespace, "iptables")
        for chain, way in rules:
            run(*inside, "-A", chain, way, "far", "-j", "DROP")
        try:
            yield
        finally:
            for chain, way in rules:
                run(*inside, "-D", chain, way, "far", "-j", "DROP")

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stop the process that takes connections: the system takes them, and nobody answers."""
        assert self._server
        self._server.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._server.send_signal(signal.SIGCONT)

    def has_begun(self, word: str) -> None:
        """Return once a statement with this word runs."""
        question = "SELECT 1 FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()"
        with psycopg.connect(self.url, autocommit=True) as connection:
            deadline = time.monotonic() + 30
            while not connection.execute(question, [f"%{word}%"]).fetchone():
                assert time.monotonic() < deadline, word

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Leave no room on its disk."""
        filler = self.disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(8192))
        try:
            yield
        finally:
            filler.unlink()

    @contextlib.contextmanager
    def exhausted(self) -> Iterator[None]:
        """Hold every connection it allows, those kept for superusers too; all others are ended."""
        with contextlib.ExitStack() as held:

            def take() -> psycopg.Connection:
                connection = psycopg.connect(self.url, application_name=_OURS, autocommit=True)
                return held.enter_context(connection)

            first, left = take(), True
            while left:
                (left,) = first.execute(_END_OTHERS, [_OURS]).fetchone() or (0,)
                with contextlib.suppress(psycopg.OperationalError):  # there are no more
                    while take():
                        left = True
            yield

    def remove(self) -> None:
        """Stop it, and leave nothing."""
        self.stop()
        for words in (
            ("umount", "-l", self.disk),
            ("ip", "link", "del", self._link),
            ("ip", "netns", "del", self.namespace),
        ):
            subprocess.run([*map(str, words)], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def running() -> Iterator[PostgresServer]:
    """A server that runs, and is gone afterwards."""
    server = PostgresServer(Path(tempfile.mkdtemp(prefix="sk-pg-")), os.getpid() % 10_000)
    server.folder.chmod(0o711)
    try:
        server.make()
        yield server
    finally:
        server.remove()
