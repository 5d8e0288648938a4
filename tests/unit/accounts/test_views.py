"""The account's pages about tokens: mine alone, and shown once."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts import tokens
from accounts.models import ApiToken
from tests.factories import make_user

pytestmark = pytest.mark.django_db
GOOD = {"name": "phone", "scope": "read", "days": 30}


@pytest.fixture
def browser(alice: User) -> Client:
    """A browser in which alice is signed in."""
    client = Client()
    client.force_login(alice)
    return client


class TestTokens:
    def test_a_token_is_shown_once_and_works(self, browser: Client, alice: User) -> None:
        answer = browser.post("/account/tokens/", GOOD)
        fresh = answer.context["fresh"]
        assert fresh.encode() in answer.content
        found = tokens.authenticate(fresh)
        assert found
        assert (found.owner, found.name, found.scope) == (alice, "phone", "read")
        assert found.expires_at
        again = browser.get("/account/tokens/")
        assert fresh.encode() not in again.content
        assert b"phone" in again.content

    def test_one_can_last_for_ever(self, browser: Client) -> None:
        browser.post("/account/tokens/", GOOD | {"days": 0, "scope": "write"})
        row = ApiToken.objects.get()
        assert row.expires_at is None
        assert row.scope == "write"

    @pytest.mark.parametrize(
        "wrong", [{"name": ""}, {"name": "x" * 101}, {"scope": "root"}, {"days": 12}, {"days": "x"}]
    )
    def test_mistakes_come_back(self, browser: Client, wrong: dict[str, Any]) -> None:
        assert browser.post("/account/tokens/", GOOD | wrong).status_code == 422
        assert not ApiToken.objects.exists()

    def test_others_tokens_are_not_mine_to_see_or_end(self, browser: Client) -> None:
        tokens.create(make_user("bob"), "bobs secret")
        row = ApiToken.objects.get()
        assert b"bobs secret" not in browser.get("/account/tokens/").content
        assert browser.post(f"/account/tokens/{row.pk}/revoke/").status_code == 404
        assert ApiToken.objects.exists()

    def test_ending_one(self, browser: Client, alice: User) -> None:
        token = tokens.create(alice, "old")
        row = ApiToken.objects.get()
        assert browser.get(f"/account/tokens/{row.pk}/revoke/").status_code == 405
        assert browser.post(f"/account/tokens/{row.pk}/revoke/").status_code == 302
        assert tokens.authenticate(token) is None

    def test_names_are_only_text(self, browser: Client) -> None:
        answer = browser.post("/account/tokens/", GOOD | {"name": "<script>alert(1)</script>"})
        assert b"<script>alert" not in answer.content

    def test_no_token_opens_these_pages(self, client: Client, alice: User) -> None:
        headers = {"authorization": f"Bearer {tokens.create(alice, 'x')}"}
        assert client.get("/account/tokens/", headers=headers).status_code == 302
