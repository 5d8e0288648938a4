"""What several web processes count together, with Redis and without."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.test import Client

from jobs.ephemeral import connection
from tests.factories import make_user
from tests.memory import forget_redis
from webapp.attempts_cache import PREFIX, AttemptsCache


class Server:
    """As much of Redis as is asked for. away: it does not answer. read_only: it refuses writes."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.lives_ms: dict[str, int | None] = {}
        self.away = self.read_only = False

    def _answer(self, *, writes: bool = False) -> None:
        if self.away:
            raise redis.ConnectionError("away")
        if self.read_only and writes:
            raise redis.ReadOnlyError("You can't write against a read only replica.")

    def get(self, name: str) -> Any:
        self._answer()
        value = self.values.get(name)
        if isinstance(value, list):
            raise redis.ResponseError("WRONGTYPE Operation against a key of the wrong kind")
        return value

    def set(self, name: str, value: str, px: int | None = None, nx: bool = False) -> bool | None:
        self._answer(writes=True)
        if nx and name in self.values:
            return None
        self.values[name], self.lives_ms[name] = value, px
        return True

    def delete(self, name: str) -> int:
        self._answer(writes=True)
        return self.values.pop(name, None) is not None

    def scan_iter(self, match: str, count: int) -> list[str]:
        self._answer()
        return list(self.values)

    def pipeline(self, *, transaction: bool) -> Types:
        assert not transaction
        return Types(self.values)


class Types(list[str]):
    """A pipeline that asks for the types of keys."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__()
        self._values = values

    def __enter__(self) -> Types:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was begun."""

    def type(self, name: str) -> None:
        self.append("list" if isinstance(self._values[name], list) else "string")

    def execute(self) -> list[str]:
        return list(self)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A Redis of this test's own."""
    server = Server()
    forget_redis()
    monkeypatch.setattr(connection, "_client", lambda: server)
    monkeypatch.setattr(connection, "RETRY_AFTER_S", 0)
    return server


@pytest.fixture
def processes(server: Server) -> tuple[AttemptsCache, AttemptsCache]:
    """Two processes: what one keeps in memory the other does not know."""
    return AttemptsCache("one", {}), AttemptsCache("other", {})


def test_what_one_process_counts_the_other_knows(
    processes: tuple[AttemptsCache, AttemptsCache],
) -> None:
    one, other = processes
    one.set("k", [1.5, 2.25], 60.0)
    assert other.get("k", []) == [1.5, 2.25]
    assert one.add("lock", True, timeout=10)
    assert not other.add("lock", True, timeout=10)
    assert one.delete("lock")
    assert other.add("lock", True, timeout=10)
    assert "lock" in one
    other.clear()
    assert one.get("k", []) == []


def test_lives_are_those_asked_for(server: Server) -> None:
    one = AttemptsCache("one", {"TIMEOUT": 7})
    for timeout in (60.0, 0.0001, None):
        one.set("k", "y", timeout)
        assert list(server.lives_ms.values()) == [{60.0: 60_000, 0.0001: 1}.get(timeout or 0)]
    one.set("k", "y")
    assert list(server.lives_ms.values()) == [7000]
    assert one.touch("k", 9)
    assert list(server.lives_ms.values()) == [9000]
    assert not one.touch("other", 9)


def test_no_name_and_no_address_is_in_a_key(server: Server) -> None:
    AttemptsCache("one", {}).set("allauth:rl:login:203.0.113.9:alice", [1.0])
    (name,) = server.values
    assert name.startswith(PREFIX)
    assert "203" not in name.removeprefix(PREFIX)[:4]
    assert "alice" not in name


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "x",
        "{}",
        '"y"',
        "5",
        "true",
        "null",
        "[null]",
        '["1"]',
        "[NaN]",
        "[1e999]",
        "[" * 99_999,
    ],
)
def test_what_is_no_history_is_none(server: Server, garbage: str) -> None:
    one = AttemptsCache("one", {})
    one.set("k", [1.0])
    (name,) = server.values
    server.values[name] = garbage
    assert one.get("k", []) == []
    one.set("k", [2.0])
    assert one.get("k", []) == [2.0]


def test_a_key_of_another_type_counts_as_absent(server: Server) -> None:
    one = AttemptsCache("one", {})
    one.set("k", [1.0])
    (name,) = server.values
    server.values[name] = ["a", "list", "of", "Redis"]
    assert one.get("k", []) == []
    assert not server.values
    one.set("k", [2.0])
    assert one.get("k", []) == [2.0]


def test_while_redis_is_away_the_count_goes_on_from_where_it_was(
    server: Server, processes: tuple[AttemptsCache, AttemptsCache]
) -> None:
    one, other = processes
    one.set("k", [1.0, 2.0])
    server.away = True
    assert one.get("k", []) == [1.0, 2.0]
    assert other.get("k", []) == []
    one.set("k", [1.0, 2.0, 3.0])
    assert one.get("k", []) == [1.0, 2.0, 3.0]
    assert one.add("lock", True)
    assert not one.add("lock", True)
    assert one.delete("lock")
    assert not one.delete("lock")
    one.clear()
    assert one.get("k", []) == []


def test_a_redis_that_takes_writes_again_is_counted_in(server: Server) -> None:
    one = AttemptsCache("one", {})
    one.set("k", [1.0])
    server.read_only = True
    one.set("k", [1.0, 2.0])
    assert one.get("k", []) == [1.0, 2.0]
    server.read_only = False
    one.set("k", [1.0, 2.0, 3.0])
    assert AttemptsCache("other", {}).get("k", []) == [1.0, 2.0, 3.0]


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["there", "away", "read_only"])
def test_guessing_is_over_after_five_and_does_not_lock_out_others(
    server: Server, state: str
) -> None:
    cache.clear()
    server.away, server.read_only = state == "away", state == "read_only"
    for name in ("alice", "bob"):
        make_user(name)
    statuses = [
        Client().post(
            "/login/",
            {"login": "alice", "password": f"no{number}"},
            REMOTE_ADDR=f"203.0.113.{number}",
        ).status_code
        for number in range(6)
    ]  # fmt: skip
    assert statuses == [200] * 6
    right = {"login": "alice", "password": "alicealice"}
    assert b"Too many wrong attempts" in Client().post("/login/", right).content
    assert Client().post("/login/", {"login": "bob", "password": "bobbob"}).status_code == 302
    assert bool(server.values) == (state == "there")
    assert all(life and life <= 3_600_000 for life in server.lives_ms.values())


def test_the_library_counts_in_it(settings: Any) -> None:
    backend = f"{AttemptsCache.__module__}.{AttemptsCache.__qualname__}"
    assert settings.CACHES["default"]["BACKEND"] == backend
    assert ratelimit.cache is cache
