"""The sender: one thread that sends all answers which nobody took at once.

Two hundred slow phones cost it what they take, and no thread of the pool. It is apart from the
loop that reads, because a file may lie on a disk that has to wake first.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from webapp.server.connections import Connection
from webapp.server.limits import MAX_UNSENT_BYTES, STALL_S

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0
"""How often stalled answers are looked for."""
FAIR_TRIAL_S: Final = 10.0
"""For so long nobody is called slow."""


class Sender:
    """Sends answers, a step of each by turns.

    done: called, in the sender's thread, with a connection whose answer was sent or failed
    (`outgoing.error`). stall_s: without a byte taken for so long, it fails.
    """

    def __init__(self, done: Callable[[Connection], None], stall_s: float = STALL_S) -> None:
        self._done, self._stall_s = done, stall_s
        self._added: deque[Connection] = deque()
        self._places_wanted: deque[None] = deque()
        self._sending: dict[Connection, int] = {}
        self._held_bytes = 0
        self._selector = selectors.DefaultSelector()
        self._wake_fd, self._tell_fd = os.pipe()
        for end in (self._wake_fd, self._tell_fd):
            os.set_blocking(end, False)
        self._selector.register(self._wake_fd, selectors.EVENT_READ)
        self._look_at = 0.0

    def start(self) -> None:
        """Begin, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="sender", daemon=True).start()

    def add(self, connection: Connection) -> None:
        """Send what this connection has to send. From any thread."""
        self._added.append(connection)
        self._wake()

    def give_up_slowest(self) -> None:
        """Give up one answer, because others want its place. From any thread.

        It is the one that is taken most slowly, of the address that has most of them. Without
        being asked, answers go that way once those in memory are too large together.
        """
        self._places_wanted.append(None)
        self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._tell_fd, b".")

    def _run(self) -> None:
        while True:
            self.run_once()

    def run_once(self) -> None:
        """One turn: those that were added, those that can be sent, those that stall."""
        for key, _ in self._selector.select(LOOK_EVERY_S if self._sending else None):
            if key.data is None:
                with suppress(BlockingIOError):
                    os.read(self._wake_fd, 1024)
            else:
                self._push(key.data)
        while self._added:
            self._begin(self._added.popleft())
        now = time.monotonic()
        while self._places_wanted:
            self._places_wanted.popleft()
            self._make_room(now)
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            for connection in tuple(self._sending):
                connection.outgoing.look(now)
                if now - connection.outgoing.moved_at > self._stall_s:
                    self._finish(connection, TimeoutError("nobody takes the answer"))

    def _make_room(self, now: float) -> None:
        tried = [one for one in self._sending if _is_tried(one, now)]
        if not tried:
            return
        ((address, _count),) = Counter(one.address for one in tried).most_common(1)
        slowest = min((one for one in tried if one.address == address), key=partial(_rate, now=now))
        self._finish(slowest, TimeoutError("others want the place"))

    def _make_room_in_memory(self, now: float) -> None:
        """Give up answers of the address that has most bytes here, the slowest first, and some
        more than must be, for this looks at all of them."""
        bytes_of: Counter[str] = Counter()
        for connection, held_bytes in self._sending.items():
            bytes_of[connection.address] += held_bytes
        ((address, _bytes),) = bytes_of.most_common(1)
        in_memory = [one for one, size in self._sending.items() if size and one.address == address]
        in_memory.sort(key=lambda one: (not _is_tried(one, now), _rate(one, now)))
        for connection in in_memory:
            if self._held_bytes <= MAX_UNSENT_BYTES * 3 // 4:
                break
            self._finish(connection, TimeoutError("others want the memory"))

    def _begin(self, connection: Connection) -> None:
        now = time.monotonic()
        connection.outgoing.begin(now)
        self._sending[connection] = 0
        self._count(connection)
        try:
            self._selector.register(connection.sock, selectors.EVENT_WRITE, connection)
        except (OSError, ValueError) as error:
            self._finish(connection, OSError(str(error)))
        while self._held_bytes > MAX_UNSENT_BYTES:
            self._make_room_in_memory(now)

    def _count(self, connection: Connection) -> None:
        """Note how much of an answer is in memory."""
        held_bytes = connection.outgoing.held_bytes
        self._held_bytes += held_bytes - self._sending[connection]
        self._sending[connection] = held_bytes

    def _push(self, connection: Connection) -> None:
        try:
            connection.outgoing.push()
        except OSError as error:
            self._finish(connection, error)
        except Exception:
            logger.exception("an answer could not be sent")
            self._finish(connection, OSError("the sender failed"))
        else:
            self._count(connection)
            if connection.outgoing.is_empty:
                self._finish(connection, None)

    def _finish(self, connection: Connection, error: OSError | None) -> None:
        self._held_bytes -= self._sending.pop(connection)
        with suppress(KeyError, ValueError, OSError):
            self._selector.unregister(connection.sock)
        connection.outgoing.error = error
        self._done(connection)


def _is_tried(connection: Connection, now: float) -> bool:
    return now - connection.outgoing.began_at > FAIR_TRIAL_S


def _rate(connection: Connection, now: float) -> float:
    """Bytes a second that are taken."""
    outgoing = connection.outgoing
    return outgoing.sent_bytes / max(now - outgoing.began_at, 1e-3)
