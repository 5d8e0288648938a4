"""The admin's pages about people, as a browser uses them."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import Client

LIST = "/admin/auth/user/"


def plain(page: bytes) -> str:
    """The text of a page, with ordinary spaces."""
    return page.decode().replace("\xa0", " ")


def act(browser: Client, name: str, *users: User, sure: bool = True) -> str:
    """The page after an action was chosen in the list and, if `sure`, confirmed."""
    given = {"action": name, "_selected_action": [user.pk for user in users]}
    if sure:
        given |= {"sure": "yes", "post": "yes"}
    return plain(browser.post(LIST, given, follow=True).content)


def change(browser: Client, user: User, **given: str) -> str:
    """The page after the form about a person was sent."""
    form = {"username": user.username, "email": "", "initial-email": user.email}
    form |= {"quota-TOTAL_FORMS": "1", "quota-INITIAL_FORMS": "0"} | given
    return plain(browser.post(f"{LIST}{user.pk}/change/", form, follow=True).content)
