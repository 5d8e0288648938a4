"""An instance to be measured: started as users start it, in a data folder of its own.

The measuring process shares that folder: it makes users and looks at rows and files itself.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from benchmarks.fake import Fake
from benchmarks.processes import ROOT, end, eventually, free_port, running

_DIRECT = build_opener(ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Instance:
    """A running instance, or its web server alone. pid: of the supervisor, or of that server."""

    pid: int
    port: int


def fetching_from(fake: Fake, **settings: str) -> dict[str, str]:
    """The settings under which an instance takes the fake for TikTok, at full speed."""
    return {"proxy": fake.proxy, "ca_bundle": fake.ca, "list_rate": "0", **settings}


def open_app(data: Path, database_url: str = "", **settings: str) -> None:
    """Make this process part of an instance whose data lie in `data`: settings, tables, files."""
    for name in [name for name in os.environ if name.startswith("STORYKEEP_")]:
        del os.environ[name]
    os.environ["STORYKEEP_DATA_DIR"] = str(data)
    if database_url:
        os.environ["STORYKEEP_DATABASE_URL"] = database_url
    for name, value in settings.items():
        os.environ[f"STORYKEEP_{name.upper()}"] = value
    os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings"
    subprocess.run(
        [sys.executable, "manage.py", "up", "--only", "migrate"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    import django

    django.setup()
    logging.getLogger("jobs").setLevel(logging.ERROR)


def _environment(**settings: str) -> dict[str, str]:
    return {
        **os.environ,
        # What is measured are polls, not how many of them are allowed.
        "STORYKEEP_API_RATE": "0",
        **{f"STORYKEEP_{name.upper()}": value for name, value in settings.items()},
    }


@contextmanager
def whole(log: Path, *, python: str, **settings: str) -> Iterator[Instance]:
    """`manage.py up`; ready for work when the block begins. settings: data_dir for another one."""
    port = free_port()
    argv = [python, "manage.py", "up"]
    begins_at = log.stat().st_size if log.exists() else 0
    with running(argv, log, _environment(port=str(port), **settings)) as process:
        eventually(
            lambda: (
                page_answers(f"http://127.0.0.1:{port}/login/")
                and b"ready" in log.read_bytes()[begins_at:]
            ),
            f"the instance ({log})",
            60,
        )
        yield Instance(process.pid, port)


@contextmanager
def web(log: Path, *, python: str) -> Iterator[Instance]:
    """`manage.py up --only web`, beside a Redis that `redis` started."""
    port = free_port()
    argv = [python, "manage.py", "up", "--only", "web"]
    with running(argv, log, _environment(port=str(port))) as process:
        url = f"http://127.0.0.1:{port}/login/"
        eventually(lambda: page_answers(url), f"the web server ({log})", 30)
        yield Instance(process.pid, port)


@contextmanager
def worker(
    argv: list[str], log: Path, settings: Mapping[str, str], *, tree: Path = ROOT
) -> Iterator[int]:
    """A worker started by `argv`, beside a Redis that `redis` started; its process id.

    tree: where its code is, to compare with another state of it.
    """
    # As `manage.py up` does: the checks would load every view.
    environment = _environment(**settings) | {"CELERY_SKIP_CHECKS": "1"}
    with running(argv, log, environment, tree=tree) as process:
        eventually(lambda: b" ready." in log.read_bytes(), f"the worker ({log})", 30)
        yield process.pid


@contextmanager
def redis() -> Iterator[int]:
    """The server among the Python packages, with the options of `manage.py up`; its process id."""
    from django.conf import settings

    from webapp.processes import redis_server, specs

    part = specs.redis(settings.STORYKEEP, redis_server.packaged())
    settings.STORYKEEP.redis_socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    process = subprocess.Popen(part.argv, stdout=subprocess.DEVNULL)
    try:
        wait_for_redis()
        yield process.pid
    finally:
        end(process, 10)


def wait_for_redis() -> None:
    """Return once this process reaches the instance's Redis. Raises RuntimeError."""
    eventually(_redis_answers, "Redis", 10)


def _redis_answers() -> bool:
    from jobs.ephemeral import connection

    connection.availability = connection.Availability()  # ask at once, whatever failed before
    with suppress(connection.RedisUnavailable):
        return bool(connection.execute(lambda server: server.ping()))
    return False


def page_answers(url: str) -> bool:
    """Does a page come, with status 200?"""
    with suppress(OSError), _DIRECT.open(url, timeout=5) as answer:
        return answer.status == 200 and b"<html" in answer.read()
    return False
