"""The second step: an authenticator app, recovery codes, and taking them off."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.test import Client

from accounts import people, signin, tokens
from tests.unit.accounts.browsing import (
    SECRET,
    confirm,
    is_signed_in,
    sign_in,
    totp_code,
)

pytestmark = pytest.mark.django_db


class TestTheSecondStep:
    def test_setting_up_an_app_and_using_it(self, client: Client, alice: User) -> None:
        sign_in(client)
        answer = client.get("/account/security/totp/activate/")
        assert answer.status_code == 302  # who is it?
        confirm(client)
        page = client.get("/account/security/totp/activate/")
        secret = page.context["form"].secret
        wrong = client.post("/account/security/totp/activate/", {"code": "000000"})
        assert wrong.status_code == 200
        assert not Authenticator.objects.exists()
        done = client.post("/account/security/totp/activate/", {"code": totp_code(secret)})
        assert done.headers["Location"] == "/account/security/recovery-codes/"
        codes = client.get("/account/security/recovery-codes/").context["unused_codes"]
        assert len(codes) == 10

        phone = Client()
        answer = sign_in(phone, next="/history/")
        assert urlsplit(answer.headers["Location"]).path == "/account/security/authenticate/"
        assert not is_signed_in(phone)
        assert phone.get("/account/security/authenticate/").status_code == 200
        phone.post("/account/security/authenticate/", {"code": "000000"})
        assert not is_signed_in(phone)
        answer = phone.post("/account/security/authenticate/", {"code": codes[0]})
        assert answer.headers["Location"] == "/history/"
        assert is_signed_in(phone)
        again = Client()
        sign_in(again)
        again.post("/account/security/authenticate/", {"code": codes[0]})
        assert not is_signed_in(again)  # each works once

    def test_the_password_alone_opens_nothing(self, client: Client, alice: User) -> None:
        TOTP.activate(alice, SECRET)
        sign_in(client)
        for path in ("/", "/account/", "/account/tokens/", "/account/security/", "/history/"):
            assert client.get(path).status_code == 302
        answer = client.post("/account/tokens/", {"name": "x", "scope": "write", "days": 0})
        assert answer.status_code == 302
        assert not alice.api_tokens.exists()

    def test_blocked_between_the_two_steps(self, client: Client, alice: User) -> None:
        TOTP.activate(alice, SECRET)
        sign_in(client)
        people.block(alice)
        client.post("/account/security/authenticate/", {"code": totp_code(SECRET)})
        assert not is_signed_in(client)

    def test_taking_it_off_needs_a_second_look(self, client: Client, alice: User) -> None:
        TOTP.activate(alice, SECRET)
        client.force_login(alice)
        client.post("/account/security/totp/deactivate/")
        assert Authenticator.objects.exists()
        client.post("/account/confirm/", {"password": "alicealice"})
        assert client.get("/account/security/totp/deactivate/").status_code == 200
        client.post("/account/security/totp/deactivate/")
        assert not Authenticator.objects.exists()

    def test_an_admin_can_take_it_off(self, client: Client, alice: User) -> None:
        TOTP.activate(alice, SECRET)
        assert signin.remove_second_factors(alice) == 1
        sign_in(client)
        assert is_signed_in(client)

    def test_every_page_of_it_opens(self, client: Client, alice: User) -> None:
        sign_in(client)
        confirm(client)
        assert client.get("/account/security/").status_code == 200
        assert client.get("/account/security/webauthn/add/").status_code == 200
        assert client.get("/account/security/webauthn/").headers["Location"] == "/account/security/"
        TOTP.activate(alice, SECRET)
        for name in ("totp/deactivate/", "recovery-codes/generate/", "reauthenticate/"):
            assert client.get(f"/account/security/{name}").status_code == 200, name
        client.post("/account/security/recovery-codes/generate/")
        page = client.get("/account/security/")
        assert b"10 are left" in page.content
        text = client.get("/account/security/recovery-codes/download/")
        assert text.headers["Content-Type"].startswith("text/plain")

    def test_tokens_do_not_open_these_pages(self, client: Client, alice: User) -> None:
        headers = {"authorization": f"Bearer {tokens.create(alice, 'x')}"}
        assert client.get("/account/security/", headers=headers).status_code == 302
