"""Two people and their browsers."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_user


@pytest.fixture
def alice() -> User:
    """Owns what the tests look at."""
    return make_user("alice")


@pytest.fixture
def client(alice: User) -> Client:
    """Alice's browser."""
    browser = Client()
    browser.force_login(alice)
    return browser


@pytest.fixture
def bobs(alice: User) -> Client:
    """Another user's browser."""
    browser = Client()
    browser.force_login(make_user("bob"))
    return browser
