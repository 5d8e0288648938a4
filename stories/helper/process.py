"""A program run within bounds: what it prints, for how long, and nothing of it left afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stories.ways import WayFailed

MIB: Final = 1024 * 1024
_CHUNK: Final = 64 * 1024
# Seconds for what a process printed last, once it has ended.
_GRACE_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a program may print, in bytes, and how long it may run, in seconds."""

    seconds: float = 60.0
    line: int = 2 * MIB
    output: int = 16 * MIB
    log: int = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A program that ended by itself. exit_code: negative for a signal. lines: of its output, those
    that are not empty. log: what it wrote to the error stream."""

    exit_code: int
    lines: tuple[bytes, ...]
    log: bytes


class _TooMuch(Exception):
    """Printed more than is allowed."""


async def run_bounded(
    command: Sequence[str], *, folder: Path, bounds: Bounds = Bounds()
) -> Finished:
    """Run a program in `folder`, which is its home too, with an environment of nothing else.

    Raises WayFailed when it cannot be started, runs or prints beyond the bounds; OSError never.
    Whatever the end, also a cancellation, its whole process group is killed, and what left the
    group and still has this home in its environment.
    """
    home = str(folder)
    try:
        process = subprocess.Popen(  # noqa: ASYNC220 - returns once the program is started
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=home,
            env={"HOME": home, "TMPDIR": home},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise WayFailed(f"cannot be started: {type(error).__name__}") from error
    ended = asyncio.create_task(asyncio.to_thread(_wait_for_end, process))
    pipes: list[asyncio.ReadTransport] = []
    readers: list[asyncio.Task[bytes]] = []
    try:
        async with asyncio.timeout(bounds.seconds):
            output, output_pipe = await _open(process.stdout)
            pipes.append(output_pipe)
            log, log_pipe = await _open(process.stderr)
            pipes.append(log_pipe)
            readers = [
                asyncio.create_task(_read(output, bounds.output, bounds.line)),
                asyncio.create_task(_read(log, bounds.log, bounds.log)),
            ]
            await _first_trouble_or_end(ended, readers)
        # What it started holds the pipes open.
        _kill_all(process.pid, home)
        printed = await _last_words(readers)
    except TimeoutError:
        raise WayFailed(f"still running after {bounds.seconds:.0f} seconds") from None
    except _TooMuch as error:
        raise WayFailed(f"prints too much: {error}") from None
    finally:
        _kill_all(process.pid, home)
        for reader in readers:
            reader.cancel()
        for pipe in pipes:
            pipe.close()
        await asyncio.shield(_reaped(process, ended))
    lines = tuple(line for line in printed[0].split(b"\n") if line.strip())
    return Finished(exit_code=process.returncode, lines=lines, log=printed[1])


async def _first_trouble_or_end(
    ended: asyncio.Task[None], readers: Sequence[asyncio.Task[bytes]]
) -> None:
    """Return when the program has ended; raise _TooMuch as soon as it prints too much."""
    waiting: set[asyncio.Task[None] | asyncio.Task[bytes]] = {ended, *readers}
    while not ended.done():
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


async def _last_words(readers: Sequence[asyncio.Task[bytes]]) -> list[bytes]:
    try:
        async with asyncio.timeout(_GRACE_S):
            return list(await asyncio.gather(*readers))
    except TimeoutError:
        raise WayFailed("something it started goes on") from None


async def _reaped(process: subprocess.Popen[bytes], ended: asyncio.Task[None]) -> None:
    await ended
    process.wait()  # it has ended: only its number is given back
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def _wait_for_end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a child without giving its number back, so that its group is no one else's yet."""
    if not hasattr(os, "waitid"):
        process.wait()  # macOS
        return
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


async def _open(stream: object) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_CHUNK)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_read_pipe(lambda: protocol, stream)
    return reader, transport


async def _read(stream: asyncio.StreamReader, most: int, longest: int) -> bytes:
    """Everything until the end of the stream. Raises _TooMuch, at once."""
    held = bytearray()
    line_from = 0
    while chunk := await stream.read(_CHUNK):
        held += chunk
        if len(held) > most:
            raise _TooMuch(f"more than {most} bytes")
        newline = held.rfind(b"\n", max(line_from, len(held) - len(chunk)))
        ended_at = newline + 1 if newline >= 0 else line_from
        first = held.find(b"\n", line_from)
        if (first if first >= 0 else len(held)) - line_from > longest:
            raise _TooMuch(f"a line of more than {longest} bytes")
        line_from = ended_at
    return bytes(held)


def _kill_all(pid: int, home: str) -> None:
    """End the process group of a child that is not reaped yet, and what left it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    mark = f"HOME={home}".encode()
    for _ in range(3):
        strays = [stray for stray in _with_environment(mark) if stray != pid]
        if not strays:
            return
        for stray in strays:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(stray, signal.SIGKILL)


def _with_environment(mark: bytes) -> list[int]:
    """The processes of this user whose environment holds this entry; none where there is no
    /proc."""
    found = []
    with suppress(OSError):
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            with suppress(OSError):
                environment = Path(entry.path, "environ").read_bytes()
                if mark in environment.split(b"\0"):
                    found.append(int(entry.name))
    return found
