"""A child of the supervisor: a process, its pipes, its signs of life, and its exits so far.

Standard library only, as the supervisor beside it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections import deque
from contextlib import suppress
from typing import Any, Final

MAX_QUICK_EXITS: Final = 5
MAX_RESTART_DELAY_S: Final = 30.0
QUICK_S: Final = 120.0
"""A child that ends within so many seconds of its start has ended quickly."""
CANNOT_WORK: Final = frozenset({2, 126, 127})
"""Exit codes of what no later start can mend: settings or arguments are refused, the command
cannot be run, or is not there."""
SET_ASIDE_AFTER: Final = 2
"""Quick exits in a row, by an error, after which a child starts without what it kept."""
FIRST_SIGN_FACTOR: Final = 5
"""A child that has just started may be silent for so many times longer."""
STOPPED_AFTER_S: Final = 30.0
"""A child that is stopped may be silent for so long: less than what it holds is held for."""
_PR_SET_PDEATHSIG: Final = 1

try:
    _prctl: Any = ctypes.CDLL(None).prctl
except (AttributeError, OSError, TypeError):  # not Linux
    _prctl = None


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the one that started it is gone (Linux only)."""
    if _prctl:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Child:
    """A child process: its spec (webapp/processes/specs.py), its pipes, and its exits so far."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.name: str = spec["name"]
        self.argv: list[str] = spec["argv"]
        self.stage: int = spec["stage"]
        self.grace_s: float = spec["grace_s"]
        self.socket: str = spec["socket"]
        self.quiet: bool = spec["quiet"]
        self.silent_after_s: float = spec["silent_after_s"]
        self.listens: bool = spec.get("listens", False)
        self.expendable: str = spec.get("expendable", "")
        self.process: subprocess.Popen[bytes] | None = None
        self.output_fd = self.pulse_fd = -1
        self.was_heard = self.being_ended = False
        self.missed_looks = 0
        self.start_at: float | None = None
        self.kill_at: float | None = None
        self.started_at = 0.0
        self.quick_exits = self.exit_code = 0
        self.partial_line = b""
        self.held_output: deque[bytes] = deque(maxlen=20)

    def start(self, listen_fd: int = -1) -> None:
        """Start the process in a session of its own, so that Ctrl-C reaches us alone.

        listen_fd: the instance's socket, for a child that listens. Raises OSError.
        """
        parent = os.getpid()

        def before_exec() -> None:
            die_with_parent()
            if os.getppid() != parent:  # we died before the line above
                os._exit(1)

        self.start_at = self.kill_at = None
        self.started_at = time.monotonic()
        argv, pulse_fds = self.argv, self.open_pulse()
        if pulse_fds:
            argv = [*argv, "--pulse-fd", str(pulse_fds[0])]
        passed_fds = pulse_fds
        if self.listens and listen_fd >= 0:
            argv = [*argv, "--listen-fd", str(listen_fd)]
            passed_fds = (*pulse_fds, listen_fd)
        try:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=before_exec,
                pass_fds=passed_fds,
            )
        finally:
            for fd in pulse_fds:
                os.close(fd)
        if self.process.stdout:
            self.output_fd = self.process.stdout.fileno()
            os.set_blocking(self.output_fd, False)

    @property
    def pid(self) -> int:
        """Its process id, until it was reaped; 0 while there is none."""
        return self.process.pid if self.process else 0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child alone, which knows what to do with processes of its own."""
        if self.process:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM, and its grace begins; one that is stopped hears nothing and is killed."""
        self.being_ended = True
        if self.is_stopped():
            self.kill()
            return
        self.signal(signal.SIGTERM)
        self.kill_at = time.monotonic() + self.grace_s

    def is_stopped(self) -> bool:
        """Whether a signal has stopped it (SIGSTOP): nothing goes on in it until another one."""
        if not self.process:
            return False
        try:
            with open(f"/proc/{self.process.pid}/stat", "rb") as stat:  # noqa: PTH123 (memory)
                return stat.read().rpartition(b")")[2].split()[0] == b"T"
        except (OSError, IndexError):  # not Linux, or gone
            return False

    def kill(self) -> None:
        """Kill the child and everything it started."""
        if self.process:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    # its exits

    def count_exit(self, code: int) -> int:
        """Note that it has ended; how often it has in a row, each time soon after its start."""
        self.exit_code = code
        quick = time.monotonic() - self.started_at < QUICK_S
        self.quick_exits = self.quick_exits + 1 if quick else 1
        return self.quick_exits

    def start_again(self, first_delay_s: float) -> float:
        """Set the time of its next start, later with each quick exit; seconds until then."""
        delay_s = min(MAX_RESTART_DELAY_S, first_delay_s * 2.0 ** min(self.quick_exits - 1, 16))
        self.start_at = time.monotonic() + delay_s
        return delay_s

    @property
    def cannot_work(self) -> bool:
        """Whether its last exit code says that it cannot work, whatever is outside."""
        return self.exit_code in CANNOT_WORK

    def set_aside(self) -> bool:
        """Rename the file it may do without, once it has failed on it; whether there was one."""
        if not self.expendable or self.exit_code <= 0 or self.quick_exits < SET_ASIDE_AFTER:
            return False
        try:
            os.replace(self.expendable, f"{self.expendable}.bad")  # noqa: PTH105 (memory)
        except OSError:
            return False
        return True

    # readiness

    def is_ready(self) -> bool:
        """True once its socket answers PING, or when it has none: the next stage may start."""
        ready = not self.socket or self.ping().startswith(b"+PONG")
        self.was_heard = self.was_heard or bool(ready and self.socket)
        return ready

    def ping(self) -> bytes:
        """The first bytes its socket answers PING with; none within a second: empty."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(self.socket)
                probe.sendall(b"PING\r\n")
                return probe.recv(16)
            except OSError:
                return b""

    # silence

    def open_pulse(self) -> tuple[int, ...]:
        """Open the pipe a watched child beats into, unless it has a socket; the child's end."""
        self.close_pulse()
        self.was_heard, self.being_ended, self.missed_looks = False, False, 0
        if not self.silent_after_s or self.socket:
            return ()
        self.pulse_fd, theirs = os.pipe()
        os.set_blocking(self.pulse_fd, False)
        return (theirs,)

    def close_pulse(self) -> None:
        """Close our end of the pipe."""
        if self.pulse_fd >= 0:
            os.close(self.pulse_fd)
            self.pulse_fd = -1

    def gives_sign(self) -> bool:
        """Whether it has beaten since the last look or, with a socket, answers now."""
        if self.socket:
            return bool(self.ping())
        try:
            return bool(os.read(self.pulse_fd, 64 * 1024))
        except OSError:
            return False

    def is_silent(self, looked_every_s: float) -> bool:
        """Look for a sign of life; True when none has come for `silent_after_s`.

        Looks are counted, and clocks are not compared: we may have slept as well, machine and all.
        """
        heard = self.gives_sign()
        self.was_heard = self.was_heard or heard
        self.missed_looks = 0 if heard else self.missed_looks + 1
        silent_s = self.missed_looks * looked_every_s
        return silent_s > 0 and silent_s >= self.patience_s

    @property
    def patience_s(self) -> float:
        """Seconds it may be silent. What is stopped does not wait for anything, nor just start."""
        if self.is_stopped():
            return min(self.silent_after_s, STOPPED_AFTER_S)
        return self.silent_after_s * (1 if self.was_heard else FIRST_SIGN_FACTOR)


def exit_reason(returncode: int) -> str:
    """`exit 3`, or the name of the signal that killed it."""
    if returncode >= 0:
        return f"exit {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"
