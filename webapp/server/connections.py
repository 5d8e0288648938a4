"""The connections of the server: what each is doing, and which goes when there are too many.

Nobody new is refused. When places or memory run short, those that wait make room: they hold no
answer, and a browser whose idle connection is gone opens another without a word.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

from webapp.server import limits
from webapp.server.incoming import Incoming
from webapp.server.outgoing import Outgoing


class Doing(Enum):
    """What a connection is doing."""

    IDLE = auto()
    """Nothing: no byte of a request has come."""
    READING = auto()
    """A part of a request is there."""
    WORKING = auto()
    """A request is with a thread, or its answer is on the way."""
    LINGERING = auto()
    """Answered for the last time: what still comes is thrown away."""


class Connection:
    """One connection and all that is known of it.

    deadline: when it is closed unless something happens first, by the monotonic clock. began: when
    the request at hand did. keep: whether another request may follow. small_pieces: how often
    little came of this request. is_registered: whether the loop is told of what arrives.
    """

    def __init__(
        self, sock: socket.socket, client: Any, server: Any, config: Any, deadline: float
    ) -> None:
        self.sock, self.client, self.server = sock, client, server
        self.address = address_of(client)
        self.incoming = Incoming(config, client)
        self.outgoing = Outgoing(sock)
        self.doing = Doing.IDLE
        self.deadline = deadline
        self.began = 0.0
        self.keep = False
        self.small_pieces = 0
        self.lingered_bytes = 0
        self.is_registered = False
        self.held_bytes = 0


def address_of(client: Any) -> str:
    """Whom a connection is counted for: an IPv4 address, or the /64 of an IPv6 address."""
    host = client[0] if isinstance(client, tuple) else ""
    if ":" not in host:
        return str(host)
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


class Connections:
    """All connections, and those that wait by address, longest wait first.

    most: how many there may be. per_address: how many of one address; it stands in for another one
    of the same address then. Called from the loop's thread alone.
    """

    def __init__(self, most: int, per_address: int) -> None:
        self.most, self.per_address = most, per_address
        self.held_bytes = 0
        self._all: dict[Connection, None] = {}
        self._count: dict[str, int] = {}
        self._waiting: dict[str, dict[Connection, None]] = {}
        self._large: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._all))

    def waiting(self) -> list[Connection]:
        """All that wait for their other end."""
        return [connection for group in self._waiting.values() for connection in group]

    def add(self, connection: Connection) -> None:
        """Count a new connection, which waits."""
        self._all[connection] = None
        self._count[connection.address] = self._count.get(connection.address, 0) + 1
        self.wait(connection)

    def wait(self, connection: Connection) -> None:
        """Note that a connection waits, from now on if it did not."""
        self._waiting.setdefault(connection.address, {})[connection] = None

    def work(self, connection: Connection) -> None:
        """Note that a connection is worked for, and not to be closed."""
        group = self._waiting.get(connection.address)
        if group is not None:
            group.pop(connection, None)
            if not group:
                del self._waiting[connection.address]

    def remove(self, connection: Connection) -> None:
        """Forget a connection."""
        if connection not in self._all:
            return
        self.work(connection)
        self.hold(connection, 0)
        del self._all[connection]
        self._count[connection.address] -= 1
        if not self._count[connection.address]:
            del self._count[connection.address]

    def hold(self, connection: Connection, held_bytes: int) -> None:
        """Note how many bytes of requests a connection has in memory."""
        self.held_bytes += held_bytes - connection.held_bytes
        connection.held_bytes = held_bytes
        if held_bytes > limits.SPARED_BYTES:
            self._large[connection] = None
        else:
            self._large.pop(connection, None)

    def has_room(self) -> bool:
        """Whether there may be one more, be it in the place of one that waits."""
        return len(self) < self.most or bool(self._waiting)

    def to_make_room_for(self, address: str) -> Connection | None:
        """The connection to close so that `address` may have one more; None: there is room.

        Raises LookupError when there is none, and none that could go.
        """
        if self._count.get(address, 0) >= self.per_address and address in self._waiting:
            return next(iter(self._waiting[address]))
        if len(self) < self.most:
            return None
        return self.longest_waiting()

    def longest_waiting(self) -> Connection:
        """The one that has waited longest, of the address that has most. Raises LookupError."""
        if not self._waiting:
            raise LookupError
        most = max(self._waiting, key=lambda address: self._count[address])
        return next(iter(self._waiting[most]))

    def largest_beyond_memory(self) -> Connection | None:
        """The one to close because requests take too much memory; None while they do not."""
        if self.held_bytes <= limits.MAX_HELD_BYTES:
            return None
        # Of thousands that are spared none is looked at, for this is asked with every piece.
        waiting = (one for one in self._large if one in self._waiting.get(one.address, ()))
        return max(waiting, key=lambda one: one.held_bytes, default=None)
