"""Scripts of two users, and no request left waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.test import Client

from jobs.api import waiting
from tests.factories import make_user
from tests.unit.jobs.api.scripts import Script


@pytest.fixture
def alice(client: Client) -> Script:
    return Script(make_user("alice"), client)


@pytest.fixture
def bob(client: Client) -> Script:
    return Script(make_user("bob"), client)


@pytest.fixture(autouse=True)
def nobody_waits() -> Iterator[None]:
    yield
    assert not waiting._slots._taken
    assert threading.active_count() < 20
