"""Tests of messages have a key of their own, and a clock they set."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from notices.delivering import Outside
from notices.turns import Turns
from tests.factories import make_user
from tests.unit.notices.receiving import Browser, Network

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> datetime:
        """Move it by so much; the time it shows then."""
        self.now += timedelta(**span)
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Noon on a Monday, until it is moved; messages are written by it, too."""
    clock = Clock()
    monkeypatch.setattr("notices.outbox.timezone.now", clock)
    return clock


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, set_env: Callable[..., None]) -> None:
    set_env(data_dir=tmp_path, push_contact="me@example.org")


@pytest.fixture(autouse=True)
def _nobody_was_served_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notices.delivering._turns", Turns())


@pytest.fixture
def facts() -> dict[str, Any]:
    """Of five saved files."""
    return {"count": 5, "authors": ["cats"], "failed": 0}


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def browser(alice: User) -> Browser:
    browser = Browser()
    browser.subscribe(alice)
    return browser


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def outside(network: Network) -> Outside:
    return Outside(post=network.post, contact="me@example.org", base="https://stories.example.org/")
