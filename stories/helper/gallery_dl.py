"""gallery-dl, run for one look-up: what it is told, and what it leaves.

It is a program of its own, in an environment of its own (installed.py), that nothing of ours is
handed to but an address, the guard's port and a user agent. It downloads nothing: it prints each
item's whole data as a line, and leaves the answers it got as files.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.cookiejar import Cookie
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import certifi

from stories.helper.answers import MAX_HEAD, ShownAnswer, read_answer
from stories.helper.confinement import shut_in
from stories.helper.cookies_file import read_cookies
from stories.helper.endings import RunReading, read_ending
from stories.helper.installed import current_version, interpreter
from stories.helper.process import Bounds, run_bounded
from stories.ways import READY, Readiness, WayBusy, WayFailed

MIB: Final = 1024 * 1024
MAX_COOKIES_FILE: Final = 256 * 1024
MAX_ANSWER: Final = 8 * MIB
MAX_ANSWERS: Final = 60
WAIT_S: Final = 300.0
"""Seconds that a run waits for those before it: of many lines at once each gets its turn."""
_LEFTOVER_S: Final = 3600.0
_PREFIX: Final = "run-"

Command = Callable[[], Sequence[str] | None]
"""The command line that starts gallery-dl, without options; None while it is not installed."""


class ProxyInFront(Protocol):
    """A proxy on this machine, through which alone the program reaches the network (the guard)."""

    @property
    def url(self) -> str: ...

    async def start(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HelperRun:
    """A run that ended by itself. lines: as printed, one item each. answers: in the order they
    came. cookies: of TikTok's site, for the addresses in the items."""

    reading: RunReading
    lines: tuple[bytes, ...] = field(repr=False)
    cookies: tuple[Cookie, ...] = field(repr=False)
    answers: tuple[ShownAnswer, ...] = field(repr=False)


def installed_command(folder: Path) -> Command:
    """The command of the version that is in use below `folder`, looked up for each run."""

    def find() -> Sequence[str] | None:
        version = current_version(folder)
        return version and [str(interpreter(folder, version)), "-I", "-m", "gallery_dl"]

    return find


class GalleryDl:
    """gallery-dl, one run at a time.

    command: how it is started. guard: the proxy it gets. ca_file: PEM file with an extra authority.
    user_agent: it is to ask as. folder: where it works, each time in a folder of its own that is
    removed afterwards; None for the system's. wait_s: seconds that a run waits for its turn.
    """

    def __init__(
        self,
        command: Command,
        *,
        guard: ProxyInFront,
        user_agent: str,
        ca_file: str | None = None,
        folder: Path | None = None,
        bounds: Bounds = Bounds(),  # noqa: B008 - frozen
        wait_s: float = WAIT_S,
    ) -> None:
        self.user_agent = user_agent
        self._command, self._guard, self._ca_file = command, guard, ca_file
        self._folder, self._bounds, self._wait_s = folder, bounds, wait_s
        self._turn: asyncio.Lock | None = None
        self._cleared = False

    async def ready(self) -> Readiness:
        """Whether it is installed. Starts nothing."""
        if await asyncio.to_thread(self._command):
            return READY
        return Readiness(ok=False, reason="not installed")

    async def run(self, url: str) -> HelperRun:
        """Ask for one address. Raises WayFailed when it does not end well by itself, WayDeclined
        when others had their turns for too long."""
        async with self._own_turn():
            command = await asyncio.to_thread(self._command)
            if not command:
                raise WayFailed("not installed")
            proxy = await self._proxy()
            folder = await asyncio.to_thread(self._make_folder)
            try:
                started = await asyncio.to_thread(self._prepare, command, folder, proxy, url)
                done = await run_bounded(started, folder=folder, bounds=self._bounds)
                cookies, answers = await asyncio.to_thread(_left_behind, folder)
            except OSError as error:
                raise WayFailed(f"its folder: {type(error).__name__}") from error
            finally:
                await asyncio.shield(asyncio.to_thread(_remove, folder))
        reading = read_ending(done.exit_code, done.log, has_lines=bool(done.lines))
        return HelperRun(reading=reading, lines=done.lines, cookies=cookies, answers=answers)

    @asynccontextmanager
    async def _own_turn(self) -> AsyncIterator[None]:
        self._turn = self._turn or asyncio.Lock()
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turn.acquire()
        except TimeoutError:
            raise WayBusy("busy with other look-ups") from None
        try:
            yield
        finally:
            self._turn.release()

    async def _proxy(self) -> str:
        try:
            await self._guard.start()
        except OSError as error:
            raise WayFailed(f"the guard cannot listen: {type(error).__name__}") from error
        return self._guard.url

    # --- its folder ---------------------------------------------------------------------------

    def _make_folder(self) -> Path:
        try:
            if self._folder is not None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._clear()
            return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._folder)).resolve()
        except OSError as error:
            raise WayFailed(f"has no folder to work in: {type(error).__name__}") from error

    def _clear(self) -> None:
        """Remove what a killed worker left, once; other workers' folders are younger."""
        if self._cleared or self._folder is None:
            return
        self._cleared = True
        for left in self._folder.glob(f"{_PREFIX}*"):
            with suppress(OSError):
                if time.time() - left.stat(follow_symlinks=False).st_mtime > _LEFTOVER_S:
                    _remove(left)

    def _prepare(self, command: Sequence[str], folder: Path, proxy: str, url: str) -> list[str]:
        """Write what it is told; the command line that starts it."""
        verify: bool | str = True
        if self._ca_file:
            public = Path(certifi.where()).read_text(encoding="ascii", errors="replace")
            extra = Path(self._ca_file).read_text(encoding="ascii", errors="replace")
            authorities = folder / "authorities.pem"
            authorities.write_text(f"{public}\n{extra}", encoding="ascii", errors="replace")
            verify = str(authorities)
        options = folder / "options.json"
        cookies = folder / "cookies.txt"
        told = _options(proxy, verify, str(cookies), self.user_agent)
        options.write_text(json.dumps(told), encoding="ascii")
        line = [*command, "--config-ignore", "--config-json", str(options), "--no-input", url]
        # Of an environment, the folder two above its interpreter.
        home = Path(command[0]).absolute().parent.parent
        return shut_in(
            line, write=folder, read=[home, *_given(command)], port=urlsplit(proxy).port or 0
        )


