"""What the provider is asked, and what people bring back."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.oidc import hostile
from tests.unit.accounts.browsing import is_signed_in
from tests.unit.accounts.oidc.conftest import Traveller

pytestmark = pytest.mark.django_db


class TestLeaving:
    def test_the_request_is_as_it_has_to_be(self, traveller: Traveller) -> None:
        location = traveller.leave()
        asked = parse_qs(urlsplit(location).query)
        assert location.startswith(f"{traveller.provider.issuer}/authorize?")
        assert asked["redirect_uri"] == ["https://stories.example.org/login/oidc/callback/"]
        assert asked["code_challenge_method"] == ["S256"]
        assert len(asked["state"][0]) >= 16
        assert len(asked["nonce"][0]) >= 32
        assert sorted(asked["scope"][0].split()) == ["openid", "profile"]
        assert "prompt" not in asked

    def test_nobody_adds_to_what_is_asked_for(self, traveller: Traveller) -> None:
        response = traveller.client.post(
            "/login/oidc/?scope=email&auth_params=prompt%3Dnone&process=connect"
        )
        asked = parse_qs(urlsplit(response["Location"]).query)
        assert sorted(asked["scope"][0].split()) == ["openid", "profile"]
        assert "prompt" not in asked


class TestComingBack:
    """What people bring back, and what the provider answers to it."""

    def refused(self, traveller: Traveller, status: int = 502, **answer: str) -> None:
        response = traveller.come_back(traveller.leave(), **answer)
        assert response.status_code == status, response.content.decode()
        assert not is_signed_in(traveller.client)

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/token", b'{"error": "invalid_grant"}'),
            ("/token", b'{"access_token": "at"}'),
            ("/token", b'{"access_token": "at", "id_token": 7}'),
            ("/token", b'{"access_token": "at", "id_token": "a.b.c"}'),
            ("/token", b"[]"),
            ("/token", b"<html>"),
            ("/token", b"\xff\xfe"),
            ("/token", b"[" * 100_000),
            ("/token", b"x" * 600_000),
            ("/keys", b"{}"),
            ("/keys", b'{"keys": [1, {"kid": "k1", "kty": "EC", "alg": "ES256"}]}'),
        ],
    )
    def test_an_answer_that_is_none(
        self, traveller: Traveller, nora: User, path: str, body: bytes
    ) -> None:
        traveller.provider.raw[path] = body
        self.refused(traveller)

    def test_a_state_that_nobody_left_with(self, traveller: Traveller, nora: User) -> None:
        self.refused(traveller, 400, state="made-up")

    def test_a_browser_that_nobody_left_from(self, traveller: Traveller, nora: User) -> None:
        parameters = traveller.provider.sign_in(traveller.leave())
        other = Client()
        assert other.get("/login/oidc/callback/", parameters).status_code == 400
        assert not is_signed_in(other)

    def test_an_answer_that_comes_twice(self, traveller: Traveller, nora: User) -> None:
        parameters = traveller.provider.sign_in(traveller.leave())
        address = "/login/oidc/callback/?" + hostile.query(parameters)
        assert traveller.client.get(address)["Location"] == "/"
        assert traveller.client.get(address)["Location"] == "/"
        assert is_signed_in(traveller.client)

    def test_an_issuer_in_the_answer_that_is_another(
        self, traveller: Traveller, nora: User
    ) -> None:
        self.refused(traveller, iss="https://evil.example")

    def test_somebody_who_declines(self, traveller: Traveller, nora: User) -> None:
        state = parse_qs(urlsplit(traveller.leave()).query)["state"][0]
        response = traveller.client.get(
            "/login/oidc/callback/", {"state": state, "error": "access_denied"}
        )
        assert response.status_code == 403
        assert b"You did not sign in" in response.content

    def test_an_error_of_the_providers(self, traveller: Traveller, nora: User) -> None:
        state = parse_qs(urlsplit(traveller.leave()).query)["state"][0]
        words = {"state": state, "error": "<b>x", "error_description": "<script>"}
        response = traveller.client.get("/login/oidc/callback/", words)
        assert response.status_code == 502
        assert b"<script>" not in response.content.replace(b"<script src=", b"")

    def test_userinfo_about_somebody_else(
        self, traveller: Traveller, nora: User, set_env: Callable[..., None]
    ) -> None:
        set_env(oidc_member_group="family")
        traveller.provider.change["userinfo"] = lambda _: {"sub": "s-2", "groups": ["family"]}
        self.refused(traveller)
