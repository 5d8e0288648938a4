"""Pushing a value onto a list in Redis, over a plain socket: for a process with no room for a
library. Standard library only.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

TIMEOUT_S: Final = 2.0
"""Seconds to wait for each answer. A Redis that hangs holds the caller for no more than a few."""
_PORT: Final = 6379
_ANSWER_MAX: Final = 1024


class Refused(Exception):
    """Redis answered with an error; str() is the word at its head (`READONLY`, `MISCONF`, …)."""


class Address(NamedTuple):
    """Where a Redis server is, and as whom to go there. path: its Unix socket; "" for host and
    port. user: "" with a password alone. (A dataclass would cost a fifth of the process.)"""

    path: str = ""
    host: str = ""
    port: int = _PORT
    user: str = ""
    password: str = ""
    database: int = 0


def parse(url: str) -> Address | None:
    """The address a URL names, as redis-py reads it; None for one that takes a library to reach:
    over TLS, or with options."""
    from urllib.parse import parse_qs, unquote, urlsplit  # what pushes need not know it

    parts = urlsplit(url)
    query = parse_qs(parts.query)
    numbers = query.pop("db", [parts.path.strip("/") or "0"] if parts.scheme == "redis" else ["0"])
    if query or not numbers[0].isdecimal():
        return None
    common: dict[str, Any] = {
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": int(numbers[0]),
    }
    if parts.scheme == "unix":
        return Address(path=unquote(parts.path), **common)
    if parts.scheme == "redis":
        return Address(host=unquote(parts.hostname or ""), port=parts.port or _PORT, **common)
    return None


def push(address: Address, key: str, value: str) -> None:
    """Push a value to the left of a list, on a connection of its own: one that is kept is forgotten
    by gateways. Raises OSError when Redis does not answer, and Refused."""
    commands = list(_commands(address, key, value))
    with _connect(address) as connection:
        connection.sendall(b"".join(_encode(command) for command in commands))
        with connection.makefile("rb") as answers:
            for _ in commands:
                answer = answers.readline(_ANSWER_MAX)
                if answer.startswith(b"-"):
                    raise Refused(answer[1:].decode(errors="replace").partition(" ")[0].strip())
                if not answer.endswith(b"\r\n"):
                    raise ConnectionError("the answer breaks off")


def _commands(address: Address, key: str, value: str) -> Iterator[tuple[str, ...]]:
    if address.user or address.password:
        yield ("AUTH", *filter(None, [address.user]), address.password)
    if address.database:
        yield ("SELECT", str(address.database))
    yield ("LPUSH", key, value)


def _connect(address: Address) -> socket.socket:
    if not address.path:
        return socket.create_connection((address.host, address.port), timeout=TIMEOUT_S)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(TIMEOUT_S)
        connection.connect(address.path)
    except OSError:
        connection.close()
        raise
    return connection


def _encode(words: tuple[str, ...]) -> bytes:
    """A command as Redis' protocol writes it: an array of strings with their lengths."""
    lines = [b"*%d" % len(words)]
    for word in words:
        data = word.encode()
        lines += [b"$%d" % len(data), data]
    return b"\r\n".join([*lines, b""])
