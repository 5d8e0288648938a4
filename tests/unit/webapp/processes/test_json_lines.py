"""A line of the log as one JSON object."""

from __future__ import annotations

import json
from typing import Any

import pytest

from webapp.processes import json_lines

FACTS: dict[str, Any] = {
    "at": 1_795_000_000.25,
    "level": "INFO",
    "logger": "jobs.queue.settling",
    "message": "item done",
    "process": "worker",
    "pid": 7,
}


def test_a_line_says_when_in_utc_who_and_what() -> None:
    assert json.loads(json_lines.line(**FACTS)) == {
        "time": "2026-11-18T11:06:40.250Z",
        "level": "INFO",
        "logger": "jobs.queue.settling",
        "message": "item done",
        "process": "worker",
        "pid": 7,
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("one\nand\r\nanother", id="line feeds"),
        pytest.param("one\u2028another\u0085third", id="other ends of lines"),
        pytest.param("half \ud83d of a character", id="half of a character"),
        pytest.param('"}\x00\x1b[31m', id="controls"),
    ],
)
def test_no_text_breaks_a_line(text: str) -> None:
    line = json_lines.line(**FACTS | {"message": text, "exception": text})
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == text.replace("\ud83d", "?")


@pytest.mark.parametrize("character", ["x", "\N{GRINNING FACE}", "\n"])
@pytest.mark.parametrize("name", ["message", "exception"])
def test_a_long_text_loses_its_middle(name: str, character: str) -> None:
    line = json_lines.line(**FACTS | {name: f"begin{character * 100_000}end"})
    assert len(line) <= json_lines.MAX_BYTES
    text = json.loads(line)[name]
    assert text.startswith("begin")
    assert text.endswith("end")


def wrapped(output: bytes) -> bytes:
    return json_lines.wrapped(output, at=0.0, process="redis", pid=9)


def test_what_a_process_prints_becomes_a_line_of_its_own() -> None:
    fields = json.loads(wrapped(b"# Ready \xff to accept"))
    assert fields == {
        "time": "1970-01-01T00:00:00.000Z",
        "level": "INFO",
        "logger": "output",
        "message": "# Ready \N{REPLACEMENT CHARACTER} to accept",
        "process": "redis",
        "pid": 9,
    }


def test_a_line_of_the_log_stays_as_it_is() -> None:
    line = json_lines.line(**FACTS).encode()
    assert wrapped(line) == line


@pytest.mark.parametrize(
    "output",
    [
        b'{"time": "2026',
        b'{"time": "2026"}',
        b'{"time": "now", "level": "INFO", "message": "\xff"}',
        b'{"time": "' + b"[" * 50_000 + b"}",
        b"",
    ],
)
def test_what_only_looks_like_one_is_a_text(output: bytes) -> None:
    assert json.loads(wrapped(output))["logger"] == "output"
