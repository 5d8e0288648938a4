"""A program run within bounds."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from stories.helper.process import Bounds, Finished, run_bounded
from stories.ways import WayFailed

pytestmark = pytest.mark.anyio

SMALL = Bounds(seconds=10, line=1000, output=5000, log=2000)


async def run(folder: Path, code: str, bounds: Bounds = SMALL) -> Finished:
    command = [sys.executable, "-I", "-c", f"import os, sys, time\n{code}"]
    return await run_bounded(command, folder=folder, bounds=bounds)


def alive(pid_file: Path) -> bool:
    """Whether the process whose number is in a file runs on; a zombie does not.

    One that was killed is given a moment to be gone.
    """
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            status = Path("/proc", pid_file.read_text(), "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        if status.rpartition(")")[2].split()[0] in {"Z", "X"}:
            return False
        time.sleep(0.02)
    return True


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def fails(folder: Path, code: str, bounds: Bounds = SMALL) -> str:
    began = time.monotonic()
    with pytest.raises(WayFailed) as caught:
        await run(folder, code, bounds)
    assert time.monotonic() - began < 9
    return str(caught.value)


async def test_what_it_prints_comes_back(tmp_path: Path) -> None:
    done = await run(tmp_path, "print('a'); print(); print('b'); sys.stderr.write('c'); exit(4)")
    assert done == Finished(exit_code=4, lines=(b"a", b"b"), log=b"c")


async def test_its_environment_is_its_home_alone_and_it_has_no_input(tmp_path: Path) -> None:
    code = "print(sorted(os.environ), os.getcwd(), os.environ['HOME'], repr(sys.stdin.read()))"
    done = await run(tmp_path, code)
    told = done.lines[0].decode()
    assert "'HOME'" in told
    assert not any(word in told for word in ("PATH", "STORYKEEP", "VIRTUAL"))
    assert told.endswith(f"{tmp_path} {tmp_path} ''")


async def test_a_hang_ends_with_the_time(tmp_path: Path) -> None:
    words = await fails(tmp_path, "time.sleep(60)", Bounds(seconds=0.5))
    assert words == "still running after 0 seconds"


async def test_closed_streams_do_not_make_it_ended(tmp_path: Path) -> None:
    code = "os.close(1); os.close(2); time.sleep(60)"
    assert "still running" in await fails(tmp_path, code, Bounds(seconds=0.5))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("while True: sys.stdout.write('x' * 65536)", "more than"),
        ("sys.stdout.write('x' * 1001); sys.stdout.flush(); time.sleep(60)", "a line of more"),
        ("while True: print('x' * 100)", "more than"),
        ("while True: sys.stderr.write('x' * 100 + '\\n')", "more than"),
    ],
)
async def test_whoever_prints_too_much_is_ended_at_once(
    tmp_path: Path, code: str, words: str
) -> None:
    assert words in await fails(tmp_path, code)


async def test_a_gigabyte_of_one_line_is_never_held(tmp_path: Path) -> None:
    code = "block = 'x' * 2**20\nfor _ in range(1024): sys.stdout.write(block)"
    assert "a line of more than" in await fails(tmp_path, code, Bounds(seconds=8))


async def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    code = f"""
if os.fork() == 0:
    open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
    time.sleep(60)
while not os.path.exists({str(tmp_path / "pid")!r}): time.sleep(0.01)
time.sleep(0.05)
print("done")
"""
    done = await run(tmp_path, code)
    assert done.lines == (b"done",)
    assert not alive(tmp_path / "pid")


async def test_what_left_its_group_ends_with_it(tmp_path: Path) -> None:
    code = f"""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
        time.sleep(60)
    os._exit(0)
while not os.path.exists({str(tmp_path / "pid")!r}): time.sleep(0.01)
time.sleep(0.05)
print("done")
"""
    await run(tmp_path, code)
    assert not alive(tmp_path / "pid")


async def test_a_cancelled_look_up_leaves_nothing(tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    task = asyncio.create_task(run(tmp_path, code))
    await asyncio.sleep(1)
    assert alive(tmp_path / "pid")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(tmp_path / "pid")


async def test_a_program_that_is_not_there_is_a_way_that_failed(tmp_path: Path) -> None:
    with pytest.raises(WayFailed, match="cannot be started: FileNotFoundError"):
        await run_bounded([str(tmp_path / "nothing")], folder=tmp_path)
    (tmp_path / "text").write_text("no program")
    with pytest.raises(WayFailed, match="cannot be started: PermissionError"):
        await run_bounded([str(tmp_path / "text")], folder=tmp_path)


async def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    await run(tmp_path, "")
    before = open_descriptors()
    for _ in range(5):
        await run(tmp_path, "print('x')")
        with pytest.raises(WayFailed):
            await run(tmp_path, "print('x' * 10000)")
    assert open_descriptors() <= before


async def test_where_one_cannot_wait_without_reaping_it_ends_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "waitid")
    assert (await run(tmp_path, "print('a'); exit(3)")).exit_code == 3
    assert "still running" in await fails(tmp_path, "time.sleep(60)", Bounds(seconds=0.5))
