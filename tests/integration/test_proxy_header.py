"""A proxy's header at the real web server: whose connection counts, and how it is written."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import pytest

from tests.integration.test_up import ROOT, environment, free_port
from tests.integration.test_up import folder as folder

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
def web_server(folder: Path, networks: str) -> Iterator[int]:
    """The port of a web server that believes those networks."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "webapp.web", "--threads", "4", "--port", str(port)],
        cwd=ROOT,
        env=environment(folder, port, **settings_for(networks)),
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _lives(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _lives(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def ask(port: int, *headers: tuple[str, str], path: str = "/account/") -> tuple[int, bytes]:
    """Status and body of an answer to a request with exactly these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("GET", path)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_whose_word_counts_and_how_it_is_written(folder: Path) -> None:
    manage(folder, "up", "--only", "migrate")
    manage(folder, "shell", told=PEOPLE)
    with web_server(folder, "127.0.0.1, ::1") as port:
        status, body = ask(port, ("Remote-User", "nora"))
        assert status == 200
        assert b"nora" in body
        assert ask(port, ("Remote_User", "root"))[0] == 302
        assert b"nora" in ask(port, ("Remote_User", "root"), ("Remote-User", "nora"))[1]
        assert ask(port, ("Remote-User", "nora"), ("remote-user", "root"))[0] == 403
        assert ask(port, ("Remote-User", "nora"), ("Remote-User", "nora"))[0] == 403
        assert ask(port)[0] == 302
        assert ask(port, ("Remote-User", "nora"), path="/api/v1/me")[0] == 401
    with web_server(folder, "192.0.2.0/24") as port:
        for_them = [("Remote-User", "root"), ("X-Forwarded-For", "192.0.2.7")]
        assert ask(port, *for_them)[0] == 302
    shutil.rmtree(folder, ignore_errors=True)
