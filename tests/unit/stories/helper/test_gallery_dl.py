"""gallery-dl's run, with programs in its place that do what they should not."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from stories.helper import gallery_dl
from stories.helper.endings import Ending
from stories.helper.gallery_dl import GalleryDl, HelperRun, installed_command
from stories.helper.process import Bounds
from stories.ways import WayBusy, WayFailed
from tests.unit.stories.helper.scripted import NoProxy, write_script

pytestmark = pytest.mark.anyio

URL = "https://www.tiktok.com/@some.name/stories"
Make = Callable[..., GalleryDl]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """`make(lines of Python)`: a GalleryDl that runs them."""

    def made(text: str, *, seconds: float = 20, ca_file: str | None = None) -> GalleryDl:
        return GalleryDl(
            write_script(tmp_path, text),
            guard=NoProxy(),
            user_agent="Agent/1",
            ca_file=ca_file,
            folder=tmp_path / "runs",
            bounds=Bounds(seconds=seconds),
        )

    return made


def left(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "runs").iterdir())


def of_home(folder: Path) -> list[str]:
    """The processes whose home lies in a folder."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"HOME={folder}".encode() in environment.read_bytes():
                found.append(environment.parent.name)
    return found


async def run(helper: GalleryDl) -> HelperRun:
    return await helper.run(URL)


async def fails(helper: GalleryDl) -> str:
    with pytest.raises(WayFailed) as caught:
        await helper.run(URL)
    return str(caught.value)


# --- what it is told ------------------------------------------------------------------------------


async def test_it_is_told_everything_in_a_file_of_its_own(make: Make, tmp_path: Path) -> None:
    done = await run(
        make("""
    options = sys.argv[sys.argv.index("--config-json") + 1]
    print(json.dumps({"argv": sys.argv[1:], "told": json.load(open(options)),
        "mode": oct(os.stat(os.path.dirname(options)).st_mode), "env": sorted(os.environ)}))
    """)
    )
    said = json.loads(done.lines[0])
    assert said["argv"] == ["--config-ignore", "--config-json", said["argv"][2], "--no-input", URL]
    assert {"HOME", "TMPDIR"} <= set(said["env"]) <= {"HOME", "TMPDIR", "LC_CTYPE"}
    assert said["mode"] == "0o40700"
    extractor = said["told"]["extractor"]
    assert extractor["proxy"] == "http://127.0.0.1:9"
    assert extractor["proxy-env"] is False
    assert extractor["download"] is False
    assert extractor["retries"] == 0
    assert extractor["verify"] is True
    assert extractor["user-agent"] == "Agent/1"
    assert said["told"]["cache"] == {"file": None}
    assert left(tmp_path) == []


async def test_an_extra_authority_comes_with_the_public_ones(make: Make, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nextra\n")
    done = await run(
        make(
            """
    told = json.load(open(sys.argv[3]))
    text = open(told["extractor"]["verify"]).read()
    print(json.dumps([text.count("BEGIN CERTIFICATE") > 50, "extra" in text]))
    """,
            ca_file=str(tmp_path / "ca.pem"),
        )
    )
    assert json.loads(done.lines[0]) == [True, True]
    gone = make("print(1)", ca_file=str(tmp_path / "nothing.pem"))
    assert await fails(gone) == "its folder: FileNotFoundError"


async def test_nothing_is_started_while_it_is_not_installed(tmp_path: Path) -> None:
    guard = NoProxy()
    helper = GalleryDl(installed_command(tmp_path), guard=guard, user_agent="x", folder=tmp_path)
    readiness = await helper.ready()
    assert (readiness.ok, readiness.reason) == (False, "not installed")
    assert await fails(helper) == "not installed"
    assert guard.started == 0


async def test_a_guard_that_cannot_listen_is_a_way_that_failed(make: Make) -> None:
    helper = make("print(1)")

    async def start() -> None:
        raise OSError("no port is free")

    helper._guard.start = start  # type: ignore[method-assign]
    assert await fails(helper) == "the guard cannot listen: OSError"


async def test_one_runs_at_a_time(make: Make) -> None:
    helper = make("print(json.dumps([time.time(), time.sleep(0.3) or time.time()]))")
    runs = await asyncio.gather(*(run(helper) for _ in range(3)))
    spans = sorted(json.loads(done.lines[0]) for done in runs)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


async def test_whoever_waits_too_long_for_a_turn_does_not_ask_by_this_way(make: Make) -> None:
    helper = make("time.sleep(60)")
    helper._wait_s = 0.5
    first = asyncio.create_task(run(helper))
    await asyncio.sleep(0.1)
    with pytest.raises(WayBusy):
        await run(helper)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    helper._command = lambda: [sys.executable, "-c", "print('{}')"]
    assert (await run(helper)).lines == (b"{}",)


# --- programs that lie ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("while True: sys.stdout.write('x' * 2**20)", "prints too much"),
        ("while True: print(json.dumps({'id': 'x' * 1000}))", "prints too much"),
        ("while True: sys.stderr.write('error|x|y\\n' * 1000)", "prints too much"),
        ("os.close(1); os.close(2); time.sleep(60)", "still running"),
        ("time.sleep(60)", "still running"),
        ("import signal; signal.signal(15, signal.SIG_IGN); time.sleep(60)", "still running"),
    ],
)
async def test_a_program_out_of_bounds_is_a_way_that_failed(
    make: Make, tmp_path: Path, text: str, words: str
) -> None:
    began = time.monotonic()
    assert words in await fails(make(text, seconds=4))
    assert time.monotonic() - began < 9
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        "os.kill(os.getpid(), 9)",
        "sys.exit(3)",
        "raise SystemError",
        "print('No stories today, sorry!', file=sys.stderr); sys.exit(1)",
        "print('error|tiktok|It is all lost', file=sys.stderr)",
    ],
)
async def test_a_program_that_breaks_says_nothing_about_anybody(make: Make, text: str) -> None:
    assert (await run(make(text))).reading.ending is Ending.BROKEN


