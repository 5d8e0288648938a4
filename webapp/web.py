"""The web process: Gunicorn's worker on our loop, without the master that would only watch it.

The master would be a second process with all of the site loaded. What it did is done by others:
`manage.py up` replaces a web process that dies or hangs and keeps its socket meanwhile; one that
stands alone, in a container, watches itself and is started again by the engine
(webapp/processes/pulse.py, docs/decisions/0030).
"""

from __future__ import annotations

import argparse
import os
import sys
from types import FrameType
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger

from webapp.processes import listening, memory, pulse
from webapp.processes.stop_requests import StopRequests
from webapp.server import gunicorn as settings
from webapp.server.loop import Loop


class Server(Loop):
    """The loop, which gives its sign of life to our supervisor.

    pulse_fd: the write end of the supervisor's pipe; None: the server stands alone and watches
    itself.
    """

    pulse_fd: int | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._stop_requests = StopRequests()

    def notify(self) -> None:
        """Give a sign of life: called by the loop every second at least, also while it ends."""
        pulse.beat()

    def init_signals(self) -> None:
        """Handle signals, and begin to be watched: both want a say in SIGUSR2."""
        super().init_signals()
        pulse.begin(self.pulse_fd)

    def load_wsgi(self) -> None:
        """Load the site, and learn from its settings whether a proxy stands for everyone."""
        super().load_wsgi()
        from django.conf import settings as site_settings

        if site_settings.STORYKEEP.trusted_proxies:
            self.share_places_freely()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End once requests are answered, or after `graceful_timeout`; asked again later, now."""
        if not self._stop_requests.is_new():
            return
        if not self.alive:
            os._exit(0)
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """As SIGTERM: whoever presses Ctrl-C lets downloads end as well."""
        self.handle_exit(sig, frame)

    def is_parent_alive(self) -> bool:
        """Whether the supervisor is there; a server that stands alone has none to lose."""
        return self.pulse_fd is None or bool(super().is_parent_alive())


class Site:
    """The WSGI application, as Gunicorn asks for one: loaded once, with what every page needs.

    threads: how many answer requests.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def wsgi(self) -> Any:
        """Load the site; what is loaded by now is hidden from the garbage collector."""
        from jobs.ephemeral import log_lines
        from webapp import database, log_format, secret_key
        from webapp.lock_waits import LockWaits
        from webapp.wsgi import application, warm_up

        database.people_wait()
        secret_key.follow()
        LockWaits(seats=max(1, self.threads // 2)).install()
        log_format.take_over()
        log_lines.keep("web")
        warm_up()
        memory.freeze()
        return application


def configuration(threads: int) -> Any:
    """Gunicorn's configuration: ours (webapp/server/gunicorn.py), for so many threads."""
    config = Config()
    for name, value in vars(settings).items():
        if name in config.settings:
            config.set(name, value)
    config.set("threads", threads)
    return config


def _leave_if_newer() -> None:
    """Load the site, and end this process when the database is of a newer version."""
    from webapp import database
    from webapp.wsgi import application  # noqa: F401  # loads the site

    database.leave_if_newer()


def _leave() -> None:
    """What is done once no more requests are answered."""
    from jobs.housekeeping import traces
    from webapp.telemetry import telemetry

    traces.leave_none()
    telemetry.end()


def serve(
    *, host: str, port: int, threads: int, pulse_fd: int | None, listen_fd: int | None
) -> int:
    """Answer requests until SIGTERM; the exit code.

    listen_fd: the socket the supervisor bound; None: host and port are bound here.
    """
    config = configuration(threads)
    log = Logger(config)
    try:
        listener = listening.bind(host, port) if listen_fd is None else listening.inherit(listen_fd)
        listener.listen(listening.BACKLOG)
    except OSError as error:
        log.error("%s port %d: %s", host, port, error.strerror)
        return 1
    server = Server(1, os.getppid(), [listener], Site(threads), config.timeout, config, log)
    server.pid = os.getpid()
    server.pulse_fd = pulse_fd
    if pulse_fd is not None:
        from jobs.ops import readiness

        readiness.expect_workers_here()
    server.init_process()
    _leave()
    if server.connections:  # the grace is over, and their threads would be waited for
        os._exit(0)
    return 0


def main() -> int:
    """Answer requests until SIGTERM; the exit code.

    Ends with 2 when the database is of a newer version.
    """
    parser = argparse.ArgumentParser(prog="python -m webapp.web")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--threads", type=int, default=48, help="requests answered at once")
    parser.add_argument("--pulse-fd", type=int, help="the supervisor's pipe for signs of life")
    parser.add_argument("--listen-fd", type=int, help="the socket the supervisor has bound")
    options = parser.parse_args()
    _leave_if_newer()
    return serve(
        host=options.host,
        port=options.port,
        threads=options.threads,
        pulse_fd=options.pulse_fd,
        listen_fd=options.listen_fd,
    )


if __name__ == "__main__":
    sys.exit(main())
