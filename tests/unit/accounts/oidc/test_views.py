"""Signing in by a provider, as a browser does it, against one that listens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts import invitations, people, setup
from tests.factories import make_user
from tests.oidc.hostile import Hostile
from tests.unit.accounts.browsing import FORM, is_signed_in, sign_in
from tests.unit.accounts.oidc.conftest import Traveller

pytestmark = pytest.mark.django_db


class TestSigningIn:
    def test_a_linked_person_is_signed_in(self, traveller: Traveller, nora: User) -> None:
        assert traveller.sign_in(next="/history/")["Location"] == "/history/"
        assert is_signed_in(traveller.client)
        assert traveller.client.session["_auth_user_id"] == str(nora.pk)
        assert b"Devices" in traveller.client.get("/account/").content

    def test_it_does_not_lead_to_another_site(self, traveller: Traveller, nora: User) -> None:
        assert traveller.sign_in(next="https://evil.example/")["Location"] == "/"

    @pytest.mark.parametrize("name", ["history", "job", "no-page", "logout"])
    def test_it_leads_to_an_address_and_not_to_a_page_of_that_name(
        self, traveller: Traveller, nora: User, name: str
    ) -> None:
        assert traveller.sign_in(next=name)["Location"] == name

    def test_a_code_that_is_made_up_is_no_error_of_ours(
        self, traveller: Traveller, caplog: pytest.LogCaptureFixture
    ) -> None:
        state = traveller.provider.sign_in(traveller.leave())["state"]
        answer = traveller.client.get("/login/oidc/callback/", {"state": state, "code": "made-up"})
        assert answer.status_code == 502
        assert "the code was not taken" in caplog.text
        assert not [record for record in caplog.records if record.levelname == "ERROR"]
        assert "made-up" not in caplog.text

    def test_a_link_starts_nothing(self, traveller: Traveller) -> None:
        assert traveller.client.get("/login/oidc/")["Location"] == "/login/"

    def test_no_token_and_no_address_is_kept(self, traveller: Traveller, nora: User) -> None:
        traveller.provider.claims |= {"email": "nora@example.org", "email_verified": True}
        traveller.sign_in()
        assert not SocialToken.objects.exists()
        row = SocialAccount.objects.get()
        assert row.extra_data == {"name": "nora", "groups": 0, "member": False, "admin": False}
        nora.refresh_from_db()
        assert nora.email == ""

    def test_a_second_factor_of_ours_is_not_asked_for(
        self, traveller: Traveller, nora: User
    ) -> None:
        from allauth.mfa.totp.internal.auth import TOTP

        TOTP.activate(nora, "JBSWY3DPEHPK3PXP")
        traveller.sign_in()
        assert is_signed_in(traveller.client)

    def test_a_blocked_person_is_not_let_in(self, traveller: Traveller, nora: User) -> None:
        people.block(nora)
        assert traveller.sign_in()["Location"] == reverse("account_inactive")
        assert not is_signed_in(traveller.client)

    def test_signing_out_says_that_the_provider_goes_on(
        self, traveller: Traveller, nora: User, set_env: Callable[..., None]
    ) -> None:
        set_env(oidc_name="Home")
        traveller.sign_in()
        response = traveller.client.post("/logout/", follow=True)
        assert "At Home you may still be signed in." in response.content.decode()
        assert not is_signed_in(traveller.client)

    def test_signing_out_after_a_password_does_not(
        self, provider: Hostile, client: Client, alice: User
    ) -> None:
        sign_in(client)
        assert b"still be signed in" not in client.post("/logout/", follow=True).content


class TestByTheProviderAlone:
    @pytest.fixture(autouse=True)
    def _only(self, provider: Hostile, set_env: Callable[..., None]) -> None:
        set_env(oidc_only=True)

    def test_passwords_are_not_taken(self, client: Client, alice: User) -> None:
        page = client.get("/login/").content
        assert b'name="password"' not in page
        assert b"data-passkey" not in page
        assert client.post("/login/", FORM)["Location"] == "/login/"
        assert not is_signed_in(client)

    def test_nor_are_passkeys_and_links_for_a_new_password(self, client: Client) -> None:
        assert client.get("/account/security/webauthn/login/").status_code == 404
        assert client.post("/account/security/webauthn/login/").status_code == 404
        assert client.get("/password/").status_code == 404
        assert client.get("/password/1/set-password/").status_code == 404

    def test_an_invitation_leads_to_the_provider_alone(self, traveller: Traveller) -> None:
        token = invitations.create(None)
        address = reverse("join", args=[token])
        assert b"password1" not in traveller.client.get(address).content
        fields = {"username": "bob", "password1": "correct horse 42"}
        traveller.client.post(address, fields | {"password2": fields["password1"]})
        assert not User.objects.exists()

    def test_nor_does_the_set_up_link_ask_for_a_password(self, traveller: Traveller) -> None:
        token = setup.create_link()
        address = reverse("setup", args=[token])
        assert b"password1" not in traveller.client.get(address).content
        fields = {"username": "bob", "password1": "correct horse 42"}
        traveller.client.post(address, fields | {"password2": fields["password1"]})
        assert not User.objects.exists()

    def test_nor_does_the_admin_take_one_of_somebody_who_is_signed_in(
        self, client: Client, alice: User
    ) -> None:
        people.set_role(alice, admin=True)
        client.force_login(alice)
        make_user("root", is_staff=True, is_superuser=True)
        client.post("/admin/login/", {"username": "root", "password": "rootroot"})
        assert client.session["_auth_user_id"] == str(alice.pk)

    def test_a_link_from_the_command_line_signs_in(self, client: Client, alice: User) -> None:
        from accounts import signin_links

        client.post(reverse("signin_link", args=[signin_links.create(alice)]))
        assert is_signed_in(client)


def test_without_a_provider_there_is_none(client: Client, alice: User) -> None:
    assert b"oidc" not in client.get("/login/").content
    for path in ("/login/oidc/", "/login/oidc/callback/", "/account/provider/"):
        assert client.get(path).status_code == 404
