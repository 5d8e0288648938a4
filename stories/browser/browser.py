"""The browser of a worker: off, a Chromium of its own, or somebody else's beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from stories.browser.agent import Agent, agent_of
from stories.browser.authorities import trust
from stories.browser.budget import HourlyBudget
from stories.browser.cdp import BrowserGone, Channel, CommandFailed, Connection
from stories.browser.chromium import Chromium, brand_of, find_chromium
from stories.browser.visit import BrowserVisit
from stories.config import ClientConfig
from stories.hosts import is_browser_host
from stories.ways import READY, Readiness, WayBusy, WayDeclined, WayFailed, WaySpent

OFF: Final = "off"
LOCAL: Final = "local"

PER_HOUR: Final = 20
VISIT_S: Final = 25.0
IDLE_S: Final = 120.0
QUEUE_S: Final = 300.0
"""Seconds that a look-up waits for those before it: of many lines at once each gets its turn."""
START_S: Final = 15.0
REST_S: Final = 60.0
"""Seconds that a browser which did not start, or did not answer, is left alone."""


class Guard(Protocol):
    """The proxy that is a browser's only way out (http/guard.py)."""

    @property
    def url(self) -> str: ...

    async def start(self) -> None:
        """Listen, if it does not yet."""


class Browser:
    """A browser for one look-up at a time. Costs nothing until the first one needs it.

    address: "off", "local", or that of a sidecar (sidecar.py). guard: what everything goes through.
    take: asked once for each visit, whether there may be one; None for `per_hour` of this process.
    visit_s: seconds that a visit may take as a whole. idle_s: seconds after which a Chromium of our
    own ends. flags: further ones for it.
    """

    def __init__(
        self,
        address: str,
        *,
        guard: Guard,
        take: Callable[[], Awaitable[bool]] | None = None,
        config: ClientConfig | None = None,
        per_hour: int = PER_HOUR,
        visit_s: float = VISIT_S,
        idle_s: float = IDLE_S,
        queue_s: float = QUEUE_S,
        flags: Sequence[str] = (),
    ) -> None:
        self._address, self._guard = address, guard
        self._config = config or ClientConfig()
        self._budget = HourlyBudget(per_hour if take is None else 0)
        self._take = take or self._budget.take
        self._visit_s, self._idle_s, self._queue_s = visit_s, idle_s, queue_s
        self._flags = flags
        self._lock = asyncio.Lock()
        self._chromium: Chromium | None = None
        self._connection: Connection | None = None
        self._agent: Agent | None = None
        self._plain_agent = ""
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._rest: tuple[str, float] = ("", 0.0)
        self._is_closed = False

    # --- whether it can be used ---------------------------------------------------------------

    async def ready(self) -> Readiness:
        """Whether it can be asked now. Starts nothing and costs nothing."""
        if self._address == OFF:
            return Readiness(ok=False, reason="off")
        if self._address == LOCAL and find_chromium() is None:
            return Readiness(ok=False, reason="no Chromium on the PATH")
        reason, until = self._rest
        if (rest_s := until - time.monotonic()) > 0:
            is_spent = reason == _USED_UP
            return Readiness(ok=False, reason=reason, wait_s=rest_s, is_spent=is_spent)
        if (wait_s := self._budget.wait_s()) > 0:
            return Readiness(ok=False, reason=_USED_UP, wait_s=wait_s, is_spent=True)
        return READY

    def _rests(self, reason: str) -> None:
        self._rest = (reason, time.monotonic() + REST_S)

    # --- use ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[BrowserVisit]:
        """A page for one look-up, with cookies of its own. Raises WayFailed."""
        if self._address == OFF:
            raise WayDeclined("off")
        try:
            async with asyncio.timeout(self._queue_s):
                await self._lock.acquire()
        except TimeoutError as error:
            raise WayBusy("busy with other look-ups") from error
        try:
            if self._is_closed:
                raise WayDeclined("closed")
            if not await self._take():
                self._rests(_USED_UP)
                raise WaySpent(_USED_UP)
            self._stay()
            visit = await self._open()
            try:
                yield visit
            finally:
                await self._close(visit)
        finally:
            self._lock.release()

    async def _open(self) -> BrowserVisit:
        """A visit whose time runs. Raises WayFailed."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._visit_s
        try:
            async with asyncio.timeout(min(self._visit_s, START_S)):
                await self._listen()
                connection, agent = await self._connected()
                visit = BrowserVisit(
                    connection,
                    agent,
                    allowed=is_browser_host,
                    max_body=self._config.max_page_bytes,
                )
                await visit.open(self._guard.url)
        except BaseException as error:
            reason = "the browser did not start in time"
            if isinstance(error, WayFailed):
                reason = str(error)
            await self._end()
            if isinstance(error, WayFailed | TimeoutError):
                self._rests(reason)
                raise WayFailed(reason) from error
            raise
        visit.timer = loop.call_at(end, self._expire, visit)
        return visit

    async def _listen(self) -> None:
        try:
            await self._guard.start()
        except OSError as error:
            raise WayFailed("the guard cannot listen") from error

    def _expire(self, visit: BrowserVisit) -> None:
        visit.trouble = f"took more than {self._visit_s:g} s"
        if self._chromium is not None:
            self._chromium.kill()
        elif self._connection is not None:
            self._later(self._connection.aclose())

    async def _close(self, visit: BrowserVisit) -> None:
        if visit.timer is not None:
            visit.timer.cancel()
        try:
            whole = await visit.close()
        except BaseException:
            await self._end()
            raise
        if not whole or visit.trouble or self._address != LOCAL:
            await self._end()
        else:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._idle_s, self._end_idle)

    # --- the connection -----------------------------------------------------------------------

    async def _connected(self) -> tuple[Connection, Agent]:
        """The connection to a running browser. Raises WayFailed."""
        if self._connection is not None and self._connection.is_open and self._agent is not None:
            return self._connection, self._agent
        await self._end()
        connection, agent = await self._introduced()
        if self._address == LOCAL and not agent.is_own:
            # Once in a process, and when Chromium was updated: what is told a page afterwards does
            # not reach the workers that several pages may share.
            self._plain_agent = agent.user_agent
            await self._end()
            connection, agent = await self._introduced()
        self._agent = agent
        return connection, agent

    async def _introduced(self) -> tuple[Connection, Agent]:
        """The connection to a browser that was just found or started, and who it is."""
        channel, brand = await self._channel()
        self._connection = Connection(channel)
        try:
            version = await self._connection.send("Browser.getVersion")
            agent = agent_of(
                str(version.get("userAgent", "")), str(version.get("product", "")), brand=brand
            )
        except (BrowserGone, CommandFailed) as error:
            chromium = self._chromium
            reason = "the browser does not answer" if chromium is None else chromium.trouble()
            raise WayFailed(reason) from error
        except ValueError as error:
            raise WayFailed("the browser is no Chromium") from error
        return self._connection, agent

    async def _channel(self) -> tuple[Channel, str]:
        """A channel to the browser, and the name it is sold under. Raises WayFailed."""
        if self._address != LOCAL:
            # Imported here: without a sidecar there is no WebSocket.
            from stories.browser.sidecar import open_sidecar

            return await open_sidecar(self._address), ""
        executable = find_chromium()
        if executable is None:
            raise WayFailed("no Chromium on the PATH")
        bundle = self._config.ca_bundle
        prepare: Callable[[Path], None] = lambda _: None  # noqa: E731
        if bundle is not None:
            prepare = partial(trust, ca_bundle=bundle)
        agent = (f"--user-agent={self._plain_agent}",) if self._plain_agent else ()
        self._chromium = await Chromium.start(
            executable, flags=(*agent, *self._flags), prepare=prepare
        )
        return self._chromium.channel, brand_of(executable)

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _end_idle(self) -> None:
        self._idle = None
        if not self._lock.locked():
            self._later(self._end_unused())

    async def _end_unused(self) -> None:
        async with self._lock:
            if self._idle is None:
                await self._end()

    def _later(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self) -> None:
        """End the browser, or leave somebody else's. Raises nothing."""
        self._stay()
        connection, self._connection = self._connection, None
        chromium, self._chromium = self._chromium, None
        if chromium is not None:
            chromium.kill()
        if connection is not None:
            await connection.aclose()
        if chromium is not None:
            await chromium.aclose()

    async def aclose(self) -> None:
        """End the browser; a visit that still runs fails, and none begins any more."""
        self._is_closed = True
        await self._end()
        await asyncio.gather(*self._ending, return_exceptions=True)


_USED_UP: Final = "this hour's look-ups are used up"
