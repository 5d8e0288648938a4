"""The loop of the web server: it accepts, gathers requests, and closes what takes too long.

Gunicorn's worker on a loop of ours. A thread of the pool is held by a request from its last byte
to the last byte of its answer that is made, and by nothing else: senders and readers are waited
for here and in the sender (docs/decisions/0038).
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import deque
from contextlib import suppress
from functools import partial
from typing import Any, Final

from gunicorn.http.errors import NoMoreData
from gunicorn.workers.base import Worker

from webapp.server import limits, plain_answers
from webapp.server.connections import Connection, Connections, Doing
from webapp.server.door import Door
from webapp.server.pool import Pool

_READ_BYTES: Final = 64 * 1024
_LOOK_EVERY_S: Final = 1.0


class Loop(Worker):  # type: ignore[misc]  # the library has no types
    """Gunicorn's worker: its configuration, log, parser and answers; signals end it in order.

    connections: all that are open.
    """

    alive: bool
    cfg: Any
    sockets: list[socket.socket]

    def init_process(self) -> None:
        """Prepare, load the site, and run until told to end."""
        descriptors = limits.raise_descriptor_limit()
        most = limits.connections_at_once(descriptors)
        self.connections = Connections(most, limits.connections_per_address(most))
        self._selector = selectors.DefaultSelector()
        self._pool = Pool(self, self.cfg.threads, self._when_answered)
        self._answered: deque[Connection] = deque()
        self._resting: list[Connection] = []
        self._door = Door(
            self.sockets,
            selector=self._selector,
            connections=self.connections,
            config=self.cfg,
            welcome=self._read_safely,
            close=self._close,
            give_up_slowest=self._pool.give_up_slowest,
        )
        self._look_at = 0.0
        super().init_process()

    def share_places_freely(self) -> None:
        """Let one address have every place: it is a proxy's, which stands for everyone."""
        self.connections.per_address = self.connections.most

    def run(self) -> None:
        """Serve until told to end, and then until what is in hand is answered, within the grace."""
        self._selector.register(self.PIPE[0], selectors.EVENT_READ, self._on_wake)
        self._pool.start()
        self._door.open()
        while self.alive and self.is_parent_alive():
            self._run_once()
        self._door.shut()
        for listener in self.sockets:
            listener.close()
        now = time.monotonic()
        for connection in self.connections.waiting():
            if connection.doing is Doing.IDLE:
                connection.deadline = min(connection.deadline, now + limits.STOP_IDLE_S)
        ends_at = now + self.cfg.graceful_timeout
        while self.connections and time.monotonic() < ends_at:
            self._run_once()
        self._pool.end()

    def is_parent_alive(self) -> bool:
        """Whether who started this process is still there."""
        return bool(self.ppid == os.getppid())

    def _run_once(self) -> None:
        self.notify()
        for key, _ in self._selector.select(_LOOK_EVERY_S):
            key.data()
        while self._answered:
            self._work_is_done(self._answered.popleft())
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK_EVERY_S
            self._look(now)

    def _when_answered(self, connection: Connection) -> None:
        """From any thread: have the loop go on with a connection."""
        self._answered.append(connection)
        with suppress(BlockingIOError):
            os.write(self.PIPE[1], b".")

    def _on_wake(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.PIPE[0], 1024)

    # reading

    def _wait_for(self, connection: Connection) -> None:
        """Have the loop look at what this connection sends."""
        self.connections.wait(connection)
        if not connection.is_registered:
            read = partial(self._read_safely, connection)
            self._selector.register(connection.sock, selectors.EVENT_READ, read)
            connection.is_registered = True

    def _ignore(self, connection: Connection) -> None:
        if connection.is_registered:
            self._selector.unregister(connection.sock)
            connection.is_registered = False

    def _read_safely(self, connection: Connection) -> None:
        """Read, and give up this connection alone if that fails in a way nobody foresaw."""
        try:
            self._read(connection)
        except Exception:
            self.log.exception("Error reading a request")
            self._close(connection)

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(_READ_BYTES)
        except BlockingIOError:
            self._wait_for(connection)
            return
        except OSError:
            self._close(connection)
            return
        if not data:
            self._close(connection)
        elif connection.doing is Doing.LINGERING:
            connection.lingered_bytes += len(data)
            if connection.lingered_bytes > limits.MAX_LINGER_BYTES:
                self._close(connection)
        else:
            connection.incoming.feed(data)
            self._go_on(connection, len(data))

    def _go_on(self, connection: Connection, new_bytes: int) -> None:
        """Hand the next request on if it is there, or wait for the rest of it.

        new_bytes: how much has just come.
        """
        incoming = connection.incoming
        try:
            request = incoming.take()
        except (NoMoreData, StopIteration):
            self._close(connection)
            return
        except Exception as error:  # noqa: BLE001 (whatever the parser objects to)
            self.handle_error(None, connection.outgoing, connection.client, error)
            self._work_is_done(connection)
            return
        taken_bytes = 0 if request is None else incoming.taken_bytes
        self.connections.hold(connection, taken_bytes + len(incoming))
        while (largest := self.connections.largest_beyond_memory()) is not None:
            self._refuse(largest, plain_answers.TOO_BUSY)
            if largest is connection:
                return
        if request is not None:
            self._hand_on(connection, request)
        else:
            self._wait_for_rest(connection, new_bytes)

    def _wait_for_rest(self, connection: Connection, new_bytes: int) -> None:
        now = time.monotonic()
        if connection.doing is not Doing.READING and connection.incoming.has_begun:
            connection.doing, connection.began = Doing.READING, now
            connection.small_pieces = 0
        connection.deadline = self._deadline_of(connection, now)
        if connection.incoming.wants_to_continue():
            with suppress(OSError):
                connection.sock.send(plain_answers.CONTINUE)
        connection.small_pieces += new_bytes < limits.SMALL_PIECE_BYTES
        if connection.small_pieces > limits.MAX_SMALL_PIECES:
            self.connections.wait(connection)
            self._ignore(connection)
            self._resting.append(connection)
        else:
            self._wait_for(connection)

    def _deadline_of(self, connection: Connection, now: float) -> float:
        if connection.doing is Doing.IDLE:
            return now + (float(self.cfg.keepalive) if self.alive else limits.STOP_IDLE_S)
        if connection.incoming.request is None:
            return connection.began + limits.HEAD_S
        earned_s = limits.BODY_S + connection.incoming.body_bytes / limits.MIN_BODY_RATE
        if connection.incoming.upload is not None:
            return connection.began + earned_s
        return connection.began + min(earned_s, limits.MAX_BODY_S)

    # answering

    def _hand_on(self, connection: Connection, request: Any) -> None:
        self.connections.work(connection)
        self._ignore(connection)
        connection.doing = Doing.WORKING
        self._pool.submit(connection, request)

    def _work_is_done(self, connection: Connection) -> None:
        """Go on with a connection whose request was answered, or refused."""
        keep, connection.keep = connection.keep, False
        connection.incoming.close_upload()
        self.connections.hold(connection, len(connection.incoming))
        if self.alive:
            self._door.open()  # one that waits can make room
        if connection.outgoing.error is not None:
            self._close(connection)
        elif keep:
            connection.doing, connection.small_pieces = Doing.IDLE, 0
            self.connections.wait(connection)
            self._go_on(connection, limits.SMALL_PIECE_BYTES)
        else:
            self._linger(connection)

    def _refuse(self, connection: Connection, answer: bytes) -> None:
        with suppress(OSError):
            connection.sock.send(answer)
        self._linger(connection)

    def _linger(self, connection: Connection) -> None:
        """Say that nothing more comes, and let the other end finish, or it may lose the answer."""
        with suppress(OSError):
            connection.outgoing.push()
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_WR)
        connection.incoming.forget()
        self.connections.hold(connection, 0)
        connection.doing = Doing.LINGERING
        connection.deadline = time.monotonic() + limits.LINGER_S
        self._wait_for(connection)

    def _close(self, connection: Connection) -> None:
        self._ignore(connection)
        self.connections.remove(connection)
        connection.incoming.close_upload()
        with suppress(OSError):
            connection.sock.close()
        if self.alive:
            self._door.open()

    # what takes too long

    def _look(self, now: float) -> None:
        """Close what waited too long; let those that rested go on."""
        resting, self._resting = self._resting, []
        for connection in self.connections.waiting():
            if now < connection.deadline:
                continue
            if connection.doing is Doing.READING:
                self._refuse(connection, plain_answers.TOO_SLOW)
            else:
                self._close(connection)
        for connection in resting:
            if connection.doing in {Doing.IDLE, Doing.READING} and connection.sock.fileno() >= 0:
                self._wait_for(connection)
        if self.alive:
            self._door.open()
