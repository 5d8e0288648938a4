"""A Chromium of this machine: looked for, started, ended."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stories.browser.cdp import BrowserGone, Connection
from stories.browser.chromium import Chromium, brand_of, find_chromium
from stories.browser.pipe import PipeChannel
from stories.ways import WayFailed

pytestmark = pytest.mark.anyio


def program(path: Path, text: str) -> str:
    """An executable written in Python."""
    path.write_text(f"#!{sys.executable} -IS\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_first_name_on_the_path_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_chromium() is None
    shell = program(tmp_path / "chromium-headless-shell", "")
    assert find_chromium() == shell
    chrome = program(tmp_path / "google-chrome", "")
    assert find_chromium() == chrome
    chromium = program(tmp_path / "chromium", "")
    assert find_chromium() == chromium


def test_a_browser_is_called_what_it_is_sold_under() -> None:
    assert brand_of("/usr/bin/google-chrome-stable") == "Google Chrome"
    assert brand_of("/usr/bin/chromium") == ""


ECHO = """
import json, os, sys
print("words", file=sys.stderr, flush=True)
child = os.fork()
if child == 0:
    import time
    time.sleep(60)
read = b""
while chunk := os.read(3, 65536):
    read += chunk
    while b"\\0" in read:
        message, _, read = read.partition(b"\\0")
        number = json.loads(message)["id"]
        facts = {"arguments": sys.argv[1:], "environment": dict(os.environ), "child": child,
                 "folder": os.getcwd(), "open": sorted(map(int, os.listdir("/proc/self/fd")))}
        os.write(4, json.dumps({"id": number, "result": facts}).encode() + b"\\0")
"""


async def test_it_is_started_with_a_pipe_a_folder_and_nothing_else_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORYKEEP_SECRET_KEY", "secret")
    executable = program(tmp_path / "chromium", ECHO)
    prepared: list[Path] = []
    chromium = await Chromium.start(
        executable, prepare=prepared.append, parent=tmp_path, flags=["--further"]
    )
    connection = Connection(chromium.channel)
    facts = await connection.send("Browser.getVersion")
    home = str(prepared[0])
    assert facts["folder"] == home
    assert facts["environment"]["HOME"] == home
    assert not [name for name in facts["environment"] if name.startswith("STORYKEEP")]
    assert set(facts["open"]) - {0, 1, 2, 3, 4} <= {5}, "5: the listing itself"
    arguments = facts["arguments"]
    assert "--remote-debugging-pipe" in arguments
    assert not [text for text in arguments if text.startswith("--remote-debugging-port")]
    assert "--proxy-bypass-list=<-loopback>" in arguments
    assert "--further" in arguments
    assert ("--no-sandbox" in arguments) == (os.geteuid() == 0)
    await connection.aclose()
    await chromium.aclose()
    assert home.removeprefix(f"{tmp_path}/") not in os.listdir(tmp_path)  # noqa: PTH208
    for pid in (chromium.pid, facts["child"]):
        assert await ended(pid)


def state(pid: int) -> str:
    """The state of a process, "Z" for one that has ended and for none at all."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


async def ended(pid: int) -> bool:
    """Whether a process has ended within a few seconds, fetched or not."""
    for _ in range(200):
        if state(pid) == "Z":
            return True
        await asyncio.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("No usable sandbox! Update your kernel", "the browser finds no sandbox here"),
        ("x: error while loading shared libraries: libnss3.so", "the browser lacks a library"),
        ("anything", "the browser did not start"),
    ],
)
async def test_one_that_ends_at_once_says_why(tmp_path: Path, words: str, reason: str) -> None:
    executable = program(
        tmp_path / "chromium", f"import sys; print('x' * 100_000, {words!r}, file=sys.stderr)"
    )
    chromium = await Chromium.start(executable, parent=tmp_path)
    connection = Connection(chromium.channel)
    with pytest.raises(BrowserGone):
        await connection.send("Browser.getVersion")
    await chromium._drain
    assert chromium.trouble() == reason
    assert len(chromium._tail) <= 4096
    await connection.aclose()
    await chromium.aclose()


async def test_what_goes_wrong_before_leaves_no_folder(tmp_path: Path) -> None:
    def fail(home: Path) -> None:
        raise WayFailed("no authority")

    with pytest.raises(WayFailed, match="no authority"):
        await Chromium.start("/bin/true", prepare=fail, parent=tmp_path)
    assert os.listdir(tmp_path) == []  # noqa: PTH208


async def test_without_a_place_for_its_folder_it_is_not_started(tmp_path: Path) -> None:
    with pytest.raises(WayFailed, match="no folder"):
        await Chromium.start("/bin/true", parent=tmp_path / "missing")


async def test_it_can_be_ended_while_it_ends(tmp_path: Path) -> None:
    chromium = await Chromium.start(program(tmp_path / "chromium", ECHO), parent=tmp_path)
    chromium.kill()
    chromium.kill()
    await chromium.aclose()


async def test_a_start_that_is_cancelled_while_its_folder_is_made_leaves_none(
    tmp_path: Path,
) -> None:
    """The thread that makes it goes on, whoever waits for it."""
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def prepare(home: Path) -> None:
        loop.call_soon_threadsafe(begun.set)
        time.sleep(0.2)
        (home / "profile").mkdir()

    start = asyncio.create_task(
        Chromium.start("/bin/true", prepare=prepare, parent=tmp_path), name="start"
    )
    await begun.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert os.listdir(tmp_path) == []  # noqa: PTH208


async def test_an_end_that_is_cancelled_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folders"
    folder.mkdir()
    chromium = await Chromium.start(program(tmp_path / "chromium", ECHO), parent=folder)

    async def wait() -> int:
        await asyncio.sleep(60)
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(chromium._process, "wait", wait)
        end = asyncio.create_task(chromium.aclose())
        await asyncio.sleep(0.1)
        end.cancel()
        with pytest.raises(asyncio.CancelledError):
            await end
    assert os.listdir(folder) == []  # noqa: PTH208
    await chromium._process.wait()


async def test_a_pipe_that_cannot_be_opened_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []
    spawn = asyncio.create_subprocess_exec

    async def noted(*command: Any, **options: Any) -> Any:
        process = await spawn(*command, **options)
        pids.append(process.pid)
        return process

    async def fail(*_: Any) -> None:
        raise OSError("no more descriptors")

    folder = tmp_path / "folders"
    folder.mkdir()
    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    monkeypatch.setattr(PipeChannel, "open", fail)
    with pytest.raises(WayFailed, match="cannot be started"):
        await Chromium.start(program(tmp_path / "chromium", ECHO), parent=folder)
    assert os.listdir(folder) == []  # noqa: PTH208
    assert [state(pid) for pid in pids] == ["Z"]
