"""SQLite held by something else, or on a full disk: said with words, read all the same."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.test_up import ROOT, Instance, environment

WAITING = 60
"""More than the web process has threads."""


@pytest.fixture
def instance() -> Iterator[Instance]:
    """An instance whose data folder is a disk of its own, where we may mount one."""
    base = Path(tempfile.mkdtemp(prefix="sk-disk-", dir="/tmp"))
    data = base / "data"
    data.mkdir()
    if os.geteuid() == 0:
        mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(data)]
        subprocess.run(mount, check=False, capture_output=True)
    settings = {
        "STORYKEEP_ARTIFACT_DIR": str(base / "artifacts"),
        "STORYKEEP_ADMIN_USER": "root",
        "STORYKEEP_ADMIN_PASSWORD": "correct horse 42",
        "STORYKEEP_PROXY": "http://127.0.0.1:9",
        "STORYKEEP_API_RATE": "0",
    }
    running = Instance(data, settings)
    try:
        running.wait_for_line(r"ready at")
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()
        if data.is_mount():
            subprocess.run(["umount", "-l", str(data)], check=False)
        shutil.rmtree(base, ignore_errors=True)
        sys.stdout.write("\n".join(running.lines))  # shown when a test failed


@pytest.fixture
def script(instance: Instance) -> Iterator[httpx.Client]:
    """A client of the API."""
    printed = subprocess.run(
        [sys.executable, "manage.py", "token", "root"],
        cwd=ROOT,
        env=environment(instance.folder, instance.port),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    token = re.search(r"\S{30,}", printed)
    assert token
    with httpx.Client(
        base_url=f"http://127.0.0.1:{instance.port}/api/v1",
        headers={"Authorization": f"Bearer {token[0]}"},
        timeout=90,
        limits=httpx.Limits(max_connections=None),
    ) as client:
        yield client


def submit(script: httpx.Client, name: str) -> httpx.Response:
    return script.post("/jobs", json={"lines": [f"@{name}"]})


def without_bugs(instance: Instance) -> bool:
    return not [line for line in instance.lines if "bug " in line or " died " in line]


def test_those_who_wait_for_the_lock_do_not_keep_those_who_read(
    instance: Instance, script: httpx.Client
) -> None:
    job = submit(script, "somebody").json()["id"]
    backup = sqlite3.connect(instance.folder / "storykeep.sqlite3", isolation_level=None)
    backup.execute("BEGIN EXCLUSIVE")
    answers: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(submit(script, f"name.{n}")))
        for n in range(WAITING)
    ]
    for thread in threads:
        thread.start()
    polls = []
    began = time.monotonic()
    while time.monotonic() - began < 12:
        polls.append(script.get(f"/jobs/{job}").status_code)
        time.sleep(0.2)
    backup.execute("ROLLBACK")
    backup.close()
    for thread in threads:
        thread.join(90)
    assert len(polls) > 3  # as all threads were held, there was one in all that time
    assert set(polls) == {200}
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {202, 503}
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status_code == 503)
    database = sqlite3.connect(instance.folder / "storykeep.sqlite3")
    (jobs,) = database.execute("SELECT count(*) FROM jobs_job").fetchone()
    database.close()
    assert jobs == 1 + codes.count(202)  # nothing half-made
    assert without_bugs(instance)


def test_a_full_disk_is_said_and_reading_goes_on(instance: Instance, script: httpx.Client) -> None:
    if not instance.folder.is_mount():
        pytest.skip("mounts a disk of its own")
    job = submit(script, "somebody").json()["id"]
    filler = instance.folder / "filler"
    url = f"http://127.0.0.1:{instance.port}"
    with httpx.Client(base_url=url, timeout=60) as browser:
        browser.get("/login/")
        fields = {"login": "root", "password": "correct horse 42"}
        fields["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        health = browser.get("/health/ready")
        assert health.status_code == 503
        assert health.json()["parts"]["database"] == {"ok": False, "reason": "full"}
        signed_in = browser.post("/login/", data=fields)
        assert signed_in.status_code == 503
        assert signed_in.headers["Retry-After"]
        assert "disk is full" in signed_in.text
        refused = submit(script, "somebody.else")
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "cannot_write"
        assert script.get(f"/jobs/{job}").status_code == 200
        filler.unlink()
        assert browser.post("/login/", data=fields).status_code == 302
        assert browser.get("/").status_code == 200
    assert submit(script, "somebody.else").status_code == 202
    assert script.get(f"/jobs/{job}").json()["state"] in {"queued", "running"}
    assert without_bugs(instance)
