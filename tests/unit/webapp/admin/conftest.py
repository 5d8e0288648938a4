"""An admin with a browser, and a member."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts import tokens
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user


@pytest.fixture
def root() -> User:
    """The admin of the instance."""
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def browser(root: User) -> Client:
    """A browser in which the admin is signed in."""
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def alice() -> User:
    """A member with one saved file and one API token."""
    alice = make_user("alice")
    story = make_story(make_item(make_job(alice), state=ItemState.DONE))
    make_artifact(story, content=b"x" * 3_000)
    tokens.create(alice, "phone")
    return alice
