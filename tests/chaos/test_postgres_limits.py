"""A PostgreSQL that does not answer: each limit ends a wait that no other one ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.chaos import postgres_server
from tests.chaos.instance import ROOT
from tests.chaos.postgres_server import PostgresServer

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("iptables") or not shutil.which("ip"),
    reason="makes networks and disks of its own",
)
NEVER_S = 60.0
"""Twice as long as any of these waits may take. Without its limit each lasts a quarter of an hour,
or for ever."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """PostgreSQL on an address of its own."""
    with postgres_server.running() as started:
        yield started


class Client:
    """Another process with one connection to it."""

    def __init__(self, server: PostgresServer, data: Path, what: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.postgres_client", what],
            cwd=ROOT,
            env=os.environ
            | {
                "STORYKEEP_DATA_DIR": str(data),
                "STORYKEEP_DATABASE_URL": server.url,
                "DJANGO_SETTINGS_MODULE": "webapp.settings",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.line() == "connected"

    def line(self) -> str:
        """The next line it says; "" when it has ended."""
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def go_on(self) -> None:
        """Have it do what it is for."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> str:
        """What it says in the end; "never" when it waits for longer than it may."""
        try:
            said, _ = self._process.communicate(timeout=NEVER_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return "never"
        return said.strip()


def silent(server: PostgresServer, what: str) -> AbstractContextManager[None]:
    """The silence that only one limit is there for.

    A server that stands still still has its system take and confirm what is sent to it.
    """
    return server.standing_still() if what == "connect" else server.dropping()


@pytest.mark.parametrize(
    "what",
    [
        pytest.param("connect", id="connect_timeout"),
        pytest.param("ask", id="tcp_user_timeout"),
        pytest.param("wait", id="keepalives"),
    ],
)
def test_no_answer_is_not_waited_for(server: PostgresServer, tmp_path: Path, what: str) -> None:
    client = Client(server, tmp_path, what)
    if what == "wait":  # it waits for an answer to what has arrived
        client.go_on()
        assert client.line() == "asks"
        server.has_begun("pg_sleep")
    with silent(server, what):
        if what != "wait":
            client.go_on()
        assert client.end() == "busy"


def test_a_statement_that_takes_too_long_is_ended(server: PostgresServer, tmp_path: Path) -> None:
    client = Client(server, tmp_path, "wait")
    client.go_on()
    assert client.line() == "asks"
    assert client.end() == "busy"


def test_what_the_server_is_told(server: PostgresServer, tmp_path: Path) -> None:
    """That statements and locks are not waited for for long, and to look after silent clients."""
    client = Client(server, tmp_path, "settings")
    client.go_on()
    told = dict(pair.split("=") for pair in client.end().split())
    assert (told["statement_timeout"], told["lock_timeout"]) == ("30000", "30000")
    assert told["idle_in_transaction_session_timeout"] == "60000"
    assert (told["tcp_keepalives_idle"], told["tcp_keepalives_interval"]) == ("30", "10")
    assert told["tcp_keepalives_count"] == "3"
