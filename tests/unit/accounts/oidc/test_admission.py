"""Who is let in the first time and each time after, as whom and as what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts import invitations, people, signin_links
from tests.factories import make_user
from tests.oidc.hostile import Hostile
from tests.unit.accounts.browsing import is_signed_in
from tests.unit.accounts.oidc.conftest import Traveller

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 42"


def _by_password() -> Any:
    answer: Any = Client().post("/login/", {"login": "nora", "password": PASSWORD})
    return answer


class TestTheFirstTime:
    def test_nobody_gets_an_account_without_an_invitation(self, traveller: Traveller) -> None:
        response = traveller.sign_in()
        assert response.status_code == 403
        assert b"Ask the person who runs this instance" in response.content
        assert not User.objects.exists()

    def test_an_invitation_makes_one(self, traveller: Traveller) -> None:
        token = invitations.create(None)
        page = traveller.client.get(reverse("join", args=[token])).content.decode()
        assert f'name="invitation" value="{token}"' in page
        traveller.sign_in(invitation=token)
        nora = User.objects.get()
        assert (nora.username, nora.is_superuser) == ("nora", False)
        assert not nora.has_usable_password()
        assert is_signed_in(traveller.client)
        assert invitations.find(token) is None

    def test_no_account_is_taken_over_by_its_name(
        self, traveller: Traveller, set_env: Callable[..., None]
    ) -> None:
        set_env(oidc_signup="anyone")
        old = make_user("nora")
        traveller.provider.claims |= {"email": "nora@example.org"}
        traveller.sign_in()
        assert traveller.client.session["_auth_user_id"] != str(old.pk)
        assert User.objects.exclude(pk=old.pk).get().username == "nora2"

    def test_the_set_up_link_makes_the_first_admin(self, traveller: Traveller) -> None:
        from accounts import setup

        token = setup.create_link()
        assert token is not None
        traveller.sign_in(set_up=token)
        assert User.objects.get().is_superuser
        assert is_signed_in(traveller.client)


class TestGroups:
    @pytest.fixture(autouse=True)
    def _groups(self, provider: Hostile, set_env: Callable[..., None]) -> None:
        set_env(oidc_admin_group="admins", oidc_member_group="family")
        make_user("root", is_staff=True, is_superuser=True)

    @pytest.mark.parametrize("where", ["claims", "userinfo"])
    def test_a_group_raises_and_lowers_the_role(
        self, traveller: Traveller, nora: User, where: str
    ) -> None:
        for groups, is_admin in (["admins"], True), (["family"], False), (["admins"], True):
            getattr(traveller.provider, where)["groups"] = groups
            traveller.sign_in()
            nora.refresh_from_db()
            assert (nora.is_superuser, nora.is_staff) == (is_admin, is_admin)
        row = SocialAccount.objects.get().extra_data
        assert row == {"name": "nora", "groups": 1, "member": False, "admin": True}

    def test_without_groups_nobody_is_let_in_and_nothing_is_lost(
        self, traveller: Traveller, nora: User
    ) -> None:
        traveller.provider.claims["groups"] = ["family"]
        traveller.sign_in()
        traveller.provider.claims["groups"] = ["others"]
        other = Traveller(traveller.provider, Client())
        response = other.sign_in()
        assert response.status_code == 403
        assert b"may not use this instance" in response.content
        assert not is_signed_in(traveller.client)
        nora.refresh_from_db()
        assert nora.is_active

    def test_who_left_all_groups_is_no_admin_any_more(
        self, traveller: Traveller, nora: User
    ) -> None:
        people.set_role(nora, admin=True)
        traveller.provider.claims["groups"] = ["others"]
        assert traveller.sign_in().status_code == 403
        nora.refresh_from_db()
        assert (nora.is_superuser, nora.is_staff, nora.is_active) == (False, False, True)

    def test_who_left_all_groups_is_shut_out_of_everything_or_nothing(
        self, traveller: Traveller, nora: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Killed(BaseException):
            """The process ends here."""

        def die(_user_id: int) -> None:
            raise Killed

        people.set_role(nora, admin=True)
        traveller.provider.claims["groups"] = ["others"]
        monkeypatch.setattr("accounts.ended_sessions.all_ended", die)
        with pytest.raises(Killed):
            traveller.sign_in()
        nora.refresh_from_db()
        assert nora.is_superuser
        assert "refused" not in SocialAccount.objects.get().extra_data

    def test_who_was_refused_does_not_get_in_by_password(
        self, traveller: Traveller, nora: User
    ) -> None:
        nora.set_password(PASSWORD)
        nora.save()
        traveller.provider.claims["groups"] = ["others"]
        traveller.sign_in()
        answer = _by_password()
        assert answer.status_code == 403
        assert b"may not use this instance" in answer.content
        assert not is_signed_in(answer.client)

        traveller.provider.claims["groups"] = ["family"]
        traveller.sign_in()
        assert is_signed_in(_by_password().client)

    def test_nor_by_passkey(
        self, traveller: Traveller, nora: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = Authenticator.objects.create(user=nora, type="webauthn", data={"name": "key"})
        monkeypatch.setattr("accounts.passkeys.SignInForm.clean_credential", lambda _form: key)
        opened = Client()
        opened.post("/account/security/webauthn/login/", {"credential": '{"id": 1}'})
        assert is_signed_in(opened)
        traveller.provider.claims["groups"] = ["others"]
        traveller.sign_in()
        assert not is_signed_in(opened)
        answer = opened.post("/account/security/webauthn/login/", {"credential": '{"id": 1}'})
        assert answer.status_code == 403
        assert not is_signed_in(opened)

    def test_a_refusal_counts_while_there_is_a_group(
        self, traveller: Traveller, nora: User, set_env: Callable[..., None]
    ) -> None:
        nora.set_password(PASSWORD)
        nora.save()
        traveller.provider.claims["groups"] = ["others"]
        traveller.sign_in()
        set_env(oidc_member_group=None)
        assert is_signed_in(_by_password().client)

    def test_a_link_of_the_command_line_lets_in_who_was_refused(
        self, traveller: Traveller, nora: User
    ) -> None:
        traveller.provider.claims["groups"] = ["others"]
        traveller.sign_in()
        browser = Client()
        browser.post(reverse("signin_link", args=[signin_links.create(nora)]))
        assert is_signed_in(browser)

    def test_the_last_admin_keeps_role_and_password(self, traveller: Traveller, nora: User) -> None:
        User.objects.filter(username="root").delete()
        people.set_role(nora, admin=True)
        nora.set_password(PASSWORD)
        nora.save()
        traveller.provider.claims["groups"] = ["others"]
        traveller.sign_in()
        nora.refresh_from_db()
        assert nora.is_superuser
        assert is_signed_in(_by_password().client)
        make_user("another", is_staff=True, is_superuser=True)
        assert not is_signed_in(_by_password().client)

    def test_who_is_signed_in_and_tries_again_is_told(
        self, traveller: Traveller, nora: User
    ) -> None:
        traveller.provider.claims["groups"] = ["family"]
        traveller.sign_in()
        traveller.provider.claims["groups"] = ["others"]
        answer = traveller.sign_in()
        assert answer.status_code == 403
        assert b"may not use this instance" in answer.content
        assert not is_signed_in(traveller.client)

    def test_an_admin_is_always_left(self, traveller: Traveller, nora: User) -> None:
        User.objects.filter(username="root").delete()
        people.set_role(nora, admin=True)
        traveller.provider.claims["groups"] = ["family"]
        traveller.sign_in()
        nora.refresh_from_db()
        assert nora.is_superuser
        assert is_signed_in(traveller.client)

    @pytest.mark.parametrize(
        "groups", [7, {"family": 1}, ["Family"], ["family "], [["family"]], None, "families"]
    )
    def test_only_the_very_name_counts(self, traveller: Traveller, nora: User, groups: Any) -> None:
        traveller.provider.claims["groups"] = groups
        assert traveller.sign_in().status_code == 403

    def test_a_member_group_alone_changes_no_role(
        self, traveller: Traveller, nora: User, set_env: Callable[..., None]
    ) -> None:
        set_env(oidc_admin_group=None)
        people.set_role(nora, admin=True)
        traveller.provider.claims["groups"] = ["family"]
        traveller.sign_in()
        nora.refresh_from_db()
        assert nora.is_superuser

    @pytest.mark.parametrize(("group", "made"), [("family", 1), ("admins", 1), ("others", 0)])
    def test_accounts_for_a_group(
        self, traveller: Traveller, set_env: Callable[..., None], group: str, made: int
    ) -> None:
        set_env(oidc_signup="group")
        traveller.provider.claims["groups"] = [group]
        traveller.sign_in()
        found = User.objects.exclude(username="root")
        assert found.count() == made
        assert all(user.is_superuser == (group == "admins") for user in found)


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("nora@example.org", "nora"),
        ("Nora Müller", "NoraMüller"),
        ("", "member"),
        ("../../etc", "etc"),
        ("аlice", "lice"),
        ("a" * 400, "a" * 140),
        ("<script>", "script"),
        (7, "member"),
    ],
)
def test_a_name_is_made_one_that_may_be_here(
    traveller: Traveller, set_env: Callable[..., None], called: Any, name: str
) -> None:
    set_env(oidc_signup="anyone")
    traveller.provider.claims["preferred_username"] = called
    traveller.sign_in()
    assert User.objects.get().username == name


def test_a_subject_that_is_long_is_stored_as_a_digest(
    traveller: Traveller, set_env: Callable[..., None]
) -> None:
    set_env(oidc_signup="anyone")
    traveller.provider.claims["sub"] = "s" * 255
    traveller.sign_in()
    assert SocialAccount.objects.get().uid.startswith("sha256:")
    traveller.sign_in()
    assert User.objects.count() == 1


def test_another_issuer_takes_over_nobody(
    traveller: Traveller, nora: User, set_env: Callable[..., None]
) -> None:
    SocialAccount.objects.update(provider="https://the-one-before.example.org")
    assert traveller.sign_in().status_code == 403
