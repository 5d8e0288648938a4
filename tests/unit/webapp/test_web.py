"""The web process: Gunicorn's worker on its own, with a supervisor of ours for a master."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.template import engines
from gunicorn.glogging import Logger
from gunicorn.workers import base

from jobs.ephemeral import log_lines
from jobs.housekeeping import traces
from webapp import database, secret_key, web, wsgi
from webapp.lock_waits import LockWaits
from webapp.processes import listening, memory, pulse
from webapp.server.connections import Connections


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[web.Server]:
    """A server that was not started yet."""
    config = web.configuration(4)
    with socket.socket() as listener:
        made = web.Server(
            1, os.getppid(), [listener], SimpleNamespace(), 60, config, Logger(config)
        )
        yield made
        made.tmp.close()


def test_its_settings_are_ours_and_its_threads_those_of_the_instance() -> None:
    config = web.configuration(7)
    assert (config.threads, config.workers) == (7, 1)
    assert config.limit_request_line == 8190
    assert config.accesslog is None
    assert config.forwarded_allow_ips == []


def test_each_turn_of_its_loop_is_a_sign_of_life(
    server: web.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[str] = []
    monkeypatch.setattr(pulse, "beat", lambda: beats.append("beat"))
    server.notify()
    assert beats == ["beat"]


def test_it_is_watched_once_its_signals_are_set(
    server: web.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gunicorn gives SIGUSR2 back to the system, which would end the process."""
    calls: list[Any] = []
    monkeypatch.setattr(base.Worker, "init_signals", lambda _self: calls.append("signals"))
    monkeypatch.setattr(pulse, "begin", calls.append)
    server.pulse_fd = 7
    server.init_signals()
    assert calls == ["signals", 7]


def test_under_a_supervisor_it_ends_without_it_and_alone_it_does_not(server: web.Server) -> None:
    server.ppid = -1
    assert server.is_parent_alive()
    server.pulse_fd = 7
    assert not server.is_parent_alive()


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_lets_requests_end_and_asked_again_later_it_does_not(
    server: web.Server, monkeypatch: pytest.MonkeyPatch, again: int
) -> None:
    codes: list[int] = []
    now = 100.0
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    handlers = {signal.SIGINT: server.handle_quit, signal.SIGTERM: server.handle_exit}
    server.handle_exit(signal.SIGTERM, None)
    assert (server.alive, codes) == (False, [])
    now += 0.03  # a group has its signal, and the parent sends one
    handlers[signal.Signals(again)](again, None)
    assert codes == []
    now += 1.5
    handlers[signal.Signals(again)](again, None)
    assert codes == [0]


@pytest.mark.parametrize("proxies", [0, 1])
def test_a_proxy_may_have_every_connection(
    server: web.Server,
    set_env: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    proxies: int,
) -> None:
    set_env(trusted_proxies=proxies)
    monkeypatch.setattr(base.Worker, "load_wsgi", lambda _self: None)
    server.connections = Connections(40, 10)
    server.load_wsgi()
    assert server.connections.per_address == (40 if proxies else 10)


def test_what_is_loaded_is_hidden_from_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(wsgi, "warm_up", lambda: calls.append("warm up"))
    monkeypatch.setattr(log_lines, "keep", lambda process: calls.append(process))
    monkeypatch.setattr(memory, "freeze", lambda: calls.append("freeze"))
    monkeypatch.setattr(LockWaits, "install", lambda _self: None)
    monkeypatch.setattr(secret_key, "follow", lambda: calls.append("follow the key"))
    assert web.Site(threads=2).wsgi() is wsgi.application
    assert calls == ["follow the key", "web", "warm up", "freeze"]


@pytest.mark.parametrize(("threads", "seats"), [(1, 1), (2, 1), (48, 24)])
def test_half_of_its_threads_may_wait_for_the_database_and_statements_end_sooner(
    monkeypatch: pytest.MonkeyPatch, threads: int, seats: int
) -> None:
    installed: list[LockWaits] = []
    monkeypatch.setattr(database._Process, "statement_s", database.STATEMENT_S)
    monkeypatch.setattr(LockWaits, "install", lambda waits: installed.append(waits))
    for module, name in ((wsgi, "warm_up"), (memory, "freeze")):
        monkeypatch.setattr(module, name, lambda: None)
    monkeypatch.setattr(log_lines, "keep", lambda _process: None)
    monkeypatch.setattr(secret_key, "follow", lambda: None)
    web.Site(threads).wsgi()
    assert database._Process.statement_s == database.REQUEST_STATEMENT_S
    (waits,) = installed
    taken = [waits._seats.acquire(blocking=False) for _ in range(threads + 1)]
    assert sum(taken) == seats


def test_it_leaves_no_log_of_the_database_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def answer(server: web.Server) -> None:
        server.connections = Connections(1, 1)
        server.tmp.close()
        for listener in server.sockets:
            listener.close()
        calls.append("answers")

    monkeypatch.setattr(web.Server, "init_process", answer)
    monkeypatch.setattr(traces, "leave_none", lambda: calls.append("leaves none"))
    web.serve(host="127.0.0.1", port=0, threads=4, pulse_fd=None, listen_fd=None)
    assert calls == ["answers", "leaves none"]


def test_the_templates_of_a_jobs_page_are_there_before_the_first_request() -> None:
    wsgi.warm_up()
    django: Any = engines["django"]
    compiled = django.engine.template_loaders[0].get_template_cache
    assert {"jobs/home.html", "jobs/job.html", "jobs/_row.html", "jobs/_tile.html"} <= set(compiled)


def test_an_address_that_cannot_be_had_is_an_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    with listening.bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        code = web.serve(host="127.0.0.1", port=port, threads=4, pulse_fd=None, listen_fd=None)
    assert code == 1
    assert f"127.0.0.1 port {port}: Address already in use" in capfd.readouterr().err
