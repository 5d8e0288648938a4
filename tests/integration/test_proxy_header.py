"""A proxy's header at the real web server: whose connection counts, and how it is written."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.integration.test_up import ROOT, environment, free_port
from tests.integration.test_up import folder as folder
from webapp.processes import listening

pytestmark = [pytest.mark.xdist_group("up"), pytest.mark.timeout(400)]

PATIENCE_S = 120
PEOPLE = """
from django.contrib.auth.models import User
User.objects.create_superuser("root")
User.objects.create_user("nora")
"""


def settings_for(networks: str) -> dict[str, str]:
    return {
        "STORYKEEP_REMOTE_USER_HEADER": "Remote-User",
        "STORYKEEP_TRUSTED_PROXIES": "1",
        "STORYKEEP_PROXY_NETWORKS": networks,
        "STORYKEEP_DISK_MIN_FREE": "0",
    }


def manage(folder: Path, *words: str, told: str = "") -> None:
    subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment(folder, free_port()),
        input=told,
        text=True,
        capture_output=True,
        check=True,
        timeout=PATIENCE_S,
    )


@contextmanager
def web_server(folder: Path, networks: str, listener: socket.socket) -> Iterator[None]:
    """A web server on a socket that believes those networks."""
    fd = listener.fileno()
    process = subprocess.Popen(
        [sys.executable, "-m", "webapp.web", "--threads", "4", "--listen-fd", str(fd)],
        cwd=ROOT,
        env=environment(folder, free_port(), **settings_for(networks)),
        pass_fds=[fd],
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _lives(listener):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)
        listener.close()


def _lives(listener: socket.socket) -> bool:
    try:
        return ask(listener, path="/health/live")[0] == 200
    except OSError:
        return False


class Connection(http.client.HTTPConnection):
    """A connection to a listening socket of any family. host: where to reach one that listens on
    all addresses; of its own address when not given."""

    def __init__(self, listener: socket.socket, host: str = "") -> None:
        super().__init__("storykeep", timeout=60)
        self._listener, self._host = listener, host

    def connect(self) -> None:
        """Connect to the socket."""
        address = self._listener.getsockname()
        if self._host:
            self.sock = socket.create_connection((self._host, address[1]), timeout=60)
            return
        self.sock = socket.socket(self._listener.family, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(address)


def ask(
    listener: socket.socket, *headers: tuple[str, str], path: str = "/account/", host: str = ""
) -> tuple[int, bytes]:
    """Status and body of an answer to a request with exactly these headers."""
    with closing(Connection(listener, host)) as connection:
        connection.putrequest("GET", path)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture
def people(folder: Path) -> Iterator[Path]:
    """A data folder of an instance with root and nora."""
    manage(folder, "up", "--only", "migrate")
    manage(folder, "shell", told=PEOPLE)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_whose_word_counts_and_how_it_is_written(people: Path) -> None:
    port = listening.bind("127.0.0.1", 0)
    with web_server(people, "127.0.0.1, ::1", port):
        status, body = ask(port, ("Remote-User", "nora"))
        assert status == 200
        assert b"nora" in body
        assert ask(port, ("Remote_User", "root"))[0] == 302
        assert b"nora" in ask(port, ("Remote_User", "root"), ("Remote-User", "nora"))[1]
        assert ask(port, ("Remote-User", "nora"), ("remote-user", "root"))[0] == 403
        assert ask(port, ("Remote-User", "nora"), ("Remote-User", "nora"))[0] == 403
        assert ask(port)[0] == 302
        assert ask(port, ("Remote-User", "nora"), path="/api/v1/me")[0] == 401
    port = listening.bind("127.0.0.1", 0)
    with web_server(people, "192.0.2.0/24", port):
        for_them = [("Remote-User", "root"), ("X-Forwarded-For", "192.0.2.7")]
        assert ask(port, *for_them)[0] == 302


@pytest.mark.skipif(not socket.has_ipv6, reason="wants IPv6")
def test_over_ipv6_the_networks_are_those_of_the_connection(people: Path) -> None:
    nora = ("Remote-User", "nora")
    alone = listening.bind("::1", 0)
    with web_server(people, "::1", alone):
        assert ask(alone, nora)[0] == 200
    other = listening.bind("::1", 0)
    with web_server(people, "127.0.0.0/8, fd00::/8, 2001:db8::1", other):
        assert ask(other, nora, ("X-Forwarded-For", "127.0.0.1"))[0] == 302
    both = listening.bind("::", 0)  # a connection over IPv4 has an address of IPv6 here
    with web_server(people, "127.0.0.1", both):
        assert ask(both, nora, host="127.0.0.1")[0] == 200
        assert ask(both, nora, host="::1")[0] == 302


def test_whoever_comes_by_a_unix_socket_has_no_address_and_is_no_proxy(people: Path) -> None:
    place = people.parent / "web.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    with web_server(people, "0.0.0.0/0, ::/0", listener):
        forged = [("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1")]
        assert ask(listener, ("Remote-User", "nora"), *forged)[0] == 302