async def test_its_children_end_with_it(make: Make, tmp_path: Path) -> None:
    """Whether they were let begin, or leave its group, or not."""
    await run(
        make("""
    try:
        if os.fork() == 0:
            try: os.setsid()
            except OSError: pass
            time.sleep(90)
            os._exit(0)
    except OSError: pass
    print("{}")
    """)
    )
    assert not of_home(tmp_path / "runs")


async def test_whatever_it_leaves_is_removed(make: Make, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("mine")
    await run(
        make(
            """
    os.makedirs("a/" * 200)
    os.symlink({kept!r}, "link")
    os.mkfifo("pipe")
    os.mkdir("locked", 0)
    for number in range(500): open(f"file{number}", "w").close()
    """.replace("{kept!r}", repr(str(kept)))
        )
    )
    assert left(tmp_path) == []
    assert (kept / "file").read_text() == "mine"


# --- what it leaves -------------------------------------------------------------------------------

COOKIE = ".tiktok.com\\tTRUE\\t/\\tTRUE\\t0\\ttt_chain_token\\tabc\\n"


async def cookie_names(helper: GalleryDl) -> list[str]:
    return [cookie.name for cookie in (await run(helper)).cookies]


async def test_cookies_are_taken_from_its_file(make: Make) -> None:
    assert await cookie_names(make(f"open('cookies.txt', 'w').write('{COOKIE}')")) == [
        "tt_chain_token"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "os.symlink({other!r}, 'cookies.txt')",
        "os.mkfifo('cookies.txt')",
        "os.mkdir('cookies.txt')",
        "f = open('cookies.txt', 'w'); f.write('{cookie}'); f.truncate(15 * 2**20)",
        "f = open('cookies.txt', 'w'); f.truncate(2**30); f.write('{cookie}')",
        "open('cookies.txt', 'wb').write(bytes(range(256)) * 100)",
    ],
    ids=["link", "pipe", "folder", "15 MB", "1 GB", "noise"],
)
async def test_a_file_of_cookies_that_is_none_is_not_read(
    make: Make, tmp_path: Path, text: str
) -> None:
    other = tmp_path / "other.txt"
    other.write_text(COOKIE.encode().decode("unicode_escape"))
    text = text.replace("{other!r}", repr(str(other))).replace("{cookie}", COOKIE)
    assert await cookie_names(make(text)) == []


async def test_answers_come_in_their_order_and_of_the_site_alone(make: Make) -> None:
    done = await run(
        make("""
    def write(name, body):
        head = "GET x\\nStatus: 200 OK\\n\\nResponse Headers\\n----------------\\nA: b\\n"
        open(name, "w").write(head + "\\nContent\\n-------\\n" + body)
    for number in (100, 2, 10, 1):
        write(f"{number:02}_https_www.tiktok.com_@some.name.txt", str(number))
    write("03_https_example.com_x.txt", "3")
    os.symlink("01_https_www.tiktok.com_@some.name.txt", "04_https_www.tiktok.com_x.txt")
    open("05_https_www.tiktok.com_x.txt", "w").write("prose")
    """)
    )
    assert [answer.body for answer in done.answers] == [b"1", b"2", b"10", b"100"]


async def test_more_answers_than_a_run_has_are_left(make: Make) -> None:
    done = await run(
        make("""
    for number in range(1, 500):
        open(f"{number:02}_https_www.tiktok.com_x.txt", "w").write(
            "Status: 200 OK\\nContent\\n-------\\n")
    """)
    )
    assert len(done.answers) == gallery_dl.MAX_ANSWERS


# --- leftovers ------------------------------------------------------------------------------------


async def test_what_a_killed_worker_left_is_removed_when_it_is_old(
    make: Make, tmp_path: Path
) -> None:
    old, young, other = (tmp_path / "runs" / name for name in ("run-old", "run-young", "kept"))
    for path in (old, young, other):
        path.mkdir(parents=True)
        os.utime(path, (0, 0) if path is not young else None)
    await run(make("print('{}')"))
    assert left(tmp_path) == ["kept", "run-young"]


async def test_a_folder_that_cannot_be_made_is_a_way_that_failed(
    make: Make, tmp_path: Path
) -> None:
    (tmp_path / "runs").write_text("in the way")
    assert await fails(make("print(1)")) == "has no folder to work in: FileExistsError"


async def test_a_cancelled_run_leaves_nothing_and_the_next_one_goes_on(
    make: Make, tmp_path: Path
) -> None:
    helper = make("time.sleep(60)")
    task = asyncio.create_task(run(helper))
    await asyncio.sleep(1)
    assert len(left(tmp_path)) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left(tmp_path) == []
    helper._command = lambda: [sys.executable, "-c", "print('{}')"]
    assert (await run(helper)).lines == (b"{}",)
