"""How long, how slow and how large requests may be, and how many connections are held at once.

docs/decisions/0038 says why these numbers.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

MAX_FIELD_BYTES: Final = 80 * 1024
"""Bytes of one header, its name included. Proxies pass on 64 KiB and add a few of their own."""
MAX_HEAD_BYTES: Final = 128 * 1024
"""Bytes of a request's line and headers together: long cookies and tokens of a sign-in proxy."""

HEAD_S: Final = 20.0
"""A request's head has to be there within so many seconds of its first byte."""
BODY_S: Final = 20.0
"""The seconds a body has before its rate counts."""
MIN_BODY_RATE: Final = 1024
"""Bytes of a body for which it has another second."""
MAX_BODY_S: Final = 120.0
"""The seconds a body has at most, at whatever rate."""
STALL_S: Final = 60.0
"""An answer of which nothing was taken for so many seconds is given up."""
LINGER_S: Final = 2.0
"""How long a connection that was answered for the last time may go on sending."""
STOP_IDLE_S: Final = 2.0
"""How long a connection may stay idle once the server is asked to end."""

MAX_BODY_BYTES: Final = 1024 * 1024
"""A longer body is refused unread. The site itself takes half of it as fields of a form."""
MAX_HELD_BYTES: Final = 32 * 1024 * 1024
"""Bytes of requests in memory, of all connections together."""
SPARED_BYTES: Final = 16 * 1024
"""A connection that holds no more is not closed for want of memory."""
MAX_UNSENT_BYTES: Final = 64 * 1024 * 1024
"""Bytes of answers in memory that were made and are not taken, of all connections together; files
are sent from the disk, and do not count."""
MAX_LINGER_BYTES: Final = 2 * MAX_BODY_BYTES
"""Bytes that are read and thrown away so that a refused sender sees why."""
SMALL_PIECE_BYTES: Final = 512
MAX_SMALL_PIECES: Final = 32
"""Small pieces a request may arrive in before it is looked at only once a second."""

_MAX_DESCRIPTORS: Final = 65_536
_MAX_CONNECTIONS: Final = 8192


def raise_descriptor_limit() -> int:
    """Let this process open as many files as the system allows, 65,536 at most; how many that is.

    Some systems name a limit without an end and refuse to set it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return _MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def connections_at_once(descriptors: int) -> int:
    """How many connections may be open, given how many descriptors.

    A third of them: each may have a file besides, and database, Redis and log want theirs.
    """
    return max(8, min(_MAX_CONNECTIONS, descriptors // 3))


def connections_per_address(connections: int) -> int:
    """How many of the connections one address may have while others want some: a quarter."""
    return max(4, connections // 4)
