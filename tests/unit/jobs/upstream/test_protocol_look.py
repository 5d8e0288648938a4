"""The look for a newer pack, and what is remembered of it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.choices import PackOrigin
from jobs.ephemeral.connection import RedisUnavailable
from jobs.models import ProtocolPack
from jobs.upstream import protocol, protocol_look
from jobs.upstream.protocol_look import NONE_YET, LastLook, Outcome, look_for_newer
from stories.config import ClientConfig
from stories.http import document
from stories.http.document import DocumentUnavailable
from tests import packs
from tests.memory import redis_stays_away

pytestmark = pytest.mark.django_db

URL = "https://packs.example.org/pack.json"


class Server:
    """As much of Redis as a look needs."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.kept.get(key)

    def set(self, key: str, text: str, **_: object) -> None:
        self.kept[key] = text

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(protocol_look, "execute", lambda command: command(server))
    monkeypatch.setattr(protocol_look, "discard", server.delete)
    return server


class Publisher:
    """What stands at the address: a document, or why there is none. asked: how often."""

    def __init__(self) -> None:
        self.says: bytes | str = packs.signed()
        self.asked: list[str] = []

    async def get(self, url: str, _config: ClientConfig, *, max_bytes: int) -> bytes:
        self.asked.append(url)
        assert max_bytes == 256 * 1024
        if isinstance(self.says, str):
            raise DocumentUnavailable(self.says)
        return self.says


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]) -> Publisher:
    set_env(protocol_url=URL, protocol_key=packs.PUBLIC_TEXT)
    publisher = Publisher()
    monkeypatch.setattr(document, "get_document", publisher.get)
    return publisher


def test_a_newer_pack_is_imported(redis: Server, publisher: Publisher) -> None:
    outcome = look_for_newer(PackOrigin.ADDRESS)
    assert (outcome, outcome.failed) == (Outcome(version=packs.NEWER), False)
    assert publisher.asked == [URL]
    assert ProtocolPack.objects.get(active=True).how == PackOrigin.ADDRESS
    assert str(protocol.look().pack.version) == packs.NEWER
    told = protocol_look.last()
    assert told.at is not None
    assert (told.reason, told.failing_since) == ("", None)


def test_the_same_pack_is_nothing_newer(redis: Server, publisher: Publisher) -> None:
    look_for_newer(PackOrigin.WEEKLY)
    outcome = look_for_newer(PackOrigin.WEEKLY)
    assert (outcome.reason, outcome.failed) == ("same", False)
    assert protocol_look.last().failing_since is None


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ("status 404", "unavailable"),
        ("no answer (ConnectError)", "unavailable"),
        (b"<html>", "not_json"),
        (packs.signed(private=bytes(32)), "unknown_key"),
        (packs.signed().replace(b"1988", b"1989"), "bad_signature"),
        (packs.signed(lambda facts: facts.update(minimum_app="99.0")), "newer_app"),
    ],
)
def test_whatever_else_is_there_is_a_failure_and_never_imported(
    redis: Server, publisher: Publisher, says: bytes | str, reason: str
) -> None:
    publisher.says = says
    outcome = look_for_newer(PackOrigin.WEEKLY)
    assert (outcome.reason, outcome.failed, outcome.version) == (reason, True, "")
    assert not ProtocolPack.objects.exists()
    first = protocol_look.last()
    assert first.reason == reason
    assert first.failing_since == first.at
    look_for_newer(PackOrigin.WEEKLY)
    second = protocol_look.last()
    assert second.at != first.at
    assert second.failing_since == first.failing_since, "since the first of them"
    publisher.says = packs.signed()
    look_for_newer(PackOrigin.WEEKLY)
    assert protocol_look.last().failing_since is None


def test_without_an_address_nobody_is_asked(redis: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", None)
    outcome = look_for_newer(PackOrigin.ADDRESS)
    assert (outcome.reason, outcome.failed) == ("no_address", True)
    assert protocol_look.last().at is None


def test_without_redis_the_look_is_made_and_not_remembered(publisher: Publisher) -> None:
    redis_stays_away()
    assert look_for_newer(PackOrigin.ADDRESS).version == packs.NEWER
    with pytest.raises(RedisUnavailable):
        protocol_look.last()


def test_what_is_remembered_comes_back(redis: Server) -> None:
    assert protocol_look.last() == NONE_YET
    now = datetime(2026, 12, 1, 12, tzinfo=UTC)
    look = LastLook(
        at=now,
        next_at=now + timedelta(days=7),
        failing_since=None,
        reason="unavailable",
        said="x" * 300,
    )
    protocol_look.record(look)
    assert protocol_look.last() == look


@pytest.mark.parametrize(
    "kept", ["", "[]", "{", '{"at": "x", "next_at": -5, "failing_since": [], "reason": 7}']
)
def test_what_is_none_of_ours_counts_as_absent(redis: Server, kept: str) -> None:
    redis.kept["storykeep:protocol_look"] = kept
    assert protocol_look.last() == NONE_YET


def test_a_long_reason_is_cut(redis: Server) -> None:
    protocol_look.record(LastLook(at=None, next_at=None, failing_since=None, said="x" * 1000))
    assert protocol_look.last().said == "x" * 300


def test_the_address_may_be_any_that_is_set(publisher: Publisher, set_env: Any) -> None:
    set_env(protocol_url="https://other.example/p")
    look_for_newer(PackOrigin.ADDRESS)
    assert publisher.asked == ["https://other.example/p"]
