"""The admin's pages about people: whom they refuse, and what they refuse to look up."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.factories import make_user
from tests.unit.webapp.admin.pages import LIST

pytestmark = pytest.mark.django_db


def test_members_and_staff_see_nothing(alice: User) -> None:
    staff = make_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.all())
    for user in (alice, staff):
        client = Client()
        client.force_login(user)
        assert client.get(LIST).status_code in {302, 403}
        client.post(f"{LIST}{user.pk}/change/", {"username": user.username, "role": "admin"})
        assert not User.objects.get(pk=user.pk).is_superuser


def test_nobody_is_added_here(browser: Client) -> None:
    assert browser.get(f"{LIST}add/").status_code == 403


@pytest.mark.parametrize(
    "guess", ["password__startswith=pbkdf2", "last_login__gte=2026-01-01", "email=a", "id__gt=0",
              "quota__active_items=4", "is_staff=1"],
)  # fmt: skip
def test_no_filter_but_those_shown(browser: Client, alice: User, guess: str) -> None:
    assert browser.get(f"{LIST}?{guess}").status_code == 400


@pytest.mark.parametrize("bad", ["zz", "9" * 30, "\0", ""])
def test_ids_that_are_none(browser: Client, bad: str) -> None:
    given = {"action": "block", "_selected_action": bad}
    assert browser.post(LIST, given).status_code in {302, 400}
    for query in ({"role": bad}, {"p": bad}, {"o": bad}, {"e": "1"}):
        assert browser.get(LIST, query).status_code in {200, 302}
    for page in ("change", "delete", "history"):
        assert browser.get(f"{LIST}{quote(bad)}/{page}/").status_code in {302, 404}


def test_keys_and_sessions_are_nobodys_to_look_at(browser: Client) -> None:
    for path in ("mfa/authenticator/", "usersessions/usersession/", "account/emailaddress/"):
        assert browser.get(f"/admin/{path}").status_code == 404
    assert b"Authenticators" not in browser.get("/admin/").content


def test_pages_about_people_stand_under_the_people_page(browser: Client, alice: User) -> None:
    listed = browser.get(LIST).content.decode()
    assert "<h1>Users</h1>" in listed
    assert '<a href="/admin/people/">People</a>' in listed
    own = browser.get(f"{LIST}{alice.pk}/change/").content.decode()
    assert f"<h1><bdi>{alice.username}</bdi></h1>" in own
    assert f'<a href="{LIST}">Users</a>' in own
    assert "Authentication and Authorization" not in listed + own
