"""Invitations: one account per link, while it lasts; a forged one says nothing."""

from __future__ import annotations

import threading
from datetime import timedelta
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import invitations, people
from accounts.models import Invitation
from tests.factories import make_user

GOOD = "correct horse 42"


def make_admin(name: str = "root") -> User:
    """Someone who may invite."""
    return make_user(name, is_staff=True, is_superuser=True)


def signed_in(user: User) -> Client:
    """Their browser."""
    client = Client()
    client.force_login(user)
    return client


def fill_in(client: Client, token: str, **fields: str) -> int:
    """Send the form; the status of the answer."""
    answers = {"username": "bob", "password1": GOOD, "password2": GOOD} | fields
    return client.post(reverse("join", args=[token]), answers).status_code


@pytest.mark.django_db
class TestTheLink:
    def test_makes_a_member_who_is_signed_in(self, client: Client) -> None:
        token = invitations.create(make_admin())
        assert client.get(reverse("join", args=[token])).status_code == 200
        assert fill_in(client, token) == 302
        bob = User.objects.get(username="bob")
        assert not bob.is_superuser
        assert not bob.is_staff
        assert client.session["_auth_user_id"] == str(bob.pk)

    def test_makes_an_admin_when_it_says_so(self, client: Client) -> None:
        assert fill_in(client, invitations.create(None, admin=True)) == 302
        bob = User.objects.get(username="bob")
        assert bob.is_superuser
        assert bob.is_staff

    def test_nobody_makes_themselves_an_admin(self, client: Client) -> None:
        token = invitations.create(make_admin())
        more = {"makes_admin": "1", "is_superuser": "on", "is_staff": "on", "role": "admin"}
        assert fill_in(client, token, **more) == 302
        assert not User.objects.get(username="bob").is_superuser

    def test_works_once(self, client: Client) -> None:
        token = invitations.create(make_admin())
        fill_in(client, token)
        assert fill_in(Client(), token, username="carol") == 404
        assert Client().get(reverse("join", args=[token])).status_code == 404
        assert not User.objects.filter(username="carol").exists()

    def test_expires(self, client: Client) -> None:
        token = invitations.create(make_admin(), days=1)
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert client.get(reverse("join", args=[token])).status_code == 404
        assert fill_in(client, token) == 404
        assert invitations.accept(token, "bob", GOOD) is None

    @pytest.mark.parametrize("token", ["x", "x" * 5000, "é", "None"])
    def test_a_made_up_one(self, client: Client, token: str) -> None:
        invitations.create(make_admin())
        answer = client.get(reverse("join", args=[token]))
        assert answer.status_code == 404
        assert b"password1" not in answer.content
        assert fill_in(client, token) == 404

    def test_expired_used_revoked_and_forged_look_the_same(self, client: Client) -> None:
        used, old, gone = (invitations.create(make_admin()) for _ in range(3))
        fill_in(Client(), used)
        last = Invitation.objects.order_by("-pk")
        invitations.revoke(last[0].pk)
        Invitation.objects.update(expires_at=timezone.now())
        pages = {
            client.get(reverse("join", args=[t])).content for t in (used, old, gone, "made-up")
        }
        assert len(pages) == 1

    def test_a_taken_name_does_not_use_it_up(self, client: Client) -> None:
        token = invitations.create(make_admin())
        for name in ("root", "ROOT"):
            assert fill_in(client, token, username=name) == 422
        assert fill_in(client, token) == 302

    def test_a_name_taken_at_the_last_moment(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = invitations.create(make_admin())
        accept = invitations.accept

        def late(*given: Any) -> Any:
            make_user("bob")
            return accept(*given)

        monkeypatch.setattr(invitations, "accept", late)
        assert fill_in(client, token) == 422
        assert invitations.find(token)

    def test_someone_signed_in_keeps_who_they_are(self) -> None:
        root = make_admin()
        token = invitations.create(root)
        browser = signed_in(root)
        assert b"password1" not in browser.get(reverse("join", args=[token])).content
        assert fill_in(browser, token) == 200
        assert not User.objects.filter(username="bob").exists()
        assert browser.session["_auth_user_id"] == str(root.pk)

    def test_a_session_from_before_is_not_taken_over(self, client: Client) -> None:
        session = client.session
        session["planted"] = True
        session.save()
        before = session.session_key
        fill_in(client, invitations.create(make_admin()))
        assert client.session.session_key != before
        assert not Client(headers={"cookie": f"sessionid={before}"}).session.get("_auth_user_id")

    def test_is_protected_against_forged_forms(self) -> None:
        token = invitations.create(make_admin())
        assert fill_in(Client(enforce_csrf_checks=True), token) == 403

    def test_the_token_itself_is_not_kept(self) -> None:
        token = invitations.create(make_admin())
        assert token not in str(Invitation.objects.values().get())

    def test_ends_with_the_right_to_make_it(self) -> None:
        make_admin("other")
        for end in (people.block, lambda user: people.set_role(user, admin=False), people.remove):
            by = make_admin(f"by{User.objects.count()}")
            token = invitations.create(by)
            end(by)
            assert invitations.find(token) is None


@pytest.mark.django_db(transaction=True)
def test_two_tabs_at_once_make_one_account() -> None:
    token = invitations.create(None)
    start = threading.Barrier(4)
    made: list[str] = []

    def send(name: str) -> None:
        start.wait()
        try:
            if invitations.accept(token, name, GOOD):
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


@pytest.mark.django_db
class TestThePage:
    def test_is_there_for_admins_alone(self, client: Client) -> None:
        assert client.get("/account/invitations/").status_code == 302
        member = signed_in(make_user("alice"))
        assert member.get("/account/invitations/").status_code == 404
        assert member.post("/account/invitations/", {"role": "admin", "days": 7}).status_code == 404
        invitations.create(None)
        pk = Invitation.objects.get().pk
        assert member.post(f"/account/invitations/{pk}/revoke/").status_code == 404
        assert Invitation.objects.count() == 1
        staff = signed_in(make_user("staff", is_staff=True))
        assert staff.get("/account/invitations/").status_code == 404

    def test_shows_a_working_link_once(self) -> None:
        browser = signed_in(make_admin())
        given = {"whom": "Grandma", "role": "member", "days": 7}
        answer = browser.post("/account/invitations/", given)
        assert answer.status_code == 200
        link = answer.context["link"]
        assert link.encode() in answer.content
        assert answer.headers["Cache-Control"].startswith("max-age=0")
        later = browser.get("/account/invitations/")
        assert link.encode() not in later.content
        assert b"Grandma" in later.content
        assert fill_in(Client(), urlsplit(link).path.split("/")[2]) == 302
        assert b"Grandma" not in browser.get("/account/invitations/").content

    @pytest.mark.parametrize(
        "wrong", [{"days": 36500}, {"days": ""}, {"role": "god"}, {"whom": "x" * 101}]
    )
    def test_sends_mistakes_back(self, wrong: dict[str, Any]) -> None:
        browser = signed_in(make_admin())
        given = {"whom": "x", "role": "member", "days": 7} | wrong
        assert browser.post("/account/invitations/", given).status_code == 422
        assert not Invitation.objects.exists()

    def test_revokes(self) -> None:
        browser = signed_in(make_admin())
        token = invitations.create(None)
        pk = Invitation.objects.get().pk
        assert browser.post(f"/account/invitations/{pk}/revoke/").status_code == 302
        assert invitations.find(token) is None
        assert browser.post(f"/account/invitations/{pk}/revoke/").status_code == 404
        assert browser.get(f"/account/invitations/{pk}/revoke/").status_code == 405


@pytest.mark.django_db
class TestTheCommand:
    def test_prints_a_working_link(self, client: Client) -> None:
        out = StringIO()
        call_command("invite", "--days", "2", stdout=out)
        link = out.getvalue().strip()
        assert link.startswith("http://127.0.0.1:8000/join/")
        life = Invitation.objects.get().expires_at - timezone.now()
        assert timedelta(days=1) < life <= timedelta(days=2)
        assert fill_in(client, urlsplit(link).path.split("/")[2]) == 302
        assert not User.objects.get(username="bob").is_superuser

    def test_can_invite_an_admin(self) -> None:
        call_command("invite", "--admin", stdout=StringIO())
        assert Invitation.objects.get().makes_admin

    @pytest.mark.parametrize("days", ["0", "-3", "91", "99999999999"])
    def test_refuses_a_time_that_is_none(self, days: str) -> None:
        with pytest.raises(CommandError, match="--days takes 1 to 90"):
            call_command("invite", f"--days={days}")
        assert not Invitation.objects.exists()
