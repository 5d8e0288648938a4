"""A child as the supervisor starts it: what it is given, and how its end is called."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from jobs.queue.claims import LEASE
from webapp.processes import listening
from webapp.processes.child import STOPPED_AFTER_S, Child, exit_reason

SHOW = """
import socket, sys
given = sys.argv[1:]
print(*given[::2], flush=True)
if given:
    print(socket.socket(fileno=int(given[1])).getsockname()[1], flush=True)
"""


def output_of(listen_fd: int, **facts: Any) -> list[str]:
    """What a child prints that shows its arguments, and the port of the socket it was given."""
    spec = {"name": "web", "argv": [sys.executable, "-c", SHOW], "stage": 1, "grace_s": 1,
            "socket": "", "quiet": False, "silent_after_s": 0}  # fmt: skip
    child = Child(spec | facts)
    child.start(listen_fd)
    assert child.process
    assert child.process.stdout
    with child.process.stdout as output:
        child.process.wait()
        return output.read().decode().split()


def test_who_listens_is_given_the_socket_that_outlives_it() -> None:
    with listening.bind("127.0.0.1", 0) as bound:
        port = str(bound.getsockname()[1])
        for _ in range(2):  # started again, it finds the same one
            assert output_of(bound.fileno(), listens=True) == ["--listen-fd", port]


def test_who_does_not_listen_is_not_given_it() -> None:
    with listening.bind("127.0.0.1", 0) as bound:
        assert output_of(bound.fileno(), listens=False) == []


def test_who_listens_without_a_socket_binds_its_own() -> None:
    assert output_of(-1, listens=True) == []


@pytest.mark.parametrize(
    ("returncode", "words"),
    [(0, "exit 0"), (3, "exit 3"), (-9, "killed by SIGKILL"), (-99, "killed by signal 99")],
)
def test_how_a_process_ended(returncode: int, words: str) -> None:
    assert exit_reason(returncode) == words


def test_the_exit_of_a_killed_process_is_named() -> None:
    ended = subprocess.run(["/bin/sh", "-c", "kill -TERM $$"], check=False)
    assert exit_reason(ended.returncode) == "killed by SIGTERM"


def test_a_stopped_child_has_less_patience_than_one_that_waits() -> None:
    """And is killed at once: it cannot hear that it is to end."""
    spec = {"name": "worker", "argv": ["/bin/sleep", "100"], "stage": 1, "grace_s": 1000,
            "socket": "", "quiet": False, "silent_after_s": 0}  # fmt: skip
    child = Child(spec)
    child.start()
    assert child.process
    child.silent_after_s = 60.0
    child.was_heard = True
    assert (child.is_stopped(), child.patience_s) == (False, 60)
    child.signal(signal.SIGSTOP)
    os.waitpid(child.process.pid, os.WUNTRACED)
    assert (child.is_stopped(), child.patience_s) == (True, STOPPED_AFTER_S)
    assert LEASE.total_seconds() > STOPPED_AFTER_S
    child.terminate()
    assert child.process.wait(20) == -signal.SIGKILL
    assert not child.is_stopped()
    if child.process.stdout:
        child.process.stdout.close()
