"""The threads that have requests answered, and how their answers get to the sender."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from django.db import close_old_connections

from webapp.server.answering import Answering
from webapp.server.connections import Connection
from webapp.server.sender import Sender

STEPS_AT_ONCE: Final = 4
"""Steps of a file a thread sends by itself, as long as they are taken: most files need no more."""


class Pool:
    """So many threads for requests, and one that sends what was not taken at once.

    Where requests wait for a thread, addresses take turns: who sends a thousand waits for them.

    server: Gunicorn's worker. done: called from any thread with a connection whose answer was sent,
    or never will be (`outgoing.error`).
    """

    def __init__(self, server: Any, threads: int, done: Callable[[Connection], None]) -> None:
        self._log = server.log
        self._answering = Answering(server)
        self._threads = ThreadPoolExecutor(max_workers=threads)
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[tuple[Connection, Any]]] = {}
        self._sender = Sender(self._when_sent)
        self._done = done

    def start(self) -> None:
        """Begin to send."""
        self._sender.start()

    def submit(self, connection: Connection, request: Any) -> None:
        """Have a request answered, once a thread is free."""
        with self._lock:
            self._waiting.setdefault(connection.address, deque()).append((connection, request))
        self._threads.submit(self._work_on_next)

    def give_up_slowest(self) -> None:
        """Give up an answer that is taken slowly, because others want its place."""
        self._sender.give_up_slowest()

    def end(self) -> None:
        """Begin nothing more; what is in hand goes on."""
        self._threads.shutdown(wait=False)

    def _work_on_next(self) -> None:
        with self._lock:
            address = next(iter(self._waiting))
            requests = self._waiting.pop(address)
            connection, request = requests.popleft()
            if requests:
                self._waiting[address] = requests  # behind all others
        self._work(connection, request)

    def _work(self, connection: Connection, request: Any) -> None:
        """Answer a request, send what is taken at once, and leave the rest to the sender."""
        outgoing = connection.outgoing
        try:
            connection.keep = self._answering.answer(connection, request)
            if outgoing.error is None:
                outgoing.push(STEPS_AT_ONCE)
        except OSError as error:
            outgoing.error = error
        except Exception:  # noqa: BLE001 (the connection ends, and the log says why)
            self._log.exception("Error handling request")
            outgoing.error = ConnectionAbortedError()
        if outgoing.error is None and not outgoing.is_empty:
            self._sender.add(connection)
        else:
            self._close(outgoing.take_close_file())
            if outgoing.error is None:
                self._close(outgoing.pace.take_when_sent())
            self._done(connection)

    def _when_sent(self, connection: Connection) -> None:
        """In the sender's thread, which does not run the site's code: close the file elsewhere."""
        # Taken now: once it is done, the connection may bring another request, with another file.
        outgoing = connection.outgoing
        calls = [outgoing.take_close_file()]
        if outgoing.error is None:
            calls.append(outgoing.pace.take_when_sent())
        for call in filter(None, calls):
            try:
                self._threads.submit(self._close, call)
            except RuntimeError:  # the server ends
                self._close(call)
        self._done(connection)

    def _close(self, close: Callable[[], None] | None) -> None:
        if close is not None:
            try:
                close()
            except Exception:  # noqa: BLE001 (the file is gone from here; the log says why)
                self._log.exception("Error after an answer was sent")
            finally:
                close_old_connections()  # it may have used the database, and its thread rests now
