"""PostgreSQL away, in every way it can be: nothing fails for it, and all goes on by itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.chaos import postgres_server
from tests.chaos.postgres_server import PostgresServer
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy, running_proxy
from tests.integration.test_up import ROOT, Instance, environment

pytestmark = [
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("iptables") or not shutil.which("ip"),
        reason="makes networks and disks of its own",
    ),
]
ANSWERS_WITHIN_S = 45.0
"""An answer of any kind: a query hangs for 25 s at most, and a request may have begun another."""
GOES_ON_WITHIN_S = 150.0
"""A lease of a lost line, a look of the reaper, and a busy machine."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """PostgreSQL on an address of its own."""
    with postgres_server.running() as started:
        yield started


@pytest.fixture(scope="module")
def tiktok() -> FakeTikTok:
    """A TikTok with some accounts."""
    site = FakeTikTok()
    for number in range(12):
        site.account(f"account.{number}").photo()
    return site


@pytest.fixture(scope="module")
def proxy(tiktok: FakeTikTok) -> Iterator[FakeProxy]:
    """The way to it, slow enough that lines are under way for some seconds."""
    with running_proxy(tiktok) as started:
        yield started


class Site:
    """An instance on PostgreSQL, with somebody signed in and a script."""

    def __init__(self, instance: Instance, settings: dict[str, str]) -> None:
        self.instance = instance
        self.url = f"http://127.0.0.1:{instance.port}"
        printed = subprocess.run(
            [sys.executable, "manage.py", "token", "root"],
            cwd=ROOT,
            env=environment(instance.folder, instance.port, **settings),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        token = re.search(r"\S{30,}", printed)
        assert token
        self.script = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {token[0]}"},
            timeout=ANSWERS_WITHIN_S,
        )
        self.browser = httpx.Client(base_url=self.url, timeout=ANSWERS_WITHIN_S)
        assert self.sign_in(self.browser).status_code == 302

    def close(self) -> None:
        self.script.close()
        self.browser.close()

    def submit(self, *names: str) -> str:
        answer = self.script.post("/jobs", json={"lines": [f"@{name}" for name in names]})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def states(self, job: str) -> set[str]:
        return {item["state"] for item in self.script.get(f"/jobs/{job}").json()["items"]}

    def reason(self) -> str:
        """Why the database is not ready; "" when it is."""
        answer = httpx.get(f"{self.url}/health/ready", timeout=ANSWERS_WITHIN_S)
        part = answer.json()["parts"]["database"]
        assert part["ok"] or answer.status_code == 503
        return str(part.get("reason", ""))

    def sign_in(self, browser: httpx.Client | None = None) -> httpx.Response:
        """The answer to a sign-in, in a browser of its own unless given."""
        browser = browser or httpx.Client(base_url=self.url, timeout=ANSWERS_WITHIN_S)
        browser.get("/login/")
        fields = {"login": "root", "password": "correct horse 42"}
        token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        return browser.post("/login/", data=fields | token)


@pytest.fixture(scope="module")
def site(server: PostgresServer, proxy: FakeProxy) -> Iterator[Site]:
    """A whole instance on that PostgreSQL."""
    base = Path(tempfile.mkdtemp(prefix="sk-pg-up-", dir="/tmp"))
    settings = {
        "STORYKEEP_DATABASE_URL": server.url,
        "STORYKEEP_PROXY": proxy.url,
        "STORYKEEP_CA_BUNDLE": proxy.ca_path,
        "STORYKEEP_LIST_RATE": "0",
        "STORYKEEP_API_RATE": "0",
        "STORYKEEP_ITEM_CONCURRENCY": "4",
        "STORYKEEP_ADMIN_USER": "root",
        "STORYKEEP_ADMIN_PASSWORD": "correct horse 42",
    }
    instance = Instance(base / "data", settings)
    try:
        instance.wait_for_line(r"ready at")
        made = Site(instance, settings)
        yield made
        made.close()
    finally:
        instance.stop()
        shutil.rmtree(base, ignore_errors=True)
        sys.stdout.write("\n".join(instance.lines))  # shown when a test failed


def wait_until(question: Callable[[], Any], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            if question():
                return
        except (httpx.HTTPError, KeyError, ValueError):
            pass
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.5)


def without_bugs(site: Site) -> bool:
    return not [line for line in site.instance.lines if ", bug " in line or " died " in line]


@contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def read_only(server: PostgresServer) -> Iterator[None]:
    """As a replica is, after a failover."""
    server.stop()
    server.start(default_transaction_read_only="on")
    try:
        yield
    finally:
        server.stop()
        server.start()


Fault = Callable[[PostgresServer], AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("fault", "reason", "code"),
    [
        pytest.param(PostgresServer.dropping, "away", "busy", id="packets are dropped"),
        pytest.param(stopped, "away", "busy", id="it is stopped"),
        pytest.param(read_only, "read_only", "cannot_write", id="it is read-only"),
    ],
)
def test_lines_wait_and_go_on(
    site: Site, server: PostgresServer, proxy: FakeProxy, fault: Fault, reason: str, code: str
) -> None:
    proxy.pace.bytes_per_s = 20_000  # lines are under way when it happens
    job = site.submit(*(f"account.{number}" for number in range(12)))
    wait_until(lambda: "running" in site.states(job), 30)
    with fault(server):
        proxy.pace.bytes_per_s = None
        wait_until(lambda: site.reason() == reason, ANSWERS_WITHIN_S)
        answer = site.script.post("/jobs", json={"lines": ["@account.1"]})
        assert answer.status_code == 503, answer.text
        assert answer.headers["Retry-After"]
        assert answer.json()["error"]["code"] == code
        page = site.sign_in() if code == "cannot_write" else site.browser.get("/history/")
        assert page.status_code == 503
        assert page.headers["Retry-After"]
        assert "<h1>" in page.text
    wait_until(lambda: not site.reason(), GOES_ON_WITHIN_S)
    wait_until(lambda: site.states(job) == {"done"}, GOES_ON_WITHIN_S)
    assert without_bugs(site), "\n".join(site.instance.lines)


def test_a_full_disk_is_said_and_reading_goes_on(site: Site, server: PostgresServer) -> None:
    job = site.submit("account.1")
    wait_until(lambda: site.states(job) == {"done"}, GOES_ON_WITHIN_S)
    with server.full():
        # What is left of the last pages is used up first.
        large = {"lines": [f"@name.{number}" for number in range(50)], "note": "x" * 500}
        for _ in range(40):
            answer = site.script.post("/jobs", json=large)
            if answer.status_code != 202:
                break
        assert answer.status_code == 503, answer.text
        assert answer.json()["error"]["code"] == "cannot_write"
        assert site.states(job) == {"done"}
    wait_until(lambda: not site.reason(), GOES_ON_WITHIN_S)
    assert site.script.post("/jobs", json={"lines": ["@account.1"]}).status_code == 202
    assert without_bugs(site), "\n".join(site.instance.lines)


def test_no_more_connections_is_a_busy_moment(
    site: Site, server: PostgresServer, proxy: FakeProxy
) -> None:
    proxy.pace.bytes_per_s = 20_000
    job = site.submit(*(f"account.{number}" for number in range(12)))
    wait_until(lambda: "running" in site.states(job), 30)
    with server.exhausted():
        proxy.pace.bytes_per_s = None
        wait_until(lambda: site.reason() == "away", ANSWERS_WITHIN_S)
        for answer in (
            site.script.post("/jobs", json={"lines": ["@account.1"]}),
            site.script.get(f"/jobs/{job}"),
        ):
            assert answer.status_code == 503, answer.text
            assert answer.headers["Retry-After"]
            assert answer.json()["error"]["code"] == "busy"
        page = site.browser.get("/history/")
        assert page.status_code == 503
        assert page.headers["Retry-After"]
        assert "Busy for a moment" in page.text
    wait_until(lambda: not site.reason(), GOES_ON_WITHIN_S)
    wait_until(lambda: site.states(job) == {"done"}, GOES_ON_WITHIN_S)
    assert without_bugs(site), "\n".join(site.instance.lines)
