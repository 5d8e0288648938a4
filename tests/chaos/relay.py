"""A relay in front of a server, as slow as one likes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

CHUNK = 65536


@dataclass
class Relay:
    """Passes on what comes to `port`. delay_s: seconds each piece is held, in both directions."""

    port: int
    delay_s: float = 0.0

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                time.sleep(self.delay_s)
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _connected(self, near: socket.socket, to_port: int) -> None:
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", to_port)) as far:
            back = threading.Thread(target=self._pass_on, args=(far, near), daemon=True)
            back.start()
            self._pass_on(near, far)
            back.join()

    def serve(self, listener: socket.socket, to_port: int) -> None:
        """Accept until the listener is closed."""
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=self._connected, args=(near, to_port), daemon=True).start()


@contextmanager
def relay_to(port: int) -> Iterator[Relay]:
    """A relay to a port of the loopback, as fast as it can be until told otherwise."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(listener.getsockname()[1])
        accepting = threading.Thread(target=relay.serve, args=(listener, port), daemon=True)
        accepting.start()
        yield relay
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
