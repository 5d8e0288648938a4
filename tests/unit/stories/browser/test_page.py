"""One page of a browser: what it is told at first, and what it may not do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from stories.browser.agent import agent_of
from stories.browser.cdp import BrowserGone, Connection
from stories.browser.page import BrowserPage
from stories.ways import WayFailed
from tests.unit.stories.browser.scripted import GETS_NO_ANSWER, Loads, ScriptedPage

pytestmark = pytest.mark.anyio

URL = "https://www.tiktok.com/@a"


@dataclass
class Opened:
    """A page, and the browser behind it."""

    browser: ScriptedPage
    connection: Connection
    page: BrowserPage

    async def heard(self) -> None:
        """Everything that the browser said so far has been taken in, and answered."""
        await self.connection.send("Test.done")
        await asyncio.sleep(0.01)


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    browser = ScriptedPage()
    connection = Connection(browser)
    agent = agent_of("Mozilla/5.0 HeadlessChrome/156.0.0.0", "HeadlessChrome/156.0.1.2")
    page = BrowserPage(
        connection, agent, allowed=lambda host: host == "www.tiktok.com", max_body=1000
    )
    await page.open("http://127.0.0.1:9999")
    yield Opened(browser, connection, page)
    await connection.aclose()


async def test_the_rules_stand_before_anything_is_loaded(opened: Opened) -> None:
    browser = opened.browser
    assert browser.commands("Target.createBrowserContext") == [
        {
            "disposeOnDetach": True,
            "proxyServer": "http://127.0.0.1:9999",
            "proxyBypassList": "<-loopback>",
        }
    ]
    assert browser.commands("Browser.setDownloadBehavior") == [
        {"behavior": "deny", "browserContextId": "context"}
    ]
    told = {command["method"] for command in browser.sent if command.get("sessionId") == "page"}
    assert told >= {
        "Emulation.setUserAgentOverride",
        "Fetch.enable",
        "Network.enable",
        "Network.setBypassServiceWorker",
        "Target.setAutoAttach",
    }
    assert "Page.navigate" not in told
    assert not told & {"Runtime.enable", "Page.addScriptToEvaluateOnNewDocument"}
    assert browser.commands("Network.enable")[0]["maxResourceBufferSize"] == 1000
    assert "Headless" not in str(browser.commands("Emulation.setUserAgentOverride"))


@pytest.mark.parametrize(
    ("url", "kind", "goes"),
    [
        (URL, "Document", True),
        (URL, "Script", True),
        (URL, "Image", False),
        (URL, "Media", False),
        (URL, "Font", False),
        ("https://evil.example/", "Document", False),
        ("https://evil.example/", "XHR", False),
        ("http://www.tiktok.com/", "Fetch", False),
        ("file:///etc/passwd", "Document", False),
        ("data:text/html,x", "Document", True),
    ],
)
async def test_what_goes_through(opened: Opened, url: str, kind: str, goes: bool) -> None:
    opened.browser.event(
        "Fetch.requestPaused", "page", requestId="f1", resourceType=kind, request={"url": url}
    )
    await opened.heard()
    failed, went = (opened.browser.commands(f"Fetch.{n}Request") for n in ("fail", "continue"))
    assert [command["requestId"] for command in went] == (["f1"] if goes else [])
    assert [command["errorReason"] for command in failed] == ([] if goes else ["BlockedByClient"])


async def test_frames_and_workers_have_the_same_rules_before_they_run(opened: Opened) -> None:
    opened.browser.event("Target.attachedToTarget", "page", sessionId="child")
    await opened.heard()
    told = [c["method"] for c in opened.browser.sent if c.get("sessionId") == "child"]
    assert "Fetch.enable" in told
    assert "Emulation.setUserAgentOverride" in told
    assert told[-1] == "Runtime.runIfWaitingForDebugger"
    opened.browser.event(
        "Fetch.requestPaused",
        "child",
        requestId="f1",
        resourceType="XHR",
        request={"url": "https://evil.example"},
    )
    await opened.heard()
    stopped = [c for c in opened.browser.sent if c["method"] == "Fetch.failRequest"]
    assert [command["sessionId"] for command in stopped] == ["child"]


async def test_a_session_that_is_not_ours_is_left_alone(opened: Opened) -> None:
    opened.browser.event(
        "Fetch.requestPaused", "other", requestId="f1", request={"url": "https://evil.example"}
    )
    await opened.heard()
    assert not opened.browser.commands("Fetch.failRequest")


async def test_windows_of_our_context_are_closed_and_others_stay(opened: Opened) -> None:
    for target, context, kind in (
        ("popup", "context", "page"),
        ("target", "context", "page"),
        ("worker", "context", "worker"),
        ("others", "another", "page"),
    ):
        opened.browser.event(
            "Target.targetCreated",
            targetInfo={"targetId": target, "browserContextId": context, "type": kind},
        )
    opened.browser.event("Target.targetCreated")
    await opened.heard()
    assert opened.browser.commands("Target.closeTarget") == [{"targetId": "popup"}]


async def test_shared_workers_of_our_context_have_the_rules_and_others_just_go_on(
    opened: Opened,
) -> None:
    for session, context in (("mine", "context"), ("others", "another")):
        target = {"targetId": "w", "browserContextId": context, "type": "shared_worker"}
        opened.browser.event("Target.attachedToTarget", sessionId=session, targetInfo=target)
    await opened.heard()
    told = {
        session: [c["method"] for c in opened.browser.sent if c.get("sessionId") == session]
        for session in ("mine", "others")
    }
    assert "Emulation.setUserAgentOverride" in told["mine"]
    assert told["mine"][-1] == "Runtime.runIfWaitingForDebugger"
    assert told["others"] == ["Runtime.runIfWaitingForDebugger"]


async def test_questions_of_a_page_are_answered_with_no(opened: Opened) -> None:
    opened.browser.event("Page.javascriptDialogOpening", "page", message="Sure?")
    await opened.heard()
    assert opened.browser.commands("Page.handleJavaScriptDialog") == [{"accept": False}]


async def test_a_body_beyond_the_limit_is_stopped_and_not_asked_for(opened: Opened) -> None:
    opened.browser.pages[URL] = Loads(bodies=(bytes(1001),))
    await opened.page.navigate(URL, None)
    await opened.heard()
    document = opened.page.traffic.document
    assert document is not None
    assert document.too_large
    assert opened.browser.commands("Page.stopLoading") == [{}]
    assert not opened.browser.commands("Network.getResponseBody")


async def test_a_body_that_grows_on_its_way_is_too_large(opened: Opened) -> None:
    opened.browser.replies["Network.getResponseBody"] = {"body": "x" * 1001}
    opened.browser.pages[URL] = Loads(bodies=(b"small",))
    await opened.page.navigate(URL, None)
    await opened.heard()
    document = opened.page.traffic.document
    assert document is not None
    assert document.too_large


@pytest.mark.parametrize("body", [{"body": "!", "base64Encoded": True}, {"error": "gone"}, {}])
async def test_a_body_that_cannot_be_had_is_lost_and_no_error(
    opened: Opened, body: dict[str, str]
) -> None:
    opened.browser.replies["Network.getResponseBody"] = body
    opened.browser.pages[URL] = Loads(bodies=(b"text",))
    await opened.page.navigate(URL, None)
    await opened.heard()
    document = opened.page.traffic.document
    assert document is not None
    assert document.done
    assert not document.body


async def test_text_that_is_half_a_sign_is_read(opened: Opened) -> None:
    opened.browser.replies["Network.getResponseBody"] = {"body": "caf\u00e9 \ud800"}
    opened.browser.pages[URL] = Loads(bodies=(b"text",))
    await opened.page.navigate(URL, None)
    await opened.heard()
    document = opened.page.traffic.document
    assert document is not None
    assert document.body == "caf\u00e9 ?".encode()


async def test_waiting_ends_when_the_page_crashes(opened: Opened) -> None:
    waiting = asyncio.create_task(opened.page.until(lambda: False, 60))
    await asyncio.sleep(0)
    opened.browser.event("Inspector.targetCrashed", "page")
    with pytest.raises(WayFailed, match="crashed"):
        await waiting


async def test_waiting_ends_when_the_browser_does(opened: Opened) -> None:
    waiting = asyncio.create_task(opened.page.until(lambda: False, None))
    await asyncio.sleep(0)
    opened.browser.die()
    with pytest.raises(BrowserGone):
        await waiting
    assert not await opened.page.close()


async def test_waiting_has_an_end(opened: Opened) -> None:
    assert not await opened.page.until(lambda: False, 0.01)
    assert await opened.page.until(lambda: True, 0.01)


async def test_closing_it_disposes_of_all_that_is_in_it(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await opened.page.close()
    assert opened.browser.commands("Target.disposeBrowserContext") == [
        {"browserContextId": "context"}
    ]
    monkeypatch.setattr("stories.browser.page.CLOSE_S", 0.01)
    opened.browser.replies["Target.disposeBrowserContext"] = GETS_NO_ANSWER
    assert not await opened.page.close()
