"""Signing in and out: forged links, foreign addresses, planted sessions."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.html import escape

from tests.factories import make_user
from tests.unit.accounts.browsing import (
    FORM,
    FRESH,
    is_signed_in,
    sign_in,
)

pytestmark = pytest.mark.django_db


class TestTheDoor:
    def test_opens_and_closes(self, client: Client, alice: User) -> None:
        assert sign_in(client).headers["Location"] == "/"
        assert is_signed_in(client)
        assert client.get("/login/").headers["Location"] == "/"
        assert client.get("/logout/").status_code == 200
        assert is_signed_in(client)
        assert client.post("/logout/").headers["Location"] == "/login/"
        assert not is_signed_in(client)

    def test_stays_open_for_a_month(self, client: Client, alice: User) -> None:
        sign_in(client)
        assert client.session.get_expiry_age() == 30 * 24 * 3600

    @pytest.mark.parametrize(
        "wrong", [{"password": "x"}, {"login": "bob"}, {"login": ""}, {"login": "alice\x00"}]
    )
    def test_stays_closed(self, client: Client, alice: User, wrong: dict[str, str]) -> None:
        answer = sign_in(client, **wrong)
        assert answer.status_code == 200
        assert not is_signed_in(client)
        assert b"alicealice" not in answer.content

    def test_says_the_same_for_a_wrong_name_and_a_wrong_password(
        self, client: Client, alice: User
    ) -> None:
        name = sign_in(client, login="nobody").context["form"].non_field_errors()
        password = sign_in(client, password="x").context["form"].non_field_errors()
        assert name == password

    @pytest.mark.parametrize(
        "path", ["/signup/", "/account/signup/", "/accounts/signup/", "/account/email/"]
    )
    def test_there_is_no_way_to_sign_up(self, client: Client, path: str) -> None:
        assert client.get(path).status_code == 404
        given = {"username": "eve", "password1": FRESH, "password2": FRESH}
        assert client.post(path, given).status_code == 404

    def test_forged_forms_sign_nobody_in(self, alice: User) -> None:
        assert sign_in(Client(enforce_csrf_checks=True)).status_code == 403

    def test_a_planted_session_is_not_taken_over(self, client: Client, alice: User) -> None:
        session = client.session
        session["planted"] = True
        session.save()
        planted = str(session.session_key)
        client.cookies["sessionid"] = planted
        sign_in(client)
        assert client.session.session_key != planted
        eve = Client()
        eve.cookies["sessionid"] = planted
        assert not is_signed_in(eve)

    def test_the_admins_own_sign_in_is_this_one(self, client: Client) -> None:
        root = make_user("root", is_staff=True, is_superuser=True)
        answer = client.get("/admin/")
        assert answer.status_code == 302
        answer = client.get(answer.headers["Location"])
        assert urlsplit(answer.headers["Location"]).path == "/login/"
        given = {"username": "root", "password": "rootroot"}
        assert client.post("/admin/login/", given).status_code == 302
        assert not is_signed_in(client)
        client.force_login(root)
        assert client.get("/admin/").status_code == 200
        changed = client.get("/admin/password_change/")
        assert changed.headers["Location"] == "/account/password/"


class TestWhereItLeads:
    def test_what_was_typed_survives(self, client: Client, alice: User) -> None:
        wanted = "/?text=%40nora%20%40ben"
        answer = client.get(f"/login/?next={wanted.replace('%', '%25')}")
        assert escape(wanted).encode() in answer.content
        assert sign_in(client, next=wanted).headers["Location"] == wanted

    @pytest.mark.parametrize(
        "evil",
        [
            "https://evil.example/",
            "//evil.example/",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "http://testserver@evil.example/",
            "https://testserver.evil.example/",
            " https://evil.example",
            "\thttps://evil.example",
            "data:text/html,x",
        ],
    )
    @pytest.mark.parametrize("where", ["form", "query"])
    def test_never_elsewhere(self, client: Client, alice: User, evil: str, where: str) -> None:
        if where == "form":
            answer = sign_in(client, next=evil)
        else:
            answer = client.post("/login/", FORM, query_params={"next": evil})
        assert answer.headers["Location"] == "/"
        answer = client.post("/logout/", {"next": evil})
        assert answer.headers["Location"] == "/login/"
        client.force_login(alice)
        answer = client.get("/login/", {"next": evil})
        assert answer.headers["Location"] == "/"
