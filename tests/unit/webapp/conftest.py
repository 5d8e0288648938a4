"""Scripts of two users, each with its whole rate limit; an environment without settings."""

from __future__ import annotations

import os

import pytest
from django.test import Client

from tests.factories import make_user
from tests.unit.jobs.api.scripts import Script
from webapp import api, env
from webapp.api_rate_limit import FixedWindowLimiter


@pytest.fixture
def alice(client: Client) -> Script:
    return Script(make_user("alice"), client)


@pytest.fixture
def bob(client: Client) -> Script:
    return Script(make_user("bob"), client)


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any of our settings, to add to."""
    for name in list(os.environ):
        if name.startswith(env.PREFIX):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture(autouse=True)
def _fresh_rate_limiter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of different tests share their ids, not their windows."""
    monkeypatch.setattr(api, "rate_limiter", FixedWindowLimiter())
