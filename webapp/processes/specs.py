"""The processes of an instance: the command line of each, and how it starts and stops."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from webapp.env import Env
from webapp.processes import redis_server
from webapp.processes.pulse import SILENT_AFTER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """A process that the supervisor keeps running.

    stage: processes of a lower stage start first and stop last. grace_s: seconds between SIGTERM
    and SIGKILL. socket: path of a Unix socket that answers PING once the next stage may start; ""
    for none. quiet: output is held back, and shown only when the process dies. silent_after_s:
    without a sign of life for so many seconds it is replaced: an answer of its socket, or else a
    byte into the pipe named by `--pulse-fd` (webapp/processes/pulse.py); 0: it is not watched.
    listens: it is given the instance's socket, as `--listen-fd`. expendable: path of a file that is
    renamed when the process fails on it twice in a row; "" for none.
    """

    name: str
    argv: tuple[str, ...]
    stage: int
    grace_s: float
    socket: str = ""
    quiet: bool = False
    silent_after_s: float = 0
    listens: bool = False
    expendable: str = ""


def redis(env: Env, server: redis_server.RedisServer | None = None) -> ProcessSpec:
    """The embedded Redis server: on a private socket, without a port.

    server: what to start; found where it is not given. Raises redis_server.NoRedis.

    It holds what may be lost (the database promises delivery), so a snapshot a minute is enough:
    a restart keeps the pause TikTok asked for and the names already looked up.
    """
    server = server or redis_server.find()
    socket = str(env.redis_socket)
    dump = env.run_dir / server.snapshot
    options = {
        "port": "0",
        "unixsocket": socket,
        "unixsocketperm": "700",
        "dir": str(dump.parent),
        "dbfilename": dump.name,
        "save": "60 1",
        # What it holds may be lost: a full disk that takes no snapshot must not stop the queue.
        "stop-writes-on-bgsave-error": "no",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    argv = [server.path, *(word for key, value in options.items() for word in (f"--{key}", value))]
    return ProcessSpec(
        name="redis",
        argv=tuple(argv),
        stage=0,
        grace_s=10,
        socket=socket,
        quiet=True,
        silent_after_s=SILENT_AFTER_S,
        # Cut short or damaged it would be loaded never, and all else waits for Redis.
        expendable=str(dump),
    )


def web(env: Env) -> ProcessSpec:
    """The web server: pages, API and downloads.

    What is watched is its loop. Whether it answers says nothing: with every thread at work it is
    busy, not dead.
    """
    argv = (
        *(sys.executable, "-m", "webapp.web"),
        *("--host", env.bind, "--port", str(env.port), "--threads", str(env.web_threads)),
    )
    return ProcessSpec(
        name="web",
        argv=argv,
        stage=1,
        grace_s=12,
        silent_after_s=SILENT_AFTER_S,
        listens=True,
    )


def webs(env: Env) -> list[ProcessSpec]:
    """The web servers of an instance: `web`, or `web-1`, `web-2` … that share its socket."""
    return _numbered(web(env), env.web_processes)


def worker(env: Env) -> ProcessSpec:
    """A Celery worker, which fetches."""
    argv = (
        *(sys.executable, "-m", "webapp.worker"),
        *("--concurrency", str(env.item_concurrency), "--log-level", env.log_level),
    )
    return ProcessSpec(name="worker", argv=argv, stage=1, grace_s=30, silent_after_s=SILENT_AFTER_S)


def workers(env: Env) -> list[ProcessSpec]:
    """The workers of an instance: `worker`, or `worker-1`, `worker-2` … when there are several."""
    return _numbered(worker(env), env.workers)


def _numbered(spec: ProcessSpec, count: int) -> list[ProcessSpec]:
    """So many of a process, named apart where there are several."""
    if count == 1:
        return [spec]
    return [replace(spec, name=f"{spec.name}-{number}") for number in range(1, count + 1)]


def scheduler(_env: Env) -> ProcessSpec:
    """The clock of every worker in a process of its own, for those who run each part apart."""
    argv = (sys.executable, "-m", "webapp.scheduler")
    return ProcessSpec(
        name="scheduler", argv=argv, stage=1, grace_s=5, silent_after_s=SILENT_AFTER_S
    )


def all_processes(env: Env, server: redis_server.RedisServer | None = None) -> list[ProcessSpec]:
    """Every process of an instance on one machine, its own Redis included. server: as in `redis`.

    Each worker is a scheduler, too (webapp/clock.py). Raises redis_server.NoRedis.
    """
    own_redis = [redis(env, server)] if env.embedded_redis else []
    return [*own_redis, *webs(env), *workers(env)]
