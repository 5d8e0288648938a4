"""What a Redis server was asked, by whoever asked it: its own MONITOR, read in the background."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

from tests.integration.conftest import RedisServer, eventually

IDLE: Final = re.compile(
    r"(PING|HELLO|CLIENT|AUTH|SELECT|ECHO|MULTI|EXEC|LLEN)\b"
    r"|BRPOP aside |LPUSH aside "
    r"|\w+ storykeep:(workers|processes|swept|clock|lease|log|way:\w+ unready)\b"
)
"""Commands that come with the time, or with a connection, and not with a line."""


class Monitor:
    """Commands of clients in their order: those within scripts are not among them."""

    def __init__(self, server: RedisServer) -> None:
        self._client = server.client()
        self._commands: list[str] = []
        self._inner = 0
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        assert self._begun.wait(10)
        self._marks = server.client()

    def _read(self) -> None:
        with self._client.monitor() as monitor:  # type: ignore[no-untyped-call]
            self._begun.set()
            for entry in monitor.listen():
                if entry["client_type"] == "lua":
                    self._inner += 1
                else:
                    self._commands.append(entry["command"])
                    if entry["command"] == "ECHO the end":
                        return

    def stop(self) -> None:
        """Read no more."""
        self._marks.echo("the end")
        self._thread.join(10)
        self._marks.close()
        self._client.close()

    def position(self) -> int:
        """How many commands came until now; all of them were read."""
        mark = f"ECHO {uuid4()}"
        self._marks.echo(mark.removeprefix("ECHO "))
        eventually(lambda: mark in self._commands)
        return self._commands.index(mark)

    def about_lines(self, since: int, until: int) -> Counter[str]:
        """Commands between two positions that lines are the reason for, by their first words.

        A worker that waits asks for its next message once a second: each message counts as one.
        """
        found = [text for text in self._commands[since:until] if not IDLE.match(text)]
        named: Counter[str] = Counter()
        for text in found:
            if text.startswith("EVAL "):
                keys = sorted(set(re.findall(r"storykeep:[a-z_]+", text)))
                named[f"EVAL {' '.join(keys)}"] += 1
            else:
                word, _, rest = text.partition(" ")
                key = re.match(r"storykeep:[a-z_]+|", rest)
                named[f"{word} {key[0] if key else ''}"] += 1
        polls = [text for text in found if text.startswith("BRPOP ")]
        messages = [text for text in found if text.startswith("LPUSH ")]
        named["BRPOP "] = min(len(polls), len(messages))
        return named


@contextmanager
def monitored(server: RedisServer) -> Iterator[Monitor]:
    """A monitor of this server, until the end."""
    monitor = Monitor(server)
    try:
        yield monitor
    finally:
        monitor.stop()
