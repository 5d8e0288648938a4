"""People without a password confirm at the provider who they are."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User

from tests.unit.accounts.oidc.conftest import Traveller

pytestmark = pytest.mark.django_db


class TestConfirming:
    PAGE = "/account/security/totp/activate/"

    def test_somebody_without_a_password_confirms_there(
        self, traveller: Traveller, nora: User
    ) -> None:
        traveller.sign_in()
        asked = traveller.client.get(self.PAGE)
        assert (
            asked["Location"] == f"/account/confirm/provider/?next={self.PAGE.replace('/', '%2F')}"
        )
        assert traveller.client.get(asked["Location"]).status_code == 200
        location = traveller.leave("/account/confirm/provider/", next=self.PAGE)
        wanted = parse_qs(urlsplit(location).query)
        assert (wanted["prompt"], wanted["max_age"]) == (["login"], ["0"])
        traveller.provider.claims["auth_time"] = int(time.time())
        assert traveller.come_back(location)["Location"] == self.PAGE
        assert traveller.client.get(self.PAGE).status_code == 200

    def test_a_sign_in_of_yesterday_does_not_count(self, traveller: Traveller, nora: User) -> None:
        traveller.sign_in()
        traveller.provider.claims["auth_time"] = int(time.time()) - 86_400
        location = traveller.leave("/account/confirm/provider/", next=self.PAGE)
        assert traveller.come_back(location).status_code == 502
        assert traveller.client.get(self.PAGE).status_code == 302

    def test_nor_does_somebody_else(self, traveller: Traveller, nora: User) -> None:
        traveller.sign_in()
        traveller.provider.claims["sub"] = "s-2"
        location = traveller.leave("/account/confirm/provider/", next=self.PAGE)
        assert traveller.come_back(location).status_code == 502
        assert traveller.client.get(self.PAGE).status_code == 302

    def test_a_first_password_is_not_set_by_who_finds_the_browser(
        self, traveller: Traveller, nora: User
    ) -> None:
        traveller.sign_in()
        asked = traveller.client.post(
            "/account/password/set/", {"password1": "x", "password2": "x"}
        )
        assert "/account/confirm/provider/" in asked["Location"]
