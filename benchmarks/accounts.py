"""Who uses the measured instance: a user, a browser's session, a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def owner() -> User:
    """The user whose jobs are measured; made once."""
    from django.contrib.auth.models import User

    user, _ = User.objects.get_or_create(username="bench")
    return user


def session_of(user: User) -> str:
    """The value of the cookie of a browser in which the user has just signed in."""
    from django.conf import settings
    from django.test import Client

    browser = Client()
    browser.force_login(user)
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


def token_of(user: User) -> str:
    """A new API token of the user."""
    from accounts import tokens

    return tokens.create(user, "bench")
