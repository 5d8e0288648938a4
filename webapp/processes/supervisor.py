"""The supervisor: keeps the processes of one instance running, and stops them in order.

`manage.py up` prepares everything, writes a plan (JSON) and becomes this process. Standard library
only, the file of its children beside it included: it stays for as long as the instance runs, so it
has to be small. It is run as a file, with the project's folder on PYTHONPATH.
"""

from __future__ import annotations

import errno
import json
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Any, Final

from webapp.processes.child import MAX_QUICK_EXITS, Child, exit_reason
from webapp.processes.json_lines import wrapped
from webapp.processes.stop_requests import StopRequests

FIRST_RESTART_DELAY_S: Final = 0.5
START_AGAIN_S: Final = 5.0
"""Seconds until another attempt where the system has no room for a process just now."""
SLOW_START_S: Final = 60.0
WATCH_EVERY_S: Final = 5.0
_NO_ROOM: Final = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
_LINE_MAX: Final = 16 * 1024


def answers_200(address: tuple[str, int], path: str) -> bool:
    """Whether the web process answers a request for this path with 200."""
    request = f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()
    try:
        with socket.create_connection(address, timeout=0.2) as probe:
            probe.settimeout(2)
            probe.sendall(request)
            return probe.recv(64).partition(b" ")[2].startswith(b"200")
    except OSError:
        return False


def wakeup_fd() -> int:
    """Have every signal that is handled write into a pipe; its read end, for a selector."""
    receive, send = os.pipe()
    for end in (receive, send):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(send, warn_on_full_buffer=False)
    return receive


def let_go(listen_fd: int) -> None:
    """Close our copy of the instance's socket, or whoever comes from now on waits for nobody.

    listen_fd: -1 where there is none.
    """
    if listen_fd >= 0:
        os.close(listen_fd)


