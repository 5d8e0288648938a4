"""An answer on its way out: bytes and at most one file, sent as fast as the other end takes them.

A thread writes into it and is done; what the socket does not take at once is sent by the sender.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import sys
import termios
import time
from collections.abc import Callable
from typing import Final

from webapp.server.limits import STALL_S
from webapp.server.pace import Pace

AT_ONCE_BYTES: Final = 64 * 1024
"""So much is gathered before the socket is given any: a page leaves in one piece."""
BACKLOG_BYTES: Final = 1024 * 1024
"""An answer that is made while it is sent waits when so much of it was not taken."""
STEP_BYTES: Final = 256 * 1024
"""Bytes of a file that are sent in one step, before others have their turn."""
_LOOK_EVERY_S: Final = 1.0
_NO_SENDFILE: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSOCK})


def _on_the_way_bytes(sock: socket.socket) -> int:
    """What the system has for the other end, which has not confirmed it; 0 where none says so."""
    try:
        return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (OSError, ValueError):
        return 0


class Outgoing:
    """What is still to be sent on one connection.

    To Gunicorn it looks like the socket it writes to. backlog_bytes: how many of its bytes are
    not taken. held_bytes: what those keep in memory, twice as much at most. began_at, sent_bytes:
    when the sender began, and what was taken since. moved_at: when the other end last took
    something; both by the monotonic clock. pace: of the answer at hand. error: why sending failed,
    if it did. close_file: to be called once the file is sent, or never will be; whoever takes it
    calls it.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._parts: list[bytes | memoryview] = []
        self.backlog_bytes = self.held_bytes = 0
        self._file_fd = -1
        self._offset = self._left = 0
        self._reads_file = False
        self.began_at = self.moved_at = 0.0
        self.sent_bytes = self._taken_bytes = 0
        self._ever_sent_bytes = 0
        self.pace = Pace()
        self.error: OSError | None = None
        self._close_file: Callable[[], None] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether all of it was sent."""
        return not self._parts and not self._left

    # what a thread writes

    def gettimeout(self) -> float:
        """As a socket that never blocks has it."""
        return 0.0

    def sendall(self, data: bytes) -> None:
        """Take bytes to send. Waits only where an answer that is made meanwhile is not taken.

        Raises OSError when the other end is gone, takes nothing for STALL_S, or was given up.
        """
        while self.backlog_bytes > BACKLOG_BYTES:
            self._wait()
            self._push_bytes()
        self.pace.is_waited_for = False
        if data:
            self._parts.append(data)
            self.backlog_bytes += len(data)
            self.held_bytes += len(data)
        if self.backlog_bytes >= AT_ONCE_BYTES:
            self._push_bytes()

    def attach(self, fd: int, offset: int, length: int, close: Callable[[], None]) -> None:
        """Send a part of an open file after the bytes. close: what closes it."""
        self._file_fd, self._offset, self._left = fd, offset, length
        self._close_file = close

    def take_close_file(self) -> Callable[[], None] | None:
        """What closes the file, if there is one to close; once."""
        close, self._close_file = self._close_file, None
        return close

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._sock, select.POLLOUT)
        self.begin(time.monotonic())
        self._note_pace(self.began_at)
        while not poll.poll(min(_LOOK_EVERY_S, STALL_S) * 1000):
            now = time.monotonic()
            self.look(now)
            self._note_pace(now)
            if now - self.moved_at >= STALL_S:
                raise TimeoutError(errno.ETIMEDOUT, "nobody takes the answer")

    def _note_pace(self, now: float) -> None:
        self.pace.note(now, self._ever_sent_bytes - _on_the_way_bytes(self._sock))
        if self.pace.is_given_up:
            raise TimeoutError(errno.ETIMEDOUT, "others want the place")

    # what is sent

    def begin(self, now: float) -> None:
        """Count from now on how fast it is taken."""
        self.began_at = self.moved_at = now
        self.sent_bytes = 0
        self._taken_bytes = -_on_the_way_bytes(self._sock)

    def look(self, now: float) -> None:
        """Note whether the other end has taken some of what the system has for it.

        That makes room for more only once a good part of it is gone, which is minutes for one that
        takes a kilobyte a second.
        """
        taken_bytes = self.sent_bytes - _on_the_way_bytes(self._sock)
        if taken_bytes > self._taken_bytes:
            self.moved_at = now
        self._taken_bytes = taken_bytes

    def push(self, steps: int = 1) -> bool:
        """Send what the socket takes, so many steps of a file at most; whether it took anything.

        Never waits for the other end. Raises OSError when that is gone, or the file is too short.
        """
        moved = self._push_bytes()
        while steps and self._left and not self._parts and self._push_file():
            moved = True
            steps -= 1
        return moved

    def _push_bytes(self) -> bool:
        if not self._parts:
            return False
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        self._parts.clear()
        self.backlog_bytes = len(data) - sent
        if not self.backlog_bytes:
            self.held_bytes = 0
        else:
            self._keep(memoryview(data)[sent:])
        return self._note(sent)

    def _keep(self, rest: memoryview) -> None:
        """Keep what was not taken: a view of an answer keeps all of it in memory."""
        whole = len(rest.obj)  # type: ignore[arg-type]  # bytes, for nothing else is sent
        if 2 * len(rest) < whole:
            self._parts.append(bytes(rest))
            whole = len(rest)
        else:
            self._parts.append(rest)
        self.held_bytes = whole

    def _push_file(self) -> bool:
        wanted = min(self._left, STEP_BYTES)
        try:
            sent = self._send_file(wanted)
        except BlockingIOError:
            return False
        if not sent:
            raise OSError(errno.EIO, "the file ended before its announced length")
        self._offset += sent
        self._left -= sent
        return self._note(sent)

    def _send_file(self, wanted: int) -> int:
        if not self._reads_file:
            try:
                return os.sendfile(self._sock.fileno(), self._file_fd, self._offset, wanted)
            except OSError as error:
                if error.errno not in _NO_SENDFILE:
                    raise
                self._reads_file = True
        data = os.pread(self._file_fd, wanted, self._offset)
        return self._sock.send(data) if data else 0

    def _note(self, sent: int) -> bool:
        if sent:
            self.sent_bytes += sent
            self._ever_sent_bytes += sent
            self.moved_at = time.monotonic()
        return sent > 0
