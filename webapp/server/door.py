"""The door of the server: it accepts connections, and makes room for them where there is none."""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from webapp.server.connections import Connection, Connections

AT_ONCE: Final = 64
"""Connections that are accepted before the others have their turn again."""
_OUT_OF_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_LOST_ALREADY: Final = frozenset(
    {
        errno.ECONNABORTED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EPERM,
        errno.EPROTO,
    }
)
"""What Linux says of a connection that broke while it waited, or that a firewall forbids."""


class Door:
    """Accepts connections while it is open.

    config: Gunicorn's. welcome: called with each new connection, which is counted by then. close:
    called with one that has to make room. give_up_slowest: called where none that waits can go; the
    door shuts then, and callers wait in the system's queue until it is opened again.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        *,
        selector: selectors.BaseSelector,
        connections: Connections,
        config: Any,
        welcome: Callable[[Connection], None],
        close: Callable[[Connection], None],
        give_up_slowest: Callable[[], None],
    ) -> None:
        self._listeners, self._selector, self._connections = listeners, selector, connections
        self._config, self._welcome, self._close = config, welcome, close
        self._give_up_slowest = give_up_slowest
        self._is_open = False

    def open(self) -> None:
        """Accept from now on."""
        if not self._is_open:
            self._is_open = True
            for listener in self._listeners:
                listener.setblocking(False)
                accept = partial(self._accept, listener)
                self._selector.register(listener, selectors.EVENT_READ, accept)

    def shut(self) -> None:
        """Accept nothing more."""
        if self._is_open:
            self._is_open = False
            for listener in self._listeners:
                self._selector.unregister(listener)

    def _accept(self, listener: socket.socket) -> None:
        if not self._connections.has_room():  # and somebody is there
            self._wait_for_a_place()
        for _ in range(AT_ONCE):
            if not self._connections.has_room():
                return
            try:
                sock, client = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _LOST_ALREADY:
                    return
                if error.errno not in _OUT_OF_DESCRIPTORS:
                    raise
                self._give_up_the_longest_wait()
                return
            sock.setblocking(False)
            deadline = time.monotonic() + self._config.keepalive
            connection = Connection(sock, client, listener.getsockname(), self._config, deadline)
            while (leaving := self._connections.to_make_room_for(connection.address)) is not None:
                self._close(leaving)
            self._connections.add(connection)
            self._welcome(connection)

    def _give_up_the_longest_wait(self) -> None:
        try:
            self._close(self._connections.longest_waiting())
        except LookupError:
            self._wait_for_a_place()

    def _wait_for_a_place(self) -> None:
        self.shut()
        self._give_up_slowest()