class Supervisor:
    """The loop: forwards output, reaps and restarts children, starts and stops stage by stage.

    plan: `processes` (specs as dicts), `host`, `port`, `live_path` (where the web process answers),
    `greeting` (lines printed when it does), `listen_fd` (its socket, kept open here until we are to
    stop), `log_format` (`line` or `json`); in tests, `first_restart_delay_s` and `watch_every_s`.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self.children = [Child(spec) for spec in plan["processes"]]
        self.address: tuple[str, int] = (plan["host"], plan["port"])
        self.live_path: str = plan["live_path"]
        self.greeting: list[str] = plan["greeting"]
        self.listen_fd: int = plan.get("listen_fd", -1)
        self.as_json: bool = plan.get("log_format") == "json"
        self.first_restart_delay_s: float = plan.get("first_restart_delay_s", FIRST_RESTART_DELAY_S)
        self.watch_every_s: float = plan.get("watch_every_s", WATCH_EVERY_S)
        self.watch_at = 0.0
        self.name_width = max(len(name) for name in ["storykeep", *(c.name for c in self.children)])
        self.selector = selectors.DefaultSelector()
        self.stage = -1
        self.live = False
        self.stopping = False
        self.stop_requests = StopRequests()
        self.pending_signals = 0
        self.exit_code = 0
        self.started_at = time.monotonic()
        self.warned_of_slow_start = False

    # output

    def write_line(self, name: str, line: bytes, pid: int) -> None:
        """Write a line of a process. A closed terminal does not stop the instance."""
        plain = name.ljust(self.name_width).encode() + b" | " + line
        text = (wrapped(line, process=name, pid=pid) if self.as_json else plain) + b"\n"
        with suppress(OSError):
            while text:
                text = text[os.write(1, text) :]

    def log(self, line: str) -> None:
        """Write a line of the supervisor's own."""
        self.write_line("storykeep", line.encode(), os.getpid())

    def forward_output(self, child: Child) -> bool:
        """Write a child's new lines, or hold them back. False at the end of its output."""
        try:
            data = os.read(child.output_fd, 64 * 1024)
        except BlockingIOError:
            return True
        *lines, rest = (child.partial_line + data).split(b"\n")
        if rest and (not data or len(rest) > _LINE_MAX):
            lines, rest = [*lines, rest], b""
        child.partial_line = rest
        for line in lines:
            if child.quiet:
                child.held_output.append(line)
            else:
                self.write_line(child.name, line, child.pid)
        return bool(data)

    def drain_output(self, child: Child) -> None:
        """Write the rest of a dead child's output, including what was held back."""
        deadline = time.monotonic() + 1
        while self.forward_output(child) and time.monotonic() < deadline:
            time.sleep(0.01)  # what it started was killed a moment ago and still holds the pipe
        if not self.stopping:
            for line in child.held_output:
                self.write_line(child.name, line, child.pid)
        child.held_output.clear()

    # starting

    def start(self, child: Child) -> None:
        """Start a child and watch its output; give up when its command cannot be run, but not for
        want of memory or processes, which is over some time."""
        try:
            child.start(self.listen_fd)
        except OSError as error:
            self.log(f"{child.name} cannot be started: {error.strerror}")
            if error.errno in _NO_ROOM:
                child.start_at = time.monotonic() + START_AGAIN_S
            else:
                self.give_up()
            return
        self.selector.register(child.output_fd, selectors.EVENT_READ, child)

    def start_next_stage(self) -> None:
        """Start the next stage once the one before it is ready."""
        later = [child.stage for child in self.children if child.stage > self.stage]
        started = [child for child in self.children if child.stage <= self.stage]
        if later and all(child.process and child.is_ready() for child in started):
            self.stage = min(later)
            for child in self.children:
                if child.stage == self.stage and not self.stopping:
                    self.start(child)

    def check_live(self) -> None:
        """Print the greeting once the web process answers, or a warning when that takes long."""
        if answers_200(self.address, self.live_path):
            self.live = True
            for line in self.greeting:
                self.log(line)
        elif not self.warned_of_slow_start and time.monotonic() > self.started_at + SLOW_START_S:
            self.warned_of_slow_start = True
            self.log("the web part does not answer yet; see its lines above")

    # ending

    def reap(self, child: Child) -> None:
        """Collect a child that has exited: kill what it left behind, and set a time to restart it.

        Gives up only on what cannot work, by its exit code. What ends for any other reason may
        have it from outside, and is started again for as long as that takes.
        """
        process = child.process
        if not process or process.poll() is None:
            return
        child.kill()
        with suppress(KeyError, ValueError):
            self.selector.unregister(child.output_fd)
        if process.stdout:
            self.drain_output(child)
            process.stdout.close()
        child.close_pulse()
        child.process = None
        if self.stopping:
            return
        ended = f"{child.name} died ({exit_reason(process.returncode)})"
        quick_exits = child.count_exit(process.returncode)
        if quick_exits >= MAX_QUICK_EXITS and child.cannot_work:
            self.log(f"{ended}, {quick_exits} times in a row; giving up")
            self.give_up()
            return
        if child.set_aside():
            self.log(f"{child.name} does not start with what it kept: it goes on without")
        delay_s = child.start_again(self.first_restart_delay_s)
        self.log(f"{ended}; starting it again in {delay_s:g} s")

    def give_up(self) -> None:
        """Stop everything with exit code 1: a child cannot be kept running."""
        self.exit_code = 1
        self.stop()

    def stop(self) -> None:
        """Begin to stop, the highest stage first. Asked a second time, kill everything."""
        if not self.stopping:
            self.stopping = True
            self.log("stopping")
            let_go(self.listen_fd)
            for child in self.children:
                child.start_at = None  # no restart is waited for any more
            self.stage = max((c.stage for c in self.children if c.process), default=-1)
            self.stop_stage()
            return
        for child in self.children:
            child.kill()

    def stop_stage(self) -> None:
        """Send SIGTERM to the children of the current stage; their grace begins."""
        for child in self.children:
            if child.process and child.stage == self.stage:
                child.terminate()

    def kill_overdue(self) -> None:
        """Kill children whose grace is over."""
        for child in self.children:
            if child.process and child.kill_at and time.monotonic() >= child.kill_at:
                self.log(f"{child.name} did not stop in {child.grace_s:g} s; killing it")
                child.kill()
                child.kill_at = None

    def replace_silent(self) -> None:
        """Look for signs of life; name and end a child that gives none, to be started again."""
        now = time.monotonic()
        if now < self.watch_at:
            return
        self.watch_at = now + self.watch_every_s
        for child in self.children:
            # Once it was told to end it need say nothing, and may take its time to be gone.
            watched = child.silent_after_s and child.process and not child.being_ended
            if watched and child.is_silent(self.watch_every_s):
                silence = f"no sign of life for {child.patience_s:g} s"
                self.log(f"{child.name} gives {silence}: replacing it")
                if not child.socket and child.was_heard:
                    child.signal(signal.SIGUSR2)  # has it write where it hangs
                child.terminate()

    def stop_next_stage(self) -> bool:
        """Stop the next lower stage once the current one has ended. False when nothing is left."""
        running = [child.stage for child in self.children if child.process]
        if running and max(running) < self.stage:
            self.stage = max(running)
            self.stop_stage()
        return bool(running)

    # the loop

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Count requests to stop; the loop acts on them."""
        if number != signal.SIGCHLD and self.stop_requests.is_new():
            self.pending_signals += 1

    def install_signal_handlers(self) -> None:
        """Have signals wake the loop, through a pipe."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self.on_signal)
        self.selector.register(wakeup_fd(), selectors.EVENT_READ, None)

    def select_timeout_s(self) -> float | None:
        """Seconds until the next restart or kill is due; None when the loop can wait for events."""
        if not self.live and not self.stopping:
            return 0.05
        now = time.monotonic()
        due = [at for c in self.children for at in (c.start_at, c.kill_at) if at is not None]
        if not self.stopping and any(child.silent_after_s for child in self.children):
            due.append(self.watch_at)
        return max(0.0, min(due) - now) if due else None

    def run_once(self) -> bool:
        """One iteration of the loop. False when everything has stopped."""
        for key, _ in self.selector.select(self.select_timeout_s()):
            if key.data is None:
                with suppress(BlockingIOError):
                    os.read(key.fd, 1024)
            elif not self.forward_output(key.data):
                self.selector.unregister(key.fd)
        while self.pending_signals:
            self.pending_signals -= 1
            self.stop()
        for child in self.children:
            self.reap(child)
        self.kill_overdue()
        if self.stopping:
            return self.stop_next_stage()
        self.replace_silent()
        for child in self.children:
            if child.start_at is not None and time.monotonic() >= child.start_at:
                self.start(child)
        self.start_next_stage()
        if not self.live and self.stage >= max(child.stage for child in self.children):
            self.check_live()
        return True

    def run(self) -> int:
        """Run until told to stop (exit code 0) or until a child cannot be kept running (1)."""
        self.install_signal_handlers()
        while self.run_once():
            pass
        self.log("stopped")
        return self.exit_code


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as _plan:  # noqa: PTH123 (pathlib costs memory)
        _supervisor = Supervisor(json.load(_plan))
    sys.exit(_supervisor.run())
