"""The pulse: who hears it, and what a process that stands alone does without one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from webapp.processes import pulse

ALONE = """
import time
from threading import Thread
from webapp.processes import pulse
Thread(target=pulse._watch, args=(0.1, 0.5), daemon=True).start()
for _ in range(20):
    time.sleep(0.05)
    pulse.beat()
print("beaten", flush=True)
{then}
print("over", flush=True)
"""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The supervisor's pipe: its read end and its write end."""
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    pulse._Pulse.fd = None
    for end in ends:
        os.close(end)


def test_a_beat_reaches_the_supervisor(pipe: tuple[int, int]) -> None:
    pulse.begin(pipe[1])
    with pytest.raises(BlockingIOError):
        os.read(pipe[0], 10)
    pulse.beat()
    assert os.read(pipe[0], 10) == b"."


def test_a_supervisor_that_does_not_read_holds_nobody_up(pipe: tuple[int, int]) -> None:
    pulse.begin(pipe[1])
    for _ in range(100_000):
        pulse.beat()


def test_a_supervisor_that_is_gone_raises_nothing() -> None:
    receive, send = os.pipe()
    os.close(receive)
    pulse.begin(send)
    pulse.beat()
    pulse._Pulse.fd = None
    os.close(send)


def alone(then: str) -> subprocess.CompletedProcess[str]:
    """What becomes of a process that watches itself, beats for a second and then does this."""
    script = ALONE.format(then=then)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )


def test_a_process_alone_whose_loop_hangs_ends_and_says_where() -> None:
    done = alone("time.sleep(1000)")
    assert done.stdout == "beaten\n"
    assert done.returncode == -15
    assert 'File "<string>", line 10 in <module>' in done.stderr


def test_a_process_alone_that_does_not_end_when_told_is_ended() -> None:
    """Something holds it that no signal gets through to; here, SIGTERM is ignored."""
    done = alone(
        "import signal; pulse.GRACE_S = 0.2; signal.signal(15, signal.SIG_IGN); time.sleep(1000)"
    )
    assert done.stdout == "beaten\n"
    assert done.returncode == 1


def test_a_process_alone_that_beats_is_left_alone() -> None:
    done = alone("[(time.sleep(0.05), pulse.beat()) for _ in range(40)]")
    assert (done.returncode, done.stdout) == (0, "beaten\nover\n")
