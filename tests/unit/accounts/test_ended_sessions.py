"""Who is told that sessions ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client

from accounts import ended_sessions, people, signin
from tests.factories import make_user

pytestmark = pytest.mark.django_db


class Told:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.sessions: list[Any] = []
        self.people: list[int] = []

    def session_ended(self, data: Mapping[str, Any]) -> None:
        self.sessions.append(data.get("mark"))

    def all_ended(self, user_id: int) -> None:
        self.people.append(user_id)


class Killed(BaseException):
    """The process ends here."""


class Dying(Told):
    """One in whose hands the process ends."""

    def all_ended(self, user_id: int) -> None:
        raise Killed


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told()
    monkeypatch.setattr(ended_sessions, "listeners", [told])
    return told


def browser(mark: str) -> Client:
    """One that alice is signed in with, and a mark in its session."""
    client = Client()
    client.force_login(make_user("alice"))
    session = client.session
    session["mark"] = mark
    session.save()
    return client


def test_signing_out_here(told: Told) -> None:
    client = browser("phone")
    client.get("/logout/")
    assert told.sessions == []
    client.post("/logout/")
    client.post("/logout/")
    assert told.sessions == ["phone"]


def test_signing_out_another_device(told: Told) -> None:
    here, there = browser("laptop"), browser("phone")
    row = UserSession.objects.create(
        user=make_user("alice"), ip="192.0.2.1", session_key=there.session.session_key
    )
    other = Client()
    other.force_login(make_user("bob"))
    assert other.post(f"/account/sessions/{row.pk}/end/").status_code == 404
    assert told.sessions == []
    here.post(f"/account/sessions/{row.pk}/end/")
    assert told.sessions == ["phone"]


def test_signing_out_everywhere(told: Told) -> None:
    alice = make_user("alice")
    people.sign_out_everywhere(alice)
    assert told.people == [alice.pk]


def test_a_new_password(told: Told) -> None:
    alice, client = make_user("alice"), browser("laptop")
    new = {"password1": "a-long-new-one-1", "password2": "a-long-new-one-1"}
    client.post("/account/password/", {"oldpassword": "wrong", **new})
    assert told.people == []
    client.post("/account/password/", {"oldpassword": "alicealice", **new})
    assert told.people == [alice.pk]


def test_a_new_password_by_a_link(told: Told) -> None:
    alice, client = make_user("alice"), Client()
    page = client.get(signin.password_reset_path(alice), follow=True)
    path = page.redirect_chain[-1][0] if page.redirect_chain else signin.password_reset_path(alice)
    new = {"password1": "a-long-new-one-1", "password2": "a-long-new-one-1"}
    client.post(path, new)
    assert told.people == [alice.pk]


@pytest.fixture
def _dying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended_sessions, "listeners", [Dying()])


@pytest.mark.usefixtures("_dying")
def test_a_process_that_ends_before_they_are_told_has_ended_no_session() -> None:
    alice, client = make_user("alice"), browser("laptop")
    with pytest.raises(Killed):
        people.sign_out_everywhere(alice)
    assert client.get("/account/").status_code == 200


@pytest.mark.usefixtures("_dying")
def test_a_process_that_ends_before_they_are_told_leaves_the_old_password() -> None:
    alice, client = make_user("alice"), browser("laptop")
    new = {"password1": "a-long-new-one-1", "password2": "a-long-new-one-1"}
    with pytest.raises(Killed):
        client.post("/account/password/", {"oldpassword": "alicealice", **new})
    alice.refresh_from_db()
    assert alice.check_password("alicealice")
