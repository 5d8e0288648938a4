"""Changing a password: with the old one, to one that is strong."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import (
    MinimumLengthValidator,
    password_validators_help_texts,
)
from django.test import Client
from django.utils import translation

from accounts.passwords import RULES
from tests.unit.accounts.browsing import (
    FRESH,
    is_signed_in,
    sign_in,
)

pytestmark = pytest.mark.django_db


@pytest.mark.usefixtures("alice")
def test_the_rules_are_said_in_one_line_and_are_those_that_hold(client: Client) -> None:
    assert len(password_validators_help_texts()) == 4  # length, likeness, frequency, digits
    assert f"At least {MinimumLengthValidator().min_length} characters" in RULES
    with translation.override("es"):
        in_spanish = str(RULES)
    sign_in(client)
    page = client.get("/account/password/", headers={"Accept-Language": "es"}).content.decode()
    assert in_spanish in page
    assert "Su contraseña" not in page  # the library is formal where we are not


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
