"""The DevTools protocol, as little of it as is needed: commands, events and sessions.

A connection carries JSON messages to a browser and back, over a pipe or a WebSocket. Each target (a
page, a frame, a worker) has a session of its own on it ("flattened").
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final, Protocol

logger = logging.getLogger(__name__)

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Of one message, either way: a body of 8 MiB in Base64, and what stands around it."""

Json = Mapping[str, Any]

OnEvent = Callable[[str, Json, str | None], None]
"""Called with an event's name, its parameters, and the id of its session (None: the browser)."""


class BrowserGone(Exception):
    """The browser ended, the connection to it broke, or what came over it is no such protocol."""


class CommandFailed(Exception):
    """The browser refused a command. str(): the command and the browser's words."""


class Channel(Protocol):
    """Carries whole messages. All methods raise OSError or BrowserGone when it is broken."""

    async def send(self, message: bytes) -> None:
        """Send one message."""

    async def receive(self) -> bytes:
        """The next message, of at most MAX_MESSAGE_BYTES. Raises BrowserGone at the end."""

    async def aclose(self) -> None:
        """Close it; raises nothing."""


class Connection:
    """Commands to a browser, and its events. Made on a running loop.

    on_event: called for each event, in order, from the loop; it must not block. on_gone: called
    once when the connection has ended, after every pending command failed.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        on_event: OnEvent = lambda *_: None,
        on_gone: Callable[[], None] = lambda: None,
    ) -> None:
        self._channel = channel
        self.on_event, self.on_gone = on_event, on_gone
        self._ids = count(1)
        self._pending: dict[int, tuple[str, asyncio.Future[Json]]] = {}
        self._gone: BrowserGone | None = None
        self._sends: set[asyncio.Task[None]] = set()
        self._reader = asyncio.create_task(self._read())

    @property
    def is_open(self) -> bool:
        """Whether commands can still be sent."""
        return self._gone is None

    async def send(
        self, method: str, parameters: Json | None = None, *, session: str | None = None
    ) -> Json:
        """The result of a command. Raises CommandFailed, and BrowserGone when the browser ends."""
        if self._gone is not None:
            raise self._gone
        number = next(self._ids)
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._pending[number] = method, answer
        try:
            await self._write(number, method, parameters, session)
            return await answer
        finally:
            self._pending.pop(number, None)

    def post(
        self, method: str, parameters: Json | None = None, *, session: str | None = None
    ) -> None:
        """Send a command, in order, whose result nobody waits for. Raises nothing."""
        if self._gone is not None:
            return
        task = asyncio.create_task(self._write(next(self._ids), method, parameters, session))
        self._sends.add(task)
        task.add_done_callback(self._posted)

    def _posted(self, task: asyncio.Task[None]) -> None:
        self._sends.discard(task)
        if not task.cancelled():
            task.exception()  # the reader learns of the end, too

    async def _write(
        self, number: int, method: str, parameters: Json | None, session: str | None
    ) -> None:
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters or {}}
        if session is not None:
            message["sessionId"] = session
        try:
            await self._channel.send(json.dumps(message).encode())
        except OSError as error:
            raise BrowserGone("the connection to the browser broke") from error

    async def _read(self) -> None:
        gone = BrowserGone("the browser ended")
        try:
            while True:
                self._take(await self._channel.receive())
        except BrowserGone as error:
            gone = error
        except OSError as error:
            gone = BrowserGone("the connection to the browser broke")
            gone.__cause__ = error
        finally:
            self._end(gone)

    def _take(self, raw: bytes) -> None:
        try:
            message = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise BrowserGone("the browser sent what is no message") from error
        if not isinstance(message, dict):
            raise BrowserGone("the browser sent what is no message")
        number, method = message.get("id"), message.get("method")
        if isinstance(number, int):
            self._answer(number, message)
        elif isinstance(method, str):
            parameters, session = message.get("params"), message.get("sessionId")
            self.on_event(
                method,
                parameters if isinstance(parameters, dict) else {},
                session if isinstance(session, str) else None,
            )

    def _answer(self, number: int, message: Json) -> None:
        method, answer = self._pending.get(number, ("", None))
        if answer is None or answer.done():
            return
        error, result = message.get("error"), message.get("result")
        if error is not None:
            words = error.get("message") if isinstance(error, dict) else error
            answer.set_exception(CommandFailed(f"{method}: {str(words)[:200]}"))
        else:
            answer.set_result(result if isinstance(result, dict) else {})

    def _end(self, gone: BrowserGone) -> None:
        self._gone = gone
        for _, answer in self._pending.values():
            if not answer.done():
                answer.set_exception(gone)
        self.on_gone()

    async def aclose(self) -> None:
        """Close the channel; what is pending fails. Raises nothing."""
        self._reader.cancel()
        for task in self._sends:
            task.cancel()
        await asyncio.gather(self._reader, *self._sends, return_exceptions=True)
        await self._channel.aclose()
