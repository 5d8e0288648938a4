"""The last warnings and errors of every process, for the System page: a capped list in Redis.

The log itself is what each process writes to stderr. This is a copy of its last lines that may be
lost, and that holds no names of accounts, no queries and no tokens: a line is cleaned before it
leaves its process, and of an exception only its type and place are kept, for its words may quote
anything.
"""

from __future__ import annotations

import json
import logging
import threading
import traceback
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, cast

from jobs.ephemeral import values
from jobs.ephemeral.connection import RedisUnavailable, execute
from jobs.text import clean_text, scrub

MAX_LINES: Final = 200
"""So many lines are kept of all processes together."""
MAX_LENGTH: Final = 300
"""Characters of a message that are kept."""
LEFT_OUT: Final = "django.request"
"""A logger whose lines repeat addresses, of everyone who scans the network as well. Of a page that
crashes, `webapp.error_pages` logs a line of its own."""
_LINES: Final = "storykeep:log"
_PROJECT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of the log. process: `web`, `worker`, `scheduler`; level: `WARNING` or above."""

    at: datetime
    process: str
    level: str
    logger: str
    text: str

    @property
    def failing(self) -> bool:
        """Whether it is an error, and not merely a warning."""
        return self.level in {"ERROR", "CRITICAL"}


class RecentLines(logging.Handler):
    """A handler that sends warnings and errors to Redis, from a thread that lives while there are
    any: whoever logs never waits."""

    def __init__(self, process: str) -> None:
        super().__init__(logging.WARNING)
        self.process = process
        self._pending: deque[str] = deque(maxlen=MAX_LINES)
        self._sending = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line; sent a moment later, dropped when Redis does not take it."""
        if record.name == LEFT_OUT:
            return
        try:
            self._pending.append(json.dumps(self._facts(record)))
        except Exception:  # noqa: BLE001  # a line with a bug in it must not become a second one
            self.handleError(record)
            return
        if not self._sending.locked():
            with suppress(RuntimeError):  # the process ends
                threading.Thread(target=self.send, name="log lines", daemon=True).start()

    def _facts(self, record: logging.LogRecord) -> dict[str, object]:
        text = scrub(clean_text(record.getMessage(), 2 * MAX_LENGTH), MAX_LENGTH)
        if record.exc_info and record.exc_info[0]:
            text += f" [{_crash(record.exc_info)}]"
        return {
            "at": record.created,
            "process": self.process,
            "level": record.levelname,
            "logger": record.name,
            "text": text,
        }

    def send(self) -> None:
        """Send what is pending. Of two threads the second leaves it to the first."""
        while self._pending and self._sending.acquire(blocking=False):
            try:
                lines = [self._pending.popleft() for _ in range(len(self._pending))]
                _push(lines)
            finally:
                self._sending.release()


def _push(lines: list[str]) -> None:
    with suppress(RedisUnavailable):
        execute(lambda server: server.lpush(_LINES, *lines))
        execute(lambda server: server.ltrim(_LINES, 0, MAX_LINES - 1))


def _crash(exc_info: object) -> str:
    """Type of an exception and the innermost line of ours: `KeyError in jobs/tasks.py:41`."""
    kind, _error, trace = cast("tuple[type[BaseException], BaseException, object]", exc_info)
    places = [
        f"{Path(frame.filename).relative_to(_PROJECT)}:{frame.lineno}"
        for frame in traceback.extract_tb(trace)  # type: ignore[arg-type]  # of sys.exc_info()
        if Path(frame.filename).is_relative_to(_PROJECT) and ".venv" not in frame.filename
    ]
    return f"{kind.__name__} in {places[-1]}" if places else kind.__name__


def keep(process: str) -> None:
    """Have this process' warnings and errors kept from now on."""
    logging.getLogger().addHandler(RecentLines(process))


def recent() -> list[LogLine]:
    """The last lines, newest first. Raises RedisUnavailable."""
    lines = execute(lambda server: cast("list[str]", server.lrange(_LINES, 0, MAX_LINES - 1)))
    found = [line for text in lines if (line := _parse(text))]
    return sorted(found, key=lambda line: line.at, reverse=True)


def _parse(text: str) -> LogLine | None:
    """A line as it is kept; None for what is none of ours, which leaves with the oldest lines."""
    facts = values.record(text) or {}
    at = values.moment(facts.get("at"))
    names = ("process", "level", "logger", "text")
    words = [values.text(facts.get(name), 4 * MAX_LENGTH) for name in names]
    process, level, logger_name, said = words
    if at is None or process is None or level is None or logger_name is None or said is None:
        return None
    return LogLine(at=at, process=process, level=level, logger=logger_name, text=said)
