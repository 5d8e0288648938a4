"""The sign-in library speaks in our words."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_what_is_wrong_is_said_in_our_words() -> None:
    alice = make_user("alice")
    browser = Client()
    page = browser.post("/login/", {"login": "alice", "password": "wrong"}).content.decode()
    assert "Wrong username or password." in page
    browser.force_login(alice)
    given = {"oldpassword": "wrong", "password1": "a new one 7", "password2": "a new one 7"}
    page = browser.post("/account/password/", given).content.decode()
    assert "That is not your current password." in page
    for label in ("Current password", "New password", "New password again"):
        assert f">{label}</label>" in page
    page = browser.post("/account/confirm/", {"password": "wrong"}).content.decode()
    assert "That is not your password." in page
