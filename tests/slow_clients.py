"""Clients that send or read as slowly as they like, many at once and from one thread."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

Address = tuple[str, int]

HALF_A_HEAD: Final = b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: sess"
DRIP: Final = b"GET /?" + b"a" * 4000
"""The beginning of a request, to be sent byte by byte."""
DRIP_EVERY_S: Final = 1.0


def sign_in_head(length: int) -> bytes:
    """The head of a sign-in whose body has so many bytes."""
    lines = (
        "POST /login/ HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {length}",
        "",
        "",
    )
    return "\r\n".join(lines).encode()


class SlowClients:
    """Connections that are open, each of which has sent what it was given."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.all: list[socket.socket] = []
        self._dripping: list[socket.socket] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)
        self._thread.start()

    def connect(self, count: int, sent: bytes = b"", *, window: int = 0) -> list[socket.socket]:
        """So many more. window: bytes of an answer each can hold, 0 for the system's choice."""
        made = []
        for _ in range(count):
            caller = socket.socket()
            if window:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            caller.settimeout(30)
            caller.connect(self._address)
            if sent:
                caller.sendall(sent)
            made.append(caller)
        self.all += made
        return made

    def drip(self, count: int) -> list[socket.socket]:
        """So many more, which send a byte of a request every second."""
        made = self.connect(count)
        self._dripping = [*self._dripping, *made]
        return made

    def _drip(self) -> None:
        position = 0
        while not self._ended.wait(DRIP_EVERY_S):
            for caller in self._dripping:
                try:
                    caller.send(DRIP[position : position + 1])
                except OSError:
                    continue
            position += 1

    def close(self) -> None:
        """End all."""
        self._ended.set()
        self._thread.join()
        for caller in self.all:
            caller.close()


@contextmanager
def slow_clients(address: Address) -> Iterator[SlowClients]:
    """Slow clients of a server, ended in the end."""
    clients = SlowClients(address)
    try:
        yield clients
    finally:
        clients.close()


def still_open(callers: list[socket.socket]) -> int:
    """How many of them the server has neither closed nor answered."""
    count = 0
    for caller in callers:
        caller.setblocking(False)
        try:
            caller.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            count += 1
        except OSError:
            pass
        caller.settimeout(30)
    return count


def read_all(callers: list[socket.socket], within_s: float = 60) -> list[bytes]:
    """What each of them is sent until it is closed, read side by side."""
    got = {caller: bytearray() for caller in callers}
    left = set(callers)
    with selectors.DefaultSelector() as selector:
        for caller in callers:
            selector.register(caller, selectors.EVENT_READ, caller)
        while left:
            ready = selector.select(within_s)
            if not ready:
                break
            for key, _ in ready:
                caller = key.data
                data = caller.recv(1 << 16)
                got[caller] += data
                if not data:
                    selector.unregister(caller)
                    left.discard(caller)
    return [bytes(got[caller]) for caller in callers]
