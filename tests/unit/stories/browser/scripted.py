"""A browser that says what a test writes down, in place of a real one."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from stories.browser.cdp import BrowserGone

Reply = Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any] | None]
GETS_NO_ANSWER: Mapping[str, Any] = {"no": "answer"}


class ScriptedChannel:
    """A Channel. replies: method → result, or a function of the parameters; {} for any other.

    sent: every command so far. A result with the one key "error" is an error.
    """

    def __init__(self, **replies: Reply) -> None:
        self.replies: dict[str, Reply] = {
            name.replace("_", ".", 1): reply for name, reply in replies.items()
        }
        self.sent: list[dict[str, Any]] = []
        self.incoming: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.closed = False

    async def send(self, message: bytes) -> None:
        if self.closed:
            raise BrowserGone("the browser ended")
        command = json.loads(message)
        self.sent.append(command)
        reply = self.replies.get(command["method"], {})
        result = reply(command["params"]) if callable(reply) else reply
        if result is None or result is GETS_NO_ANSWER:
            return
        if set(result) == {"error"}:
            self.say(id=command["id"], error={"message": result["error"]})
        else:
            self.say(id=command["id"], result=result)

    async def receive(self) -> bytes:
        message = await self.incoming.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def aclose(self) -> None:
        self.closed = True

    # --- what the browser says ----------------------------------------------------------------

    def say(self, **message: Any) -> None:
        """Send a message to the client."""
        self.incoming.put_nowait(json.dumps(message).encode())

    def event(self, method: str, session: str | None = None, **parameters: Any) -> None:
        """Send an event."""
        more = {"sessionId": session} if session else {}
        self.say(method=method, params=parameters, **more)

    def die(self, error: Exception | None = None) -> None:
        """End the browser."""
        self.incoming.put_nowait(error or BrowserGone("the browser ended"))

    def commands(self, method: str) -> list[dict[str, Any]]:
        """The parameters of each command of a name so far."""
        return [command["params"] for command in self.sent if command["method"] == method]


@dataclass
class Loads:
    """What loading an address leads to, in a scripted page.

    bodies: of the documents that follow each other, the last of which stays; None never ends.
    urls: of those documents, the asked address where there is none. error: `net::ERR_…` of the
    last. early: the page's own requests for data, each with its body.
    """

    bodies: Sequence[bytes | None] = (b"<p>page</p>",)
    urls: Sequence[str] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    early: Mapping[str, bytes] = field(default_factory=dict)


class ScriptedPage(ScriptedChannel):
    """A browser with one page. pages: address → what loading it leads to.

    data: address → body of what is asked for from within a page; an address that is not there is
    never asked for, as if the page kept it back. signed: what the page's script adds to it.
    """

    def __init__(self, **replies: Reply) -> None:
        super().__init__(**replies)
        self.pages: dict[str, Loads] = {}
        self.data: dict[str, bytes | str] = {}
        self.signed = ""
        self.bodies: dict[str, bytes] = {}
        self._numbers = count(1)
        self.replies = {
            "Browser.getVersion": {
                "product": "HeadlessChrome/156.0.1.2",
                "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0.0.0",
            },
            "Target.createBrowserContext": {"browserContextId": "context"},
            "Target.createTarget": {"targetId": "target"},
            "Target.attachToTarget": {"sessionId": "page"},
            "Page.getFrameTree": {"frameTree": {"frame": {"id": "main"}}},
            "Page.navigate": self._navigate,
            "Runtime.evaluate": self._evaluate,
            "Network.getResponseBody": self._body,
            "Storage.getCookies": {"cookies": []},
            **self.replies,
        }

    def _navigate(self, parameters: dict[str, Any]) -> Mapping[str, Any]:
        url = parameters["url"]
        loads = self.pages.get(url, Loads(bodies=(), error="net::ERR_NAME_NOT_RESOLVED"))
        for number, body in enumerate(loads.bodies):
            last = number == len(loads.bodies) - 1
            at = loads.urls[number] if number < len(loads.urls) else url
            self.request(at, body, loads, kind="Document", error=loads.error if last else "")
        if loads.bodies and loads.bodies[-1] is not None:
            for address, body in loads.early.items():
                self.request(address, body, Loads(), kind="Fetch")
            self.event("Page.loadEventFired", "page")
        return {"errorText": loads.error} if loads.error else {}

    def request(
        self, url: str, body: bytes | None, loads: Loads, *, kind: str, error: str = ""
    ) -> str:
        """The events of one request; its number."""
        number = str(next(self._numbers))
        facts = {"requestId": number, "frameId": "main", "type": kind}
        asked = {"url": url, "method": "GET"}
        self.event("Network.requestWillBeSent", "page", request=asked, **facts)
        if error:
            self.event("Network.loadingFailed", "page", errorText=error, **facts)
        elif body is not None:
            answer = {"status": loads.status, "headers": dict(loads.headers), "url": url}
            self.event("Network.responseReceived", "page", response=answer, **facts)
            self.event("Network.dataReceived", "page", dataLength=len(body), **facts)
            self.bodies[number] = body
            self.event("Network.loadingFinished", "page", **facts)
        return number

    def _evaluate(self, parameters: dict[str, Any]) -> Mapping[str, Any]:
        url = json.loads(parameters["expression"].partition("(")[2].partition(", {")[0])
        answer = self.data.get(url)
        if isinstance(answer, bytes):
            self.request(url + self.signed, answer, Loads(), kind="Fetch")
        elif answer is not None:
            self.request(url + self.signed, None, Loads(), kind="Fetch", error=answer)
        return {"result": {}}

    def _body(self, parameters: dict[str, Any]) -> Mapping[str, Any]:
        body = self.bodies.pop(parameters["requestId"], None)
        if body is None:
            return {"error": "No resource with given identifier found"}
        return {"body": base64.b64encode(body).decode(), "base64Encoded": True}
