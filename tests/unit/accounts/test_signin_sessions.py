"""The devices someone is signed in on: each is listed and can be signed out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts import invitations, people
from tests.factories import make_user
from tests.unit.accounts.browsing import (
    FRESH,
    IPHONE,
    is_signed_in,
    sign_in,
)

pytestmark = pytest.mark.django_db


class TestDevices:
    def test_each_is_listed_and_can_be_signed_out(self, client: Client, alice: User) -> None:
        phone = Client(headers={"user-agent": IPHONE})
        sign_in(phone)
        sign_in(client)
        page = client.get("/account/sessions/")
        assert b"Safari on iPhone" in page.content
        assert page.content.count(b"This device") == 1
        row = UserSession.objects.exclude(session_key=client.session.session_key).get()
        assert client.post(f"/account/sessions/{row.pk}/end/").status_code == 302
        assert not is_signed_in(phone)
        assert is_signed_in(client)
        assert b"Safari on iPhone" not in client.get("/account/sessions/").content

    def test_nobodys_are_kept_once_their_session_is_gone(self, client: Client, alice: User) -> None:
        sign_in(Client())
        long_ago = timezone.now() - timedelta(days=2)
        UserSession.objects.update(created_at=long_ago)
        kept, gone = UserSession.objects.get(), make_user("bob")
        UserSession.objects.create(user=gone, ip="::1", session_key="gone", user_agent="x")
        UserSession.objects.filter(user=gone).update(created_at=long_ago)
        carol = UserSession.objects.create(user=gone, ip="::1", session_key="new", user_agent="x")
        sign_in(client)
        left = set(UserSession.objects.values_list("pk", flat=True))
        assert {kept.pk, carol.pk} < left  # a session that has just begun may not be stored yet
        assert len(left) == 3

    def test_this_one_too(self, client: Client, alice: User) -> None:
        sign_in(client)
        row = UserSession.objects.get()
        assert client.post(f"/account/sessions/{row.pk}/end/").headers["Location"] == "/login/"
        assert not is_signed_in(client)

    def test_one_that_came_in_by_a_link_is_listed_as_well(self, client: Client) -> None:
        new = {"username": "bob", "password1": FRESH, "password2": FRESH}
        client.post(f"/join/{invitations.create(None)}/", new)
        assert b"This device" in client.get("/account/sessions/").content
        other = Client()
        other.post("/login/", {"login": "bob", "password": FRESH})
        other.post("/account/sessions/")
        assert is_signed_in(other)
        assert not is_signed_in(client)

    def test_all_others_at_once(self, client: Client, alice: User) -> None:
        others = [Client(), Client()]
        for one in [*others, client]:
            sign_in(one)
        client.post("/account/sessions/")
        assert [is_signed_in(one) for one in others] == [False, False]
        assert is_signed_in(client)

    def test_others_sessions_are_not_mine_to_end(self, client: Client, alice: User) -> None:
        bob = make_user("bob")
        his = Client()
        his.post("/login/", {"login": "bob", "password": "bobbob"})
        sign_in(client)
        row = UserSession.objects.get(user=bob)
        assert client.post(f"/account/sessions/{row.pk}/end/").status_code == 404
        assert client.get(f"/account/sessions/{row.pk}/end/").status_code == 405
        assert is_signed_in(his)

    def test_blocking_clears_the_list(self, client: Client, alice: User) -> None:
        sign_in(client)
        people.block(alice)
        people.unblock(alice)
        sign_in(Client())
        assert UserSession.objects.filter(user=alice).count() == 1
