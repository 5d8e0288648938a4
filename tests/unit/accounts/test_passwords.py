"""Changing a password: with the old one, to one that is strong."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.unit.accounts.browsing import (
    FRESH,
    is_signed_in,
    sign_in,
)

pytestmark = pytest.mark.django_db


class TestPasswords:
    def test_changing_ends_other_sessions_not_this_one(self, client: Client, alice: User) -> None:
        other = Client()
        sign_in(other)
        sign_in(client)
        given = {"oldpassword": "alicealice", "password1": FRESH, "password2": FRESH}
        assert client.post("/account/password/", given).headers["Location"] == "/account/"
        assert is_signed_in(client)
        assert not is_signed_in(other)
        alice.refresh_from_db()
        assert alice.check_password(FRESH)

    @pytest.mark.parametrize(
        "wrong", [{"oldpassword": "x"}, {"password1": "12345678", "password2": "12345678"}]
    )
    def test_not_without_the_old_one_nor_to_a_weak_one(
        self, client: Client, alice: User, wrong: dict[str, str]
    ) -> None:
        sign_in(client)
        given = {"oldpassword": "alicealice", "password1": FRESH, "password2": FRESH}
        assert client.post("/account/password/", given | wrong).status_code == 200
        alice.refresh_from_db()
        assert alice.check_password("alicealice")
