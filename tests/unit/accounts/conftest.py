"""A member who signs in."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from tests.factories import make_user


@pytest.fixture
def alice() -> User:
    """A member."""
    return make_user("alice")
