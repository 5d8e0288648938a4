"""The log as JSON: what a line holds, and that it is the only kind of line."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest

from webapp import log_format


def record(message: str, *args: object, **facts: Any) -> logging.LogRecord:
    made = logging.LogRecord("jobs.tasks", logging.WARNING, __file__, 1, message, args, None)
    vars(made).update(facts)
    return made


def fields(made: logging.LogRecord) -> dict[str, Any]:
    line = log_format.JsonLines().format(made)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def test_ids_that_a_message_names_are_fields() -> None:
    item, job = uuid4(), uuid4()
    found = fields(
        record("item %s of job %s waits for item %s, bug %s", item, job, job, "0a1b2c3d")
    )
    assert (found["item"], found["job"], found["bug"]) == (str(item), str(job), "0a1b2c3d")
    assert "item" not in fields(record("item 12 of somebody"))


def test_a_line_says_no_more_than_a_plain_one() -> None:
    """What a library hangs on a record, a whole request for one, stays out."""
    found = fields(record("a page", request="GET /join/secret", status_code=500))
    assert set(found) == {"time", "level", "logger", "message", "process", "pid"}


def test_an_exception_is_a_field() -> None:
    error = ValueError("broken\nin two")
    found = fields(record("it failed", exc_info=(ValueError, error, None)))
    assert found["message"] == "it failed"
    assert found["exception"] == "ValueError: broken\nin two"


def test_a_line_with_a_bug_in_it_is_a_line() -> None:
    assert "%d of %d" in fields(record("%d of %d", "three"))["message"]


@pytest.fixture
def other_log() -> Iterator[io.StringIO]:
    """The log of a library that has set up a handler of its own."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("some.library")
    logger.addHandler(handler)
    logger.propagate = False
    yield stream
    logger.removeHandler(handler)
    logging.captureWarnings(False)


@pytest.fixture
def _hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)


@pytest.mark.usefixtures("_hooks")
def test_libraries_write_json_as_well(other_log: io.StringIO, set_env: Callable[..., None]) -> None:
    log_format.take_over()
    logging.getLogger("some.library").warning("as before")
    set_env(log_format="json")
    log_format.take_over()
    logging.getLogger("some.library").warning("now\nthis")
    plain, line = other_log.getvalue().splitlines()
    assert plain == "as before"
    assert json.loads(line)["message"] == "now\nthis"


@pytest.mark.usefixtures("_hooks", "other_log")
def test_warnings_and_crashes_are_lines_of_the_log(
    set_env: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    set_env(log_format="json")
    log_format.take_over()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("soon gone", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    thread = threading.Thread(target=lambda: 1 // 0, name="counting")
    thread.start()
    thread.join(10)
    sys.excepthook(KeyError, KeyError("key"), None)
    told = [(line.name, line.getMessage()) for line in caplog.records]
    assert told[0][0] == "py.warnings"
    assert told[1:] == [
        ("webapp.log_format", "thread counting ends"),
        ("webapp.log_format", "this process ends"),
    ]


def test_a_command_prints_lines_of_the_log() -> None:
    out = io.StringIO()
    log_format.JsonOutput(out).write("storykeep | preparing\nand going on", ending="")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["preparing", "and going on"]
    assert {line["process"] for line in lines} == {"storykeep"}


@pytest.mark.parametrize(
    ("module", "part"),
    [("webapp.web", "web"), ("webapp.worker", "worker"), ("tools.make_icons", "manage")],
)
def test_a_process_knows_its_part(module: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the module it was started with; whatever is no part of an instance is a command."""
    main = ModuleType("__main__")
    main.__spec__ = ModuleSpec(module, None)
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert log_format.process_name() == part
