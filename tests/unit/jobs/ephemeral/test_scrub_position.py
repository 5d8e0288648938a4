"""Where the reading of files has come to, with a Redis that is one value."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.ephemeral import scrub_position
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.scrub_position import ScrubPosition


class Value:
    """The commands in use, on one value."""

    text: str | None = None

    def get(self, _key: str) -> str | None:
        return self.text

    def set(self, _key: str, text: str) -> None:
        self.text = text


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Value:
    value = Value()
    monkeypatch.setattr(scrub_position, "execute", lambda question: question(value))
    monkeypatch.setattr(scrub_position, "write", lambda question: question(value))
    return value


@pytest.mark.parametrize("number", [0, 1, (1 << 128) - 1])
def test_it_comes_back_as_it_was(server: Value, number: int) -> None:
    assert scrub_position.load() is None
    scrub_position.store(ScrubPosition(number, 17.25))
    assert scrub_position.load() == ScrubPosition(number, 17.25)


@pytest.mark.parametrize("text", ["", "x y", "1", "1 inf", "1 nan", f"{1 << 128:x} 1", "[]"])
def test_what_is_no_position_is_none(server: Value, text: str) -> None:
    server.text = text
    assert scrub_position.load() is None


def test_without_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_question: Any) -> None:
        raise RedisUnavailable

    monkeypatch.setattr(scrub_position, "execute", away)
    monkeypatch.setattr(scrub_position, "write", away)
    scrub_position.store(ScrubPosition(1, 1.0))
    with pytest.raises(RedisUnavailable):
        scrub_position.load()
