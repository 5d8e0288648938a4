"""Guessing passwords and codes: it is over soon, and says for how long."""

from __future__ import annotations

import time
from typing import Any

import pytest
from allauth.account import app_settings as account_settings
from allauth.core.internal import ratelimit
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.test import Client

from tests.unit.accounts.browsing import (
    FORM,
    FRESH,
    SECRET,
    is_signed_in,
    sign_in,
    totp_code,
)

pytestmark = pytest.mark.django_db


class TestGuessing:
    def guess(self, times: int, **more: Any) -> list[int]:
        """Wrong passwords, each from a browser of its own; whether each was looked at (200)."""
        return [
            Client().post("/login/", FORM | {"password": f"no{n}"}, **more).status_code
            for n in range(times)
        ]

    def test_is_over_after_five(self, client: Client, alice: User) -> None:
        self.guess(5)
        answer = sign_in(client)
        said = b"Too many wrong attempts. Wait five minutes, then try again."
        assert said in answer.content
        assert not is_signed_in(client)
        # A name nobody has is told the same.
        for number in range(6):
            answer = Client().post("/login/", {"login": "nobody", "password": f"no{number}"})
        assert said in answer.content

    def test_lasts_as_long_as_is_said(self) -> None:
        limits = account_settings.RATE_LIMITS["login_failed"]
        assert max(rate.duration for rate in ratelimit.parse_rates(limits)) == 5 * 60

    def test_from_many_addresses_is_over_as_well(self, client: Client, alice: User) -> None:
        for number in range(5):
            self.guess(1, REMOTE_ADDR=f"203.0.113.{number}")
        sign_in(client)
        assert not is_signed_in(client)

    def test_under_other_names_of_this_server_is_over_as_well(
        self, client: Client, alice: User, settings: Any
    ) -> None:
        settings.ALLOWED_HOSTS = ["*"]
        for number in range(5):
            host = f"name{number}.example"
            self.guess(1, REMOTE_ADDR=f"203.0.113.{number}", headers={"host": host})
        sign_in(client)
        assert not is_signed_in(client)

    def test_in_capitals_is_the_same_name(self, client: Client, alice: User) -> None:
        for number, name in enumerate(["alice", "ALICE", "Alice", " alice", "aLICE"]):
            Client().post("/login/", {"login": name, "password": f"no{number}"})
        sign_in(client)
        assert not is_signed_in(client)

    def test_a_forged_address_does_not_help(self, client: Client, alice: User) -> None:
        names = [f"user{number}" for number in range(12)]
        for number, name in enumerate(names):
            Client().post(
                "/login/",
                {"login": name, "password": "x"},
                headers={"x-forwarded-for": f"198.51.100.{number}"},
            )
        sign_in(client)
        assert not is_signed_in(client)

    def test_does_not_lock_out_others(self, client: Client, alice: User) -> None:
        for number in range(5):
            given = {"login": "bob", "password": f"no{number}"}
            Client().post("/login/", given, REMOTE_ADDR="203.0.113.9")
        sign_in(client)
        assert is_signed_in(client)

    def test_many_tries_get_a_plain_page(self, client: Client) -> None:
        began = time.time()
        answers = self.guess(31)
        assert answers[-1] == 429
        answer = Client().post("/login/", FORM)
        assert time.time() + int(answer["Retry-After"]) >= began + 60
        assert 1 <= int(answer["Retry-After"]) <= 60
        assert "Wait 1\u00a0minute, then try again." in answer.content.decode()

    def test_the_limit_that_is_full_says_how_long(
        self, client: Client, alice: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sign_in(client)
        began = time.time()
        given = {"oldpassword": "no", "password1": FRESH, "password2": FRESH}
        for number in range(5):
            monkeypatch.setattr(time, "time", lambda at=began + 10 * number: at)
            assert client.post("/account/password/", given).status_code == 200
        answer = client.post("/account/password/", given)
        assert answer.status_code == 429
        assert answer["Retry-After"] == "20"
        monkeypatch.setattr(time, "time", lambda: began + 61)
        assert client.post("/account/password/", given).status_code == 200

    def test_codes_are_limited_as_well(self, client: Client, alice: User) -> None:
        TOTP.activate(alice, SECRET)
        sign_in(client)
        for _ in range(6):
            client.post("/account/security/authenticate/", {"code": "000000"})
        client.post("/account/security/authenticate/", {"code": totp_code(SECRET)})
        assert not is_signed_in(client)
