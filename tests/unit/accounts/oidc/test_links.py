"""Accounts are linked by their owner, and unlinked while there is another way in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User

from tests.factories import make_user
from tests.oidc.hostile import Hostile
from tests.unit.accounts.browsing import confirm, sign_in
from tests.unit.accounts.oidc.conftest import Traveller

pytestmark = pytest.mark.django_db


class TestLinking:
    def test_the_owner_links_their_account(
        self, traveller: Traveller, alice: User, set_env: Callable[..., None]
    ) -> None:
        sign_in(traveller.client)
        confirm(traveller.client)
        location = traveller.leave("/account/provider/link/")
        assert traveller.come_back(location)["Location"] == "/account/provider/"
        assert SocialAccount.objects.get().user == alice
        assert "nora" in traveller.client.get("/account/provider/").content.decode()
        traveller.client.post("/logout/")
        traveller.sign_in()
        assert traveller.client.session["_auth_user_id"] == str(alice.pk)

    def test_whoever_finds_the_browser_does_not(self, traveller: Traveller, alice: User) -> None:
        traveller.client.force_login(alice)
        response = traveller.client.post("/account/provider/link/")
        assert response["Location"] == "/account/provider/"
        assert "/account/confirm/" in traveller.client.get("/account/provider/")["Location"]

    def test_somebody_elses_is_not_taken(
        self, traveller: Traveller, alice: User, nora: User
    ) -> None:
        sign_in(traveller.client)
        confirm(traveller.client)
        traveller.come_back(traveller.leave("/account/provider/link/"))
        assert SocialAccount.objects.get().user == nora
        assert b"already linked to another" in traveller.client.get("/account/provider/").content

    def test_it_counts_for_who_left(self, traveller: Traveller, alice: User) -> None:
        sign_in(traveller.client)
        confirm(traveller.client)
        parameters = traveller.provider.sign_in(traveller.leave("/account/provider/link/"))
        stash = traveller.client.session["socialaccount_states"]
        traveller.client.force_login(make_user("bob"))
        session = traveller.client.session
        session["socialaccount_states"] = stash
        session.save()
        assert traveller.client.get("/login/oidc/callback/", parameters).status_code == 502
        assert not SocialAccount.objects.exists()

    def test_the_owner_unlinks_it(self, traveller: Traveller, provider: Hostile) -> None:
        alice = make_user("alice")
        SocialAccount.objects.create(user=alice, provider=provider.issuer, uid="s-1")
        sign_in(traveller.client)
        confirm(traveller.client)
        traveller.client.post("/account/provider/unlink/")
        assert not SocialAccount.objects.exists()

    def test_the_only_way_in_stays(self, traveller: Traveller, nora: User) -> None:
        traveller.sign_in()
        traveller.come_back(traveller.leave("/account/confirm/provider/"))
        traveller.client.post("/account/provider/unlink/")
        assert SocialAccount.objects.get().user == nora
