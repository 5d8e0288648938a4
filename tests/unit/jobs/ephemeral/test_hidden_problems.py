"""Problems hidden for a while, with a Redis that is a dictionary."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jobs.ephemeral import hidden_problems
from jobs.ephemeral.connection import RedisUnavailable


class Keys:
    """The commands in use, on a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.lasting: list[timedelta] = []

    def set(self, key: str, text: str, *, ex: timedelta) -> None:
        self.kept[key] = text
        self.lasting.append(ex)

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)

    def mget(self, keys: list[str]) -> list[str | None]:
        return [self.kept.get(key) for key in keys]


def test_hidden_for_a_while_and_shown_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Keys()
    monkeypatch.setattr(hidden_problems, "execute", lambda question: question(server))
    monkeypatch.setattr(hidden_problems, "write", lambda question: question(server))
    assert hidden_problems.hide("plain_http")
    assert server.lasting == [timedelta(days=30)]
    assert hidden_problems.hidden(["no_backup", "plain_http"]) == {"plain_http"}
    assert hidden_problems.hidden([]) == frozenset()
    assert hidden_problems.show("plain_http")
    assert hidden_problems.hidden(["plain_http"]) == frozenset()


def test_without_redis_everything_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_question: Any) -> None:
        raise RedisUnavailable

    monkeypatch.setattr(hidden_problems, "execute", away)
    monkeypatch.setattr(hidden_problems, "write", away)
    assert not hidden_problems.hide("plain_http")
    assert not hidden_problems.show("plain_http")
    assert hidden_problems.hidden(["plain_http"]) == frozenset()
