"""The last lines of the log: capped, cleaned before they leave, and never waited for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jobs.ephemeral import log_lines
from jobs.ephemeral.connection import RedisUnavailable


class Lines:
    """The commands in use, on a list."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def lpush(self, _key: str, *lines: str) -> None:
        for line in lines:
            self.kept.insert(0, line)

    def ltrim(self, _key: str, first: int, last: int) -> None:
        self.kept = self.kept[first : last + 1]

    def lrange(self, _key: str, first: int, last: int) -> list[str]:
        return self.kept[first : last + 1]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Lines:
    """Stands in for Redis."""
    lines = Lines()
    monkeypatch.setattr(log_lines, "execute", lambda question: question(lines))
    return lines


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """A logger whose lines are kept, each sent before its call returns."""
    monkeypatch.setattr(threading.Thread, "start", lambda thread: thread.run())
    logger = logging.getLogger("storykeep.test")
    handler = log_lines.RecentLines("worker")
    loggers = (logger, logging.getLogger("django.request"))
    for each in loggers:
        each.addHandler(handler)
    yield logger
    for each in loggers:
        each.removeHandler(handler)


@pytest.mark.usefixtures("server")
def test_warnings_and_errors_are_kept_newest_first(logger: logging.Logger) -> None:
    logger.info("all is well")
    logging.getLogger("django.request").warning("Not Found: /join/token/")
    logger.warning("TikTok refuses this server (%s): pausing %.0f s", "refused", 60.0)
    logger.error("item crashed")
    error, warning = log_lines.recent()
    assert (error.text, error.level, error.failing) == ("item crashed", "ERROR", True)
    assert warning.text == "TikTok refuses this server (refused): pausing 60 s"
    assert (warning.process, warning.logger, warning.failing) == (
        "worker", "storykeep.test", False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("found @nora.films there", "found @… there"),
        ("https://v16.example/x?signature=abc&ttwid=1 fails", "https://v16.example/x?… fails"),
        ("postgres://keep:hunter2@db/keep is away", "postgres://…@…/keep is away"),
        ("token AbCdEfGhIjKlMnOpQrStUvWx", "token …"),
        ("two\nlines\x1b[31m", "two lines [31m"),
        ("x " * 400, ("x " * 150)),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("server")
def test_what_a_line_may_not_hold(logger: logging.Logger, line: str, kept: str) -> None:
    logger.warning(line)
    assert log_lines.recent()[0].text.strip() == kept.strip()


def test_of_a_crash_type_and_place_are_kept(server: Lines, logger: logging.Logger) -> None:
    try:
        {"": 1}["@nora.films https://signed.example"]
    except KeyError:
        logger.exception("item %s crashed", 7)
    (line,) = log_lines.recent()
    assert line.text.startswith("item 7 crashed [KeyError in tests/unit/jobs/ephemeral/test_log_")
    assert "nora" not in "".join(server.kept)
    assert "signed" not in "".join(server.kept)


def test_the_list_does_not_grow(server: Lines, logger: logging.Logger) -> None:
    for number in range(log_lines.MAX_LINES + 20):
        logger.warning("number %d", number)
    assert len(server.kept) == log_lines.MAX_LINES
    assert log_lines.recent()[0].text == f"number {log_lines.MAX_LINES + 19}"


def test_without_redis_a_line_is_dropped_and_nothing_raised(
    monkeypatch: pytest.MonkeyPatch, logger: logging.Logger
) -> None:
    """Redis that is away is logged as well: no line leads to another one."""
    asked = []

    def away(_question: Callable[[Any], Any]) -> None:
        asked.append(1)
        if len(asked) < 3:
            logger.warning("Redis is away")
        raise RedisUnavailable

    monkeypatch.setattr(log_lines, "execute", away)
    logger.warning("first")
    assert len(asked) == 3
    with pytest.raises(RedisUnavailable):
        log_lines.recent()


@pytest.mark.usefixtures("server")
def test_a_line_with_a_bug_in_it_is_no_second_one(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.warning("%d lines", "many")
    logger.warning("goes on")
    assert [line.text for line in log_lines.recent()] == ["goes on"]


def test_it_is_added_to_all_loggers(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    log_lines.keep("web")
    (added,) = set(root.handlers) - set(before)
    root.removeHandler(added)
    assert isinstance(added, log_lines.RecentLines)
    assert (added.process, added.level) == ("web", logging.WARNING)
