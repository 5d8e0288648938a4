"""Keeps the parts of one instance running, and stops them all together.

`manage.py up` prepares everything and then becomes this process. Standard library only: it stays
for as long as the instance runs, so it has to be small.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from types import FrameType
from typing import Any, Final

QUICK_DEATHS: Final = 5
QUICK_DEATHS_WITHIN_S: Final = 120.0
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
START_LIMIT_S: Final = 60.0
_PR_SET_PDEATHSIG: Final = 1
_LINE_MAX: Final = 16 * 1024

try:
    _prctl: Any = ctypes.CDLL(None).prctl
except (AttributeError, OSError, TypeError):  # not Linux
    _prctl = None


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the one that started it is gone (Linux only)."""
    if _prctl:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Child:
    """One part: its command, its process, and what became of it so far."""

    def __init__(self, part: dict[str, Any]) -> None:
        self.name: str = part["name"]
        self.argv: list[str] = part["argv"]
        self.stage: int = part["stage"]
        self.grace_s: float = part["grace_s"]
        self.socket: str = part["socket"]
        self.quiet: bool = part["quiet"]
        self.process: subprocess.Popen[bytes] | None = None
        self.output = -1
        self.start_at: float | None = None
        self.kill_at: float | None = None
        self.deaths: deque[float] = deque(maxlen=QUICK_DEATHS)
        self.unfinished = b""
        self.unsaid: deque[bytes] = deque(maxlen=20)

    def start(self) -> None:
        """Start the process in a session of its own, so that Ctrl-C reaches us alone."""
        parent = os.getpid()

        def before_exec() -> None:
            die_with_parent()
            if os.getppid() != parent:  # we died before the line above
                os._exit(1)

        self.start_at = self.kill_at = None
        self.process = subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=before_exec,
        )
        if self.process.stdout:
            self.output = self.process.stdout.fileno()
            os.set_blocking(self.output, False)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the part's main process; that one knows what to do with its own."""
        if self.process:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End the part and everything it started, at once."""
        if self.process:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def ready(self) -> bool:
        """True once the next stage may start."""
        if not self.socket:
            return True
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(self.socket)
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def how_it_ended(returncode: int) -> str:
    """`exit 3`, or the name of the signal that killed it."""
    if returncode >= 0:
        return f"exit {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"


class Supervisor:
    """The loop: output in, deaths noticed, restarts and the end in order."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.children = [Child(part) for part in plan["parts"]]
        self.address: tuple[str, int] = (plan["host"], plan["port"])
        self.path: str = plan["live_path"]
        self.greeting: list[str] = plan["greeting"]
        self.first_pause_s: float = plan.get("first_pause_s", FIRST_PAUSE_S)
        self.width = max(len(name) for name in ["storykeep", *(c.name for c in self.children)])
        self.selector = selectors.DefaultSelector()
        self.stage = -1
        self.live = False
        self.stopping = False
        self.signals = 0
        self.code = 0
        self.began = time.monotonic()
        self.warned = False

    # what people see

    def show(self, name: str, line: bytes) -> None:
        """One prefixed line. A terminal that went away does not stop the instance."""
        text = name.ljust(self.width).encode() + b" | " + line + b"\n"
        with suppress(OSError):
            while text:
                text = text[os.write(1, text) :]

    def say(self, line: str) -> None:
        """A line of our own."""
        self.show("storykeep", line.encode())

    def relay(self, child: Child) -> bool:
        """Pass on what a part printed. False at the end of its output."""
        try:
            got = os.read(child.output, 64 * 1024)
        except BlockingIOError:
            return True
        *lines, rest = (child.unfinished + got).split(b"\n")
        if rest and (not got or len(rest) > _LINE_MAX):
            lines, rest = [*lines, rest], b""
        child.unfinished = rest
        for line in lines:
            if child.quiet:
                child.unsaid.append(line)
            else:
                self.show(child.name, line)
        return bool(got)

    def drain(self, child: Child) -> None:
        """The last of what a part printed."""
        deadline = time.monotonic() + 1
        while self.relay(child) and time.monotonic() < deadline:
            time.sleep(0.01)  # what it started was killed a moment ago and still holds the pipe
        if not self.stopping:
            for line in child.unsaid:
                self.show(child.name, line)
        child.unsaid.clear()

    # starting

    def start(self, child: Child) -> None:
        """Start a part and listen to it."""
        try:
            child.start()
        except OSError as error:
            self.say(f"{child.name} cannot be started: {error.strerror}")
            self.give_up()
            return
        self.selector.register(child.output, selectors.EVENT_READ, child)

    def advance(self) -> None:
        """Start the next stage once the one before it is ready."""
        begun = [child for child in self.children if child.stage <= self.stage]
        if not all(child.process and child.ready() for child in begun):
            return
        later = [child.stage for child in self.children if child.stage > self.stage]
        if later:
            self.stage = min(later)
            for child in self.children:
                if child.stage == self.stage and not self.stopping:
                    self.start(child)

    def answers(self) -> bool:
        """Does the web part answer?"""
        ask = f"GET {self.path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()
        try:
            with socket.create_connection(self.address, timeout=0.2) as probe:
                probe.settimeout(2)
                probe.sendall(ask)
                return probe.recv(64).partition(b" ")[2].startswith(b"200")
        except OSError:
            return False

    def greet(self) -> None:
        """Say so when the instance can be used, or that it takes too long."""
        if self.answers():
            self.live = True
            for line in self.greeting:
                self.say(line)
        elif not self.warned and time.monotonic() - self.began > START_LIMIT_S:
            self.warned = True
            self.say("the web part does not answer yet; see its lines above")

    # ending

    def bury(self, child: Child) -> None:
        """A part has ended: take what it left behind along, and decide what is next."""
        process = child.process
        if not process or process.poll() is None:
            return
        child.kill()
        with suppress(KeyError, ValueError):
            self.selector.unregister(child.output)
        if process.stdout:
            self.drain(child)
            process.stdout.close()
        child.process = None
        if self.stopping:
            return
        now = time.monotonic()
        ended = f"{child.name} died ({how_it_ended(process.returncode)})"
        child.deaths.append(now)
        recent = sum(now - death < QUICK_DEATHS_WITHIN_S for death in child.deaths)
        if recent >= QUICK_DEATHS:
            self.say(f"{ended}, {recent} times in a row; giving up")
            self.give_up()
            return
        pause = min(LONGEST_PAUSE_S, self.first_pause_s * 2.0 ** (recent - 1))
        child.start_at = now + pause
        self.say(f"{ended}; starting it again in {pause:g} s")

    def give_up(self) -> None:
        """Stop everything because something cannot be kept running."""
        self.code = 1
        self.stop()

    def stop(self) -> None:
        """Begin the end. Asked a second time, end at once."""
        if not self.stopping:
            self.stopping = True
            self.say("stopping")
            for child in self.children:
                child.start_at = None  # nobody is started any more, or waited for
            self.stage = max((c.stage for c in self.children if c.process), default=-1)
            self.stop_stage()
            return
        for child in self.children:
            child.kill()

    def stop_stage(self) -> None:
        """Ask the parts of the current stage to stop."""
        for child in self.children:
            if child.process and child.stage == self.stage:
                child.signal(signal.SIGTERM)
                child.kill_at = time.monotonic() + child.grace_s

    def recede(self) -> bool:
        """Go down a stage when the one above has ended. False when nothing is left."""
        now = time.monotonic()
        for child in self.children:
            if child.process and child.kill_at and now >= child.kill_at:
                self.say(f"{child.name} did not stop in {child.grace_s:g} s; killing it")
                child.kill()
                child.kill_at = None
        left = [child.stage for child in self.children if child.process]
        if left and max(left) < self.stage:
            self.stage = max(left)
            self.stop_stage()
        return bool(left)

    # the loop

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Count what asks us to stop; the loop acts on it."""
        if number != signal.SIGCHLD:
            self.signals += 1

    def listen(self) -> None:
        """Have signals wake the loop."""
        receive, send = os.pipe()
        for end in (receive, send):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(send, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self.on_signal)
        self.selector.register(receive, selectors.EVENT_READ, None)

    def wait_s(self) -> float | None:
        """How long nothing can happen by itself."""
        if not self.live and not self.stopping:
            return 0.05
        now = time.monotonic()
        moments = [m for c in self.children for m in (c.start_at, c.kill_at) if m is not None]
        return max(0.0, min(moments) - now) if moments else None

    def turn(self) -> bool:
        """Once round. False when all is over."""
        for key, _ in self.selector.select(self.wait_s()):
            if key.data is None:
                with suppress(BlockingIOError):
                    os.read(key.fd, 1024)
            elif not self.relay(key.data):
                self.selector.unregister(key.fd)
        while self.signals:
            self.signals -= 1
            self.stop()
        for child in self.children:
            self.bury(child)
        if self.stopping:
            return self.recede()
        for child in self.children:
            if child.start_at is not None and time.monotonic() >= child.start_at:
                self.start(child)
        self.advance()
        if not self.live and self.stage >= max(child.stage for child in self.children):
            self.greet()
        return True

    def run(self) -> int:
        """Until told to stop (0) or until a part cannot be kept running (1)."""
        self.listen()
        while self.turn():
            pass
        self.say("stopped")
        return self.code


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as _plan:  # noqa: PTH123 (pathlib costs memory)
        _supervisor = Supervisor(json.load(_plan))
    sys.exit(_supervisor.run())
