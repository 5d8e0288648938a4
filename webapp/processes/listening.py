"""The socket the web server listens on: bound once by `manage.py up`, kept by its supervisor.

A web server that is replaced finds it as the one before left it: whoever asks meanwhile waits for
an answer instead of being turned away.
"""

from __future__ import annotations

import socket
from typing import Final

BACKLOG: Final = 1024
"""Connections that may wait to be accepted; the system's own limit may be lower."""

UNSENT_BYTES: Final = 256 * 1024
"""What a connection may leave unsent with the system, which by itself takes megabytes for each slow
reader. What is under way to a fast one does not count."""


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to an address, which refuses connections until somebody listens on it.

    host: an IP address, or a name, which is looked up as IPv4. Raises OSError.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def inherit(fd: int) -> socket.socket:
    """The socket somebody bound for this process and left open for it. Raises OSError."""
    return socket.socket(fileno=fd)