def _given(command: Sequence[str]) -> list[Path]:
    """The files a command line names, as a script does."""
    return [Path(part) for part in command[1:] if part.startswith("/")]


def _options(proxy: str, verify: bool | str, cookies: str, user_agent: str) -> dict[str, Any]:
    """gallery-dl's own options. An item is printed before it chooses a file ("post"); the list's
    answers hold every item whole, so that it need not ask for each one's page."""
    return {
        "extractor": {
            "proxy": proxy,
            "proxy-env": False,
            "verify": verify,
            "download": False,
            "retries": 0,
            "timeout": 20,
            "cookies-update": cookies,
            "user-agent": user_agent,
            "url-metadata": "_url",
            "write-pages": "ALL",
            "tiktok": {
                "audio": False,
                "stories": {"photos": False, "videos": False},
            },
            "postprocessors": [
                {
                    "name": "metadata",
                    "mode": "jsonl",
                    "filename": "-",
                    "private": True,
                    "event": ["post"],
                    "ascii": True,
                }
            ],
        },
        "cache": {"file": None},
        "output": {
            "mode": "null",
            "colors": False,
            # The log of the connections tells each answer's status.
            "log": {"format": "{levelname}|{name}|{message}", "level": "debug"},
        },
    }


# --- what it leaves ---------------------------------------------------------------------------


def _left_behind(folder: Path) -> tuple[tuple[Cookie, ...], tuple[ShownAnswer, ...]]:
    """The cookies and the answers in its folder; what is no plain file of a fair size is not
    there."""
    text = _plain_file(folder / "cookies.txt", MAX_COOKIES_FILE) or b""
    answers = []
    for name in sorted(_names(folder), key=_number):
        if not name.endswith(".txt"):
            continue
        content = _plain_file(folder / name, MAX_ANSWER + MAX_HEAD)
        answer = read_answer(name, content) if content is not None else None
        if answer is not None:
            answers.append(answer)
        if len(answers) == MAX_ANSWERS:
            break
    # It writes the file of its jar only after an item; the jar is what the answers set.
    cookies = [cookie for answer in answers for cookie in answer.cookies]
    return (*cookies, *read_cookies(text)), tuple(answers)


def _names(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number == 1000:
                return
            yield entry.name


def _number(name: str) -> int:
    """The number that a file's name begins with; they are numbered as they came."""
    number = name.partition("_")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 0


def _plain_file(path: Path, most: int) -> bytes | None:
    """A file's bytes; None for a link, a pipe, and what is larger than `most`."""
    with suppress(OSError), _opened(path) as handle:
        told = os.fstat(handle)
        if stat.S_ISREG(told.st_mode) and told.st_size <= most:
            with os.fdopen(os.dup(handle), "rb") as file:
                body = file.read(most + 1)
            return body if len(body) <= most else None
    return None


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


_remove = partial(shutil.rmtree, ignore_errors=True)
