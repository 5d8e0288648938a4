"""What is known of a provider: asked for once, kept for an hour, left alone while it is away."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from accounts.oidc import discovery
from accounts.oidc.discovery import Discovery
from accounts.oidc.errors import ProviderAway
from tests.oidc.hostile import Hostile

ISSUER = "https://auth.example.org"


class Source:
    """Answers with documents, or not at all."""

    def __init__(self) -> None:
        self.provider = Hostile()
        self.provider.issuer = ISSUER
        self.asked: list[str] = []
        self.away = False
        self.go = threading.Event()
        self.go.set()

    def __call__(self, url: str) -> dict[str, Any]:
        self.asked.append(url)
        self.go.wait(20)
        if self.away:
            raise ProviderAway("ConnectTimeout")
        return self.provider.keys() if url.endswith("/keys") else self.provider.document()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def known(source: Source) -> Discovery:
    return Discovery(ISSUER, source)


def test_it_is_asked_once(source: Source, known: Discovery) -> None:
    assert known.metadata(20) == known.metadata(20)
    assert len(source.asked) == 1


def test_many_at_once_ask_once(source: Source, known: Discovery) -> None:
    source.go.clear()
    people = [threading.Thread(target=known.metadata, args=(20,)) for _ in range(8)]
    for person in people:
        person.start()
    source.go.set()
    for person in people:
        person.join(20)
    assert len(source.asked) == 1


def test_a_page_does_not_wait_for_one_that_is_slow(source: Source, known: Discovery) -> None:
    source.go.clear()
    with pytest.raises(ProviderAway, match="not arrived yet"):
        known.metadata(0.01)
    source.go.set()
    assert known.metadata(20).issuer == ISSUER


def test_one_that_is_away_is_left_alone(
    source: Source, known: Discovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.away = True
    for _ in range(3):
        with pytest.raises(ProviderAway, match="ConnectTimeout"):
            known.metadata(20)
    assert len(source.asked) == 1
    source.away = False
    monkeypatch.setattr(discovery, "AFTER_FAILURE_S", 0.0)
    assert known.metadata(20).issuer == ISSUER


def test_what_is_known_serves_while_it_is_away(
    source: Source, known: Discovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.metadata(20)
    source.away = True
    monkeypatch.setattr(discovery, "FRESH_S", 0.0)
    assert known.metadata(0).issuer == ISSUER


def test_a_description_that_cannot_be_read_is_none(source: Source, known: Discovery) -> None:
    source.provider.issuer = "https://evil.example"
    with pytest.raises(ProviderAway, match="another issuer"):
        known.metadata(20)


def test_keys_are_asked_for_again_when_one_is_new(
    source: Source, known: Discovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{ISSUER}/keys"
    known.keys(url, "k1")
    known.keys(url, "k1")
    known.keys(url, "made-up")
    assert len(source.asked) == 1
    monkeypatch.setattr(discovery, "NEW_KEYS_S", 0.0)
    known.keys(url, "k2")
    assert len(source.asked) == 2


def test_another_issuer_is_another_one() -> None:
    discovery.forget()
    assert discovery.of(ISSUER) is discovery.of(ISSUER)
    assert discovery.of("https://other.example").issuer == "https://other.example"
    discovery.forget()
