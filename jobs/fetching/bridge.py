"""The bridge between Celery's threads and asyncio: one event loop and one client per process.

All transfers of a worker run on one loop in a thread of its own. A Celery thread hands in an
asynchronous iterator of events and reads it from outside; between two events it may look at the
clock and the database. Nothing asynchronous ever touches the database.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jobs.upstream import identities, rate_limit, way_switches
from jobs.upstream.client import instance_client

if TYPE_CHECKING:
    from stories.client import StoryClient

logger = logging.getLogger(__name__)
T = TypeVar("T")

TICK_S: Final = 0.5
"""A reader that waits for an event gets None this often."""
CLEAN_UP_S: Final = 10.0
"""Seconds that leaving a stream waits for its transfers to stop."""
_START_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


_END: Final = object()


class TransferThread:
    """An event loop in a daemon thread, with a StoryClient open on it.

    Raises RuntimeError when it does not start, and whatever opening the client raised.
    """

    def __init__(self, make_client: Callable[[], StoryClient]) -> None:
        self._make_client = make_client
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._answered = threading.Event()
        self._answered.set()
        self._loop: asyncio.AbstractEventLoop
        self._client: StoryClient
        self._end: asyncio.Event
        self._thread = threading.Thread(target=self._run, name="transfers", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_S):
            raise RuntimeError("the transfer thread did not start")
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:  # noqa: BLE001  # raised again in the starting thread
            self._failure = error
            self._ready.set()

    async def _live(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with self._make_client() as self._client:
            self._ready.set()
            await self._end.wait()

    @property
    def alive(self) -> bool:
        """Whether it can be used."""
        return self._thread.is_alive()

    def responds(self) -> bool:
        """Whether the loop has run since this was last called; it is asked anew each time."""
        if not self._answered.is_set():
            return False
        self._answered.clear()
        self._loop.call_soon_threadsafe(self._answered.set)
        return True

    def stop(self) -> None:
        """End the loop and close the client; waits at most `CLEAN_UP_S`."""
        if self.alive:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(CLEAN_UP_S)

    @contextmanager
    def stream(
        self, make: Callable[[StoryClient], AsyncGenerator[T, None]], *, tick_s: float = TICK_S
    ) -> Iterator[Iterator[T | None]]:
        """Run an asynchronous generator on the loop and read its events in this thread.

        Yields an iterator of events, with None when nothing came for tick_s seconds; it raises what
        the generator raised. Leaving the block cancels the generator and waits until it has cleaned
        up.
        """
        events_out: queue.SimpleQueue[Any] = queue.SimpleQueue()
        finished = threading.Event()
        tasks: list[asyncio.Task[None]] = []

        async def pump() -> None:
            # An asynchronous generator must be closed by the task that ran it.
            async with aclosing(make(self._client)) as events:
                async for event in events:
                    events_out.put(event)

        def ended(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            events_out.put(_Failed(error) if error else _END)
            finished.set()

        def begin() -> None:
            task = self._loop.create_task(pump())
            task.add_done_callback(ended)
            tasks.append(task)

        def end() -> None:
            tasks[0].cancel()  # begin() ran before: the loop keeps their order

        self._loop.call_soon_threadsafe(begin)
        try:
            yield _read(events_out, self, tick_s)
        finally:
            if not finished.is_set() and self.alive:
                self._loop.call_soon_threadsafe(end)
                if not finished.wait(CLEAN_UP_S):
                    logger.warning("a transfer did not stop within %.0f s", CLEAN_UP_S)


def _read(events: queue.SimpleQueue[Any], thread: TransferThread, tick_s: float) -> Iterator[Any]:
    while True:
        try:
            event = events.get(timeout=tick_s)
        except queue.Empty:
            if not thread.alive:
                raise RuntimeError("the transfer thread ended") from None
            yield None
            continue
        if event is _END:
            return
        if isinstance(event, _Failed):
            raise event.error
        yield event


_lock = threading.Lock()
_thread: TransferThread | None = None


def _client() -> StoryClient:
    return instance_client(rate_limit.acquire, identities.Identities())


def current() -> TransferThread:
    """This process's transfer thread, started on first use."""
    global _thread  # one per process is the point
    with _lock:
        if _thread is None or not _thread.alive:
            way_switches.mirror()  # here, for nothing on the loop asks the database
            _thread = TransferThread(_client)
        return _thread


def responds() -> bool:
    """Whether this process's transfer thread runs its loop, or there is none. Waits for nothing."""
    thread = _thread
    return thread is None or not thread.alive or thread.responds()


def stop() -> None:
    """End this process's transfer thread, if it runs."""
    global _thread
    with _lock:
        if _thread is not None:
            _thread.stop()
            _thread = None
