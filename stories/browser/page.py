"""One page in a browser context of its own: what it loads, what it may not, what it asked for."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable
from typing import Any, Final

from stories.browser.agent import Agent
from stories.browser.cdp import BrowserGone, CommandFailed, Connection, Json
from stories.browser.traffic import Exchange, Traffic
from stories.ways import WayFailed

logger = logging.getLogger(__name__)

CLOSE_S: Final = 2.0

_NOT_LOADED: Final = frozenset({"Image", "Media", "Font"})


class BrowserPage:
    """A page, alone in a browser context, and everything that belongs to it.

    allowed: whether a host may be asked at all. max_body: bytes of one body that are read. traffic:
    its requests and what came of them.
    """

    def __init__(
        self,
        connection: Connection,
        agent: Agent,
        *,
        allowed: Callable[[str], bool],
        max_body: int,
    ) -> None:
        self._connection, self._agent = connection, agent
        self._max_body = max_body
        self.traffic = Traffic(allowed=allowed, max_body=max_body)
        self.context = ""
        self._target, self._session, self._frame = "", "", ""
        self._sessions: set[str] = set()
        self._trouble = ""
        self._stir = asyncio.Event()
        self._reads: set[asyncio.Task[None]] = set()
        self._handlers: dict[str, Callable[[Json, str], None]] = {
            "Fetch.requestPaused": self._on_paused,
            "Network.requestWillBeSent": self._on_request,
            "Network.responseReceived": self._on_response,
            "Network.dataReceived": self._on_data,
            "Network.loadingFinished": self._on_finished,
            "Network.loadingFailed": self._on_failed,
            "Page.loadEventFired": self._on_load,
            "Page.javascriptDialogOpening": self._on_dialog,
            "Inspector.targetCrashed": self._on_crash,
            "Target.attachedToTarget": self._on_attached,
        }
        connection.on_event, connection.on_gone = self._on_event, self._stir.set

    # --- beginning and end --------------------------------------------------------------------

    async def open(self, proxy: str) -> None:
        """Make the context and the page. Raises BrowserGone and CommandFailed."""
        send = self._connection.send
        context = await send(
            "Target.createBrowserContext",
            {"disposeOnDetach": True, "proxyServer": proxy, "proxyBypassList": "<-loopback>"},
        )
        self.context = str(context.get("browserContextId", ""))
        await send(
            "Browser.setDownloadBehavior", {"behavior": "deny", "browserContextId": self.context}
        )
        await send("Target.setDiscoverTargets", {"discover": True})
        # Workers that several pages may share belong to none of them.
        await send("Target.setAutoAttach", {**_AUTO_ATTACH, "filter": _SHARED})
        created = await send(
            "Target.createTarget", {"url": "about:blank", "browserContextId": self.context}
        )
        self._target = str(created.get("targetId", ""))
        attached = await send("Target.attachToTarget", {"targetId": self._target, "flatten": True})
        self._session = str(attached.get("sessionId", ""))
        self._sessions.add(self._session)
        tree = await self.send("Page.getFrameTree")
        self._frame = str(tree.get("frameTree", {}).get("frame", {}).get("id", ""))
        limits = {
            "maxTotalBufferSize": 4 * self._max_body,
            "maxResourceBufferSize": self._max_body,
        }
        await self.send("Emulation.setUserAgentOverride", self._agent.override)
        await self.send("Network.enable", limits)
        await self.send("Network.setBypassServiceWorker", {"bypass": True})
        await self.send("Fetch.enable", {"patterns": [{"urlPattern": "*"}]})
        await self.send("Page.enable")
        await self.send("Inspector.enable")
        await self.send("Target.setAutoAttach", _AUTO_ATTACH)

    async def close(self) -> bool:
        """Dispose of the context and all that is in it; False when that failed. Raises nothing."""
        for task in self._reads:
            task.cancel()
        await asyncio.gather(*self._reads, return_exceptions=True)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._connection.send(
                    "Target.disposeBrowserContext", {"browserContextId": self.context}
                )
        except (BrowserGone, CommandFailed, TimeoutError):
            return False
        return True

    # --- use ----------------------------------------------------------------------------------

    async def send(self, method: str, parameters: Json | None = None) -> Json:
        """The result of a command to the page. Raises BrowserGone and CommandFailed."""
        return await self._connection.send(method, parameters, session=self._session)

    async def until(self, happened: Callable[[], bool], within_s: float | None) -> bool:
        """Wait until something has happened; False when it has not after `within_s` seconds.

        Raises WayFailed when the page crashed, BrowserGone.
        """
        try:
            async with asyncio.timeout(within_s):
                while not happened():
                    if self._trouble:
                        raise WayFailed(self._trouble)
                    if not self._connection.is_open:
                        raise BrowserGone("the browser ended")
                    self._stir.clear()
                    await self._stir.wait()
        except TimeoutError:
            return False
        return True

    async def navigate(self, url: str, referer: str | None) -> str:
        """Load a page; returns at once when its head has come, or its `net::ERR_…`.

        Raises BrowserGone and CommandFailed.
        """
        self.traffic.documents.clear()
        parameters = {"url": url, **({"referrer": referer} if referer else {})}
        result = await self.send("Page.navigate", parameters)
        return str(result.get("errorText") or "")

    # --- events -------------------------------------------------------------------------------

    def _on_event(self, name: str, event: Json, session: str | None) -> None:
        if session is None:
            self._on_browser_event(name, event)
        elif session in self._sessions:
            handler = self._handlers.get(name)
            if handler is not None:
                handler(event, session)
                self._stir.set()

    def _on_browser_event(self, name: str, event: Json) -> None:
        """Close windows that the page opens: nobody looks at them. Rules for its shared workers."""
        target = event.get("targetInfo")
        if not isinstance(target, dict):
            return
        ours = bool(self.context) and target.get("browserContextId") == self.context
        if name == "Target.attachedToTarget":
            if ours:
                self._on_attached(event, "")
            else:
                self._connection.post(
                    "Runtime.runIfWaitingForDebugger", session=event.get("sessionId")
                )
        elif ours and target.get("type") == "page" and self._target:
            number = target.get("targetId")
            if number != self._target:
                self._connection.post("Target.closeTarget", {"targetId": number})

    def _on_attached(self, event: Json, session: str) -> None:
        """A frame or a worker of the page: the same rules, before it runs."""
        child = event.get("sessionId")
        if not isinstance(child, str):
            return
        self._sessions.add(child)
        for method, parameters in (
            ("Emulation.setUserAgentOverride", self._agent.override),
            ("Network.setUserAgentOverride", self._agent.override),
            ("Fetch.enable", {"patterns": [{"urlPattern": "*"}]}),
            ("Network.setBypassServiceWorker", {"bypass": True}),
            ("Page.enable", {}),
            ("Target.setAutoAttach", _AUTO_ATTACH),
            ("Runtime.runIfWaitingForDebugger", {}),
        ):
            self._connection.post(method, parameters, session=child)

    def _on_paused(self, event: Json, session: str) -> None:
        """Let a request through, or stop it."""
        url = str((event.get("request") or {}).get("url", ""))
        answer: dict[str, Any] = {"requestId": event.get("requestId")}
        if event.get("resourceType") in _NOT_LOADED or self.traffic.is_forbidden(url):
            answer["errorReason"] = "BlockedByClient"
        method = "Fetch.failRequest" if "errorReason" in answer else "Fetch.continueRequest"
        self._connection.post(method, answer, session=session)

    def _on_request(self, event: Json, session: str) -> None:
        if session == self._session:
            self.traffic.sent(event, main_frame=self._frame)

    def _on_response(self, event: Json, session: str) -> None:
        self.traffic.answered(event)

    def _on_data(self, event: Json, session: str) -> None:
        if self.traffic.received(event):
            self._connection.post("Page.stopLoading", session=self._session)

    def _on_finished(self, event: Json, session: str) -> None:
        exchange = self.traffic.unfinished(event)
        if exchange is None:
            return
        # At once: with the next document the browser forgets it.
        task = asyncio.create_task(self._read(exchange))
        self._reads.add(task)
        task.add_done_callback(self._reads.discard)

    async def _read(self, exchange: Exchange) -> None:
        try:
            result = await self.send("Network.getResponseBody", {"requestId": exchange.id})
            body = str(result.get("body", ""))
            exchange.body = (
                base64.b64decode(body)
                if result.get("base64Encoded")
                else body.encode("utf-8", "replace")
            )
        except (BrowserGone, CommandFailed, binascii.Error) as error:
            logger.debug("the body of an answer is lost: %s", error)
        exchange.too_large = len(exchange.body or b"") > self._max_body
        exchange.done = True
        self._stir.set()

    def _on_failed(self, event: Json, session: str) -> None:
        self.traffic.failed(event)

    def _on_load(self, event: Json, session: str) -> None:
        if session == self._session:
            self.traffic.loaded()

    def _on_dialog(self, event: Json, session: str) -> None:
        self._connection.post("Page.handleJavaScriptDialog", {"accept": False}, session=session)

    def _on_crash(self, event: Json, session: str) -> None:
        if session == self._session:
            self._trouble = "the page crashed"


_SHARED: Final = [{"type": "shared_worker"}, {"type": "service_worker"}]
_AUTO_ATTACH: Final = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
