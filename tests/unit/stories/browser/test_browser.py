"""The browser of a worker: whether it can be used, how often, how long, and how it ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stories.browser import browser as browsers
from stories.browser.browser import Browser
from stories.browser.chromium import Chromium
from stories.ways import WayDeclined, WayFailed
from tests.browser_state import is_running
from tests.unit.stories.browser.scripted import GETS_NO_ANSWER, ScriptedPage

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[4]


class Guard:
    """A guard that counts its starts."""

    url = "http://127.0.0.1:9999"

    def __init__(self, error: Exception | None = None) -> None:
        self.starts, self.error = 0, error

    async def start(self) -> None:
        self.starts += 1
        if self.error is not None:
            raise self.error


class FakeChromium:
    """A Chromium whose DevTools are scripted."""

    def __init__(self, channel: ScriptedPage) -> None:
        self.channel, self.kills, self.closed = channel, 0, False
        self.flags: tuple[str, ...] = ()

    def kill(self) -> None:
        self.kills += 1
        self.channel.die()

    def trouble(self) -> str:
        return "the browser did not start"

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[FakeChromium]:
    """Every Chromium started so far; `script` of the module says what the next one answers."""
    made: list[FakeChromium] = []

    async def start(executable: str, **options: Any) -> FakeChromium:
        made.append(FakeChromium(script()))
        made[-1].flags = tuple(options["flags"])
        return made[-1]

    monkeypatch.setattr(Chromium, "start", start)
    monkeypatch.setattr(browsers, "find_chromium", lambda: "/usr/bin/chromium")
    return made


script: Callable[[], ScriptedPage] = ScriptedPage


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what a browser answers."""

    def answer(**replies: Any) -> None:
        monkeypatch.setitem(globals(), "script", lambda: ScriptedPage(**replies))

    return answer


async def test_off_is_off() -> None:
    browser = Browser("off", guard=Guard())
    assert (await browser.ready()).reason == "off"
    with pytest.raises(WayFailed, match="off"):
        async with browser.visit():
            pass


async def test_without_a_chromium_it_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    browser = Browser("local", guard=Guard())
    assert not (await browser.ready()).ok
    with pytest.raises(WayFailed, match="no Chromium on the PATH"):
        async with browser.visit():
            pass


async def test_it_is_started_by_the_first_visit_and_kept_for_the_next(
    started: list[FakeChromium],
) -> None:
    guard = Guard()
    browser = Browser("local", guard=guard)
    assert (await browser.ready()).ok
    assert (started, guard.starts) == ([], 0), "being ready costs nothing"
    for _ in range(2):
        async with browser.visit() as visit:
            assert visit.identity.name == "browser"
    assert len(started) == 1
    contexts = started[0].channel.commands("Target.createBrowserContext")
    assert [context["proxyServer"] for context in contexts] == [guard.url] * 2
    assert len(started[0].channel.commands("Target.disposeBrowserContext")) == 2
    await browser.aclose()
    assert started[0].closed
    assert not is_running(browser)


