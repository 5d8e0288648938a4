"""A web process submits, shows and sends, and loads neither client, decoder nor task meanwhile.

What only workers need would cost every web process some 30 MiB.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import ROOT, RedisServer

WORKERS_ONLY = frozenset(
    {
        "celery.worker.consumer",
        "celery.concurrency.thread",
        "httpx",
        "httpcore",
        "curl_cffi",
        "httpx_curl_cffi",
        "av",
        "PIL",
        "stories.client",
        "stories.harvest",
        "stories.http",
        "stories.media",
        "jobs.tasks",
        "jobs.fetching",
        "fido2",
        "cryptography.hazmat",
        "gunicorn.arbiter",
    }
)
"""Modules no web process loads, nor any below them. PIL is loaded by the page of a QR code alone,
and what passkeys need by whoever uses one; neither is asked for here."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """The folder of an instance; its path is short, for a socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="sk-web-", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture
def broker(folder: Path) -> Iterator[RedisServer]:
    """The instance's own Redis server."""
    server = RedisServer(folder / "redis.sock")
    server.start()
    yield server
    server.stop()


def run(folder: Path, server: RedisServer, *command: str) -> str:
    """The output of a Python process of the instance, in an environment of its own."""
    own = {
        name: value
        for name, value in os.environ.items()
        if "PYTEST" not in name and not name.startswith(("STORYKEEP_", "DJANGO_"))
    }
    settings = {
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "STORYKEEP_DATA_DIR": str(folder / "data"),
        "STORYKEEP_REDIS_URL": f"unix://{server.socket}",
        "STORYKEEP_DISK_MIN_FREE": "0",
    }
    process = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=own | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def tasks_in(server: RedisServer) -> list[str]:
    """The task names of the messages that wait in the broker's two queues."""
    with server.client() as client:
        messages = [*client.lrange("celery", 0, -1), *client.lrange("aside", 0, -1)]
    return sorted(json.loads(message)["headers"]["task"] for message in messages)


def test_a_web_process_loads_nothing_that_only_workers_need(
    folder: Path, broker: RedisServer
) -> None:
    run(folder, broker, "manage.py", "migrate", "--verbosity", "0")
    visit: dict[str, Any] = json.loads(run(folder, broker, "-m", "tests.integration.web_process"))

    assert visit["answers"] == {
        "sign-in": 302,
        "home": 200,
        "paste": 302,
        "job page": 200,
        "progress": 200,
        "history": 200,
        "page of saved files": 200,
        "bundle": 302,
        "API submission": 202,
        "API job": 200,
    }
    # Two lines and a package: the broker has their messages, and the rows say so.
    assert visit["sent"] == 3
    assert tasks_in(broker) == [
        "jobs.tasks.fetch_item",
        "jobs.tasks.fetch_item",
        "jobs.tasks.pack_package",
    ]
    loaded = {
        name
        for name in WORKERS_ONLY
        if any(module == name or module.startswith(f"{name}.") for module in visit["modules"])
    }
    assert loaded == set()


@pytest.mark.parametrize("name", sorted(WORKERS_ONLY))
def test_what_is_not_to_be_loaded_exists(name: str) -> None:
    assert importlib.util.find_spec(name)
