"""The log as JSON, one object a line: its formatter, and what else would write plain lines."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Final

from django.conf import settings
from django.core.management.base import OutputWrapper

from webapp.processes import json_lines

_IDS: Final = re.compile(
    r"\b(item|job|package|artifact) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b"
    r"|\b(bug) ([0-9a-f]{8})\b"
)
"""Ids as messages of ours name them; each becomes a field."""
_PARTS: Final = ("web", "worker", "scheduler")


def process_name() -> str:
    """The part this process plays: `web`, `worker`, `scheduler`, or `manage` for a command."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    name = (spec.name if spec else "").rpartition(".")[2]
    return name if name in _PARTS else "manage"


def write_refusal(logger: str, lines: Iterable[str]) -> None:
    """Write why this process ends, as lines of the log, also before there are settings."""
    name = "storykeep" if sys.argv[1:2] == ["up"] else process_name()
    for message in lines:
        text = json_lines.line(
            at=time.time(),
            level="CRITICAL",
            logger=logger,
            message=message,
            process=name,
            pid=os.getpid(),
        )
        sys.stderr.write(f"{text}\n")


class JsonLines(logging.Formatter):
    """A record as a JSON object: what a plain line says of it, and nothing more."""

    def format(self, record: logging.LogRecord) -> str:
        """The object; a record that cannot be put into words says what it was to be made of."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  # a line with a bug in it is a line all the same
            message = f"{record.msg!r} with other arguments than it takes"
        exception = record.exc_text or ""
        if record.exc_info and not exception:
            exception = self.formatException(record.exc_info)
        if record.stack_info:
            exception = f"{exception}\n{self.formatStack(record.stack_info)}".strip()
        return json_lines.line(
            at=record.created,
            level=record.levelname,
            logger=record.name,
            message=message,
            process=process_name(),
            pid=os.getpid(),
            exception=exception,
            ids=_ids(message),
        )


def _ids(message: str) -> dict[str, str]:
    """Kind → id, the first of each kind that a message names."""
    ids: dict[str, str] = {}
    for item, item_id, bug, bug_id in _IDS.findall(message):
        ids.setdefault(item or bug, item_id or bug_id)
    return ids


class JsonOutput(OutputWrapper):
    """What a command prints, as lines of the log."""

    def write(  # type: ignore[override]  # as Django's own
        self, msg: str = "", style_func: object = None, ending: str | None = None
    ) -> None:
        """Write each line of the text, without the name of who speaks in front."""
        for text in msg.splitlines():
            said = text.removeprefix("storykeep | ")
            line = json_lines.line(
                at=time.time(),
                level="INFO",
                logger="output",
                message=said,
                process="storykeep",
                pid=os.getpid(),
            )
            super().write(line, ending="\n")


def take_over() -> None:
    """Have handlers of libraries, warnings and crashes write JSON as well, where that is asked for.

    Called once the libraries have set up their own.
    """
    if settings.STORYKEEP.log_format != "json":
        return
    loggers = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    for handler in (handler for logger in loggers for handler in logger.handlers):
        if isinstance(handler, logging.StreamHandler):
            handler.setFormatter(JsonLines())
    logging.captureWarnings(True)
    sys.excepthook = _crashed
    threading.excepthook = _thread_crashed


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger(__name__).critical("this process ends", exc_info=(kind, error, trace))


def _thread_crashed(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_type is SystemExit or crash.exc_value is None:
        return
    name = crash.thread.name if crash.thread else ""
    logging.getLogger(__name__).error(
        "thread %s ends", name, exc_info=(crash.exc_type, crash.exc_value, crash.exc_traceback)
    )
