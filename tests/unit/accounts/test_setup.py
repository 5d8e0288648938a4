"""The first admin: the link works once, for a day, and only while there is none."""

from __future__ import annotations

import contextlib
import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import setup
from accounts.models import SetupLink
from tests.factories import make_user
from tests.unit.accounts.races import at_once

GOOD = "correct horse 42"


def link() -> str:
    """A fresh token."""
    token = setup.create_link()
    assert token
    return token


def fill_in(client: Client, token: str, **fields: str) -> int:
    """Send the form; the status of the answer."""
    answers = {"username": "root", "password1": GOOD, "password2": GOOD} | fields
    return client.post(reverse("setup", args=[token]), answers).status_code


@pytest.mark.django_db
class TestTheLink:
    def test_makes_an_admin_who_is_signed_in(self, client: Client) -> None:
        token = link()
        assert client.get(reverse("setup", args=[token])).status_code == 200
        assert fill_in(client, token) == 302
        admin = User.objects.get()
        assert admin.is_superuser
        assert admin.is_staff
        assert client.session["_auth_user_id"] == str(admin.pk)

    def test_works_once(self, client: Client) -> None:
        token = link()
        fill_in(client, token)
        assert fill_in(Client(), token, username="second") == 404
        assert client.get(reverse("setup", args=[token])).status_code == 404
        assert User.objects.count() == 1

    def test_is_closed_while_there_is_an_admin(self) -> None:
        token = link()
        make_user("admin", is_superuser=True)
        assert not setup.is_valid(token)
        assert setup.make_admin(token, "root", GOOD) is None
        assert setup.create_link() is None

    def test_does_not_mind_other_users(self, client: Client) -> None:
        make_user("alice")
        assert fill_in(client, link()) == 302

    def test_expires(self, client: Client) -> None:
        token = link()
        SetupLink.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
        assert client.get(reverse("setup", args=[token])).status_code == 404
        assert fill_in(client, token) == 404

    def test_a_newer_one_replaces_it(self) -> None:
        old = link()
        new = link()
        assert not setup.is_valid(old)
        assert setup.is_valid(new)

    @pytest.mark.parametrize("token", ["x", "x" * 5000, "é"])
    def test_a_made_up_one(self, client: Client, token: str) -> None:
        link()
        answer = client.get(reverse("setup", args=[token]))
        assert answer.status_code == 404
        assert b"password1" not in answer.content

    @pytest.mark.parametrize(
        "fields",
        [
            {"password1": "short", "password2": "short"},
            {"password1": "1234567890123", "password2": "1234567890123"},
            {"password1": "password123", "password2": "password123"},
            {"password1": "root-root", "password2": "root-root", "username": "root-root"},
            {"password2": "something else"},
            {"username": ""},
            {"username": "no spaces, please!"},
        ],
    )
    def test_a_form_with_a_mistake_can_be_sent_again(
        self, client: Client, fields: dict[str, str]
    ) -> None:
        token = link()
        assert fill_in(client, token, **fields) == 422
        assert not User.objects.exists()
        assert fill_in(client, token) == 302

    def test_a_password_is_never_sent_back(self, client: Client) -> None:
        answer = client.post(
            reverse("setup", args=[link()]),
            {"username": "", "password1": "hunter2hunter2", "password2": "hunter2hunter2"},
        )
        assert b"hunter2" not in answer.content

    def test_is_protected_against_forged_forms(self) -> None:
        assert fill_in(Client(enforce_csrf_checks=True), link()) == 403

    def test_the_token_itself_is_not_kept(self) -> None:
        token = link()
        assert token not in str(SetupLink.objects.values().get())


@pytest.mark.django_db(transaction=True)
def test_two_tabs_at_once_make_one_admin() -> None:
    token = link()
    start = threading.Barrier(4)
    made: list[str] = []

    def send(name: str) -> None:
        start.wait()
        try:
            if setup.make_admin(token, name, GOOD):
                made.append(name)
        finally:
            connection.close()

    tabs = [threading.Thread(target=send, args=[f"tab{n}"]) for n in range(4)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert len(made) == 1
    assert [user.username for user in User.objects.all()] == made


@pytest.mark.django_db(transaction=True)
def test_two_links_at_once_make_one_admin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that start at once may each have made one."""
    tokens = [link(), "another"]
    SetupLink.objects.create(digest=setup._digest(tokens[1]))
    both, looked = threading.Barrier(2), setup.admin_exists

    def look() -> bool:
        found = looked()
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.5)  # neither goes on before the other has looked, if it can
        return found

    monkeypatch.setattr(setup, "admin_exists", look)
    made = at_once(lambda number: setup.make_admin(tokens[number], f"tab{number}", GOOD))
    assert len([user for user in made if user]) == 1
    assert User.objects.count() == 1


@pytest.mark.django_db
class TestTheAdminOfTheSettings:
    def test_is_made_when_missing(self) -> None:
        assert setup.ensure_admin("root", GOOD)
        admin = User.objects.get()
        assert admin.is_superuser
        assert admin.check_password(GOOD)

    def test_keeps_the_password_they_have(self) -> None:
        setup.ensure_admin("root", GOOD)
        assert not setup.ensure_admin("root", "another one 43")
        assert User.objects.get().check_password(GOOD)

    @pytest.mark.parametrize("given", [(None, None), ("root", None), ("", GOOD)])
    def test_needs_both(self, given: tuple[str | None, str | None]) -> None:
        assert not setup.ensure_admin(*given)
        assert not User.objects.exists()