async def test_a_headless_browser_is_told_its_agent_when_it_starts(
    started: list[FakeChromium], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = ["HeadlessChrome/156.0.0.0", "Chrome/156.0.0.0"]

    def page() -> ScriptedPage:
        said = {"product": "Chrome/156.0.1.2", "userAgent": f"Mozilla/5.0 {versions.pop(0)}"}
        return ScriptedPage(Browser_getVersion=said)

    monkeypatch.setitem(globals(), "script", page)
    browser = Browser("local", guard=Guard(), flags=("--further",))
    async with browser.visit() as visit:
        assert visit.identity.user_agent == "Mozilla/5.0 Chrome/156.0.0.0"
    assert [chromium.flags for chromium in started] == [
        ("--further",),
        ("--user-agent=Mozilla/5.0 Chrome/156.0.0.0", "--further"),
    ]
    assert [chromium.closed for chromium in started] == [True, False]
    await browser._end()
    versions += ["Chrome/156.0.0.0"]
    async with browser.visit():
        assert len(started) == 3, "it is remembered"
    await browser.aclose()


async def test_it_ends_when_nobody_needs_it(started: list[FakeChromium]) -> None:
    browser = Browser("local", guard=Guard(), idle_s=0.05)
    async with browser.visit():
        await asyncio.sleep(0.1)
        running = is_running(browser)
        assert running, "a visit is not idle"
    async with browser.visit():
        pass
    await asyncio.sleep(0.15)
    running = is_running(browser)
    assert not running
    assert [chromium.closed for chromium in started] == [True]
    async with browser.visit():
        assert len(started) == 2
    await browser.aclose()


async def test_one_visit_at_a_time(started: list[FakeChromium]) -> None:
    browser = Browser("local", guard=Guard(), queue_s=0.05)
    async with browser.visit():
        with pytest.raises(WayFailed, match="busy"):
            async with browser.visit():
                pass
    async with browser.visit():
        pass
    await browser.aclose()


async def test_the_hours_budget_is_kept_and_told(started: list[FakeChromium]) -> None:
    browser = Browser("local", guard=Guard(), per_hour=2)
    for _ in range(2):
        assert (await browser.ready()).ok
        async with browser.visit():
            pass
    ready = await browser.ready()
    assert (ready.ok, ready.reason) == (False, "this hour's look-ups are used up")
    assert ready.wait_s is not None
    assert 3500 < ready.wait_s <= 3600
    assert ready.is_spent
    with pytest.raises(WayFailed, match="used up"):
        async with browser.visit():
            pass
    await browser.aclose()


async def test_a_shared_budget_is_asked_once_for_each_visit(started: list[FakeChromium]) -> None:
    answers = [True, False]

    async def take() -> bool:
        return answers.pop(0)

    browser = Browser("local", guard=Guard(), take=take, per_hour=0)
    async with browser.visit():
        pass
    with pytest.raises(WayFailed, match="used up"):
        async with browser.visit():
            pass
    assert answers == []
    ready = await browser.ready()
    assert ready.is_spent
    assert (ready.ok, ready.reason) == (False, "this hour's look-ups are used up")
    await browser.aclose()


async def test_a_visit_that_takes_too_long_is_ended_with_its_browser(
    started: list[FakeChromium],
) -> None:
    browser = Browser("local", guard=Guard(), visit_s=0.1)
    async with browser.visit() as visit:
        await asyncio.sleep(0.2)
        with pytest.raises(WayFailed, match=r"took more than 0\.1 s"):
            await visit.handle_async_request(None)  # type: ignore[arg-type]
    assert started[0].kills
    assert started[0].closed
    async with browser.visit() as visit:
        assert visit.trouble == ""
    assert len(started) == 2
    await browser.aclose()


async def test_a_browser_that_dies_between_visits_is_started_anew(
    started: list[FakeChromium],
) -> None:
    browser = Browser("local", guard=Guard())
    async with browser.visit():
        pass
    started[0].channel.die()
    await asyncio.sleep(0)
    async with browser.visit():
        pass
    assert len(started) == 2
    assert started[0].closed
    await browser.aclose()


async def test_a_browser_that_dies_in_a_visit_is_not_used_again(
    started: list[FakeChromium],
) -> None:
    browser = Browser("local", guard=Guard())
    async with browser.visit():
        started[0].channel.die()
        await asyncio.sleep(0)
    assert not is_running(browser)
    assert started[0].closed


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        ({"Browser_getVersion": {"error": "no"}}, "the browser did not start"),
        ({"Browser_getVersion": {"product": "Firefox/140"}}, "the browser is no Chromium"),
        ({"Browser_getVersion": GETS_NO_ANSWER}, "the browser did not start in time"),
        ({"Target_createTarget": {"error": "no"}}, "Target.createTarget: no"),
    ],
)
async def test_one_that_does_not_start_is_left_alone_for_a_while(
    started: list[FakeChromium],
    scripts: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    replies: dict[str, Any],
    reason: str,
) -> None:
    monkeypatch.setattr(browsers, "START_S", 0.1)
    scripts(**replies)
    browser = Browser("local", guard=Guard())
    with pytest.raises(WayFailed, match=reason):
        async with browser.visit():
            pass
    assert started[0].closed
    ready = await browser.ready()
    assert (ready.ok, ready.reason) == (False, reason)
    assert ready.wait_s is not None
    assert 50 < ready.wait_s <= 60
    monkeypatch.setattr(browsers, "REST_S", 0.0)
    with pytest.raises(WayFailed):
        async with browser.visit():
            pass
    assert (await browser.ready()).ok


async def test_a_guard_that_cannot_listen_is_a_failure(started: list[FakeChromium]) -> None:
    browser = Browser("local", guard=Guard(OSError("no port")))
    with pytest.raises(WayFailed, match="guard"):
        async with browser.visit():
            pass
    assert started == []


async def test_a_cancelled_start_leaves_nothing(
    started: list[FakeChromium], scripts: Callable[..., None]
) -> None:
    scripts(Browser_getVersion=GETS_NO_ANSWER)
    browser = Browser("local", guard=Guard())

    async def visit() -> None:
        async with browser.visit():
            pass

    task = asyncio.create_task(visit())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert started[0].closed
    assert not is_running(browser)
    assert (await browser.ready()).ok, "it is not the browser's fault"


async def test_closing_ends_a_visit_that_still_runs(started: list[FakeChromium]) -> None:
    browser = Browser("local", guard=Guard())
    async with browser.visit() as visit:
        await browser.aclose()
        assert started[0].closed
        assert not await visit.close()
    await browser.aclose()


async def test_who_waits_for_a_browser_that_is_closed_starts_none(
    started: list[FakeChromium],
) -> None:
    """Else a worker that ends would leave one behind, with its folder."""
    browser = Browser("local", guard=Guard())

    async def visit() -> None:
        async with browser.visit():
            raise AssertionError("begun")

    async with browser.visit():
        waits = asyncio.create_task(visit())
        await asyncio.sleep(0)
        await browser.aclose()
    with pytest.raises(WayDeclined):
        await waits
    assert len(started) == 1


async def test_a_sidecar_that_nobody_runs_is_left_alone_for_a_while() -> None:
    browser = Browser("http://127.0.0.1:1", guard=Guard())
    assert (await browser.ready()).ok, "it is found out by the first look-up"
    with pytest.raises(WayFailed, match="no browser answers there"):
        async with browser.visit():
            pass
    assert (await browser.ready()).reason.startswith("no browser answers there")


def test_what_is_not_used_is_not_loaded() -> None:
    """A WebSocket costs 3 MiB, and no one needs it for a browser of this machine."""
    loads = "import sys, stories.browser.browser; print('websockets' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
    loads = "import sys, stories.client; print([m for m in sys.modules if 'browser' in m])"
    done = subprocess.run(
        [sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "stories.browser" not in done.stdout
