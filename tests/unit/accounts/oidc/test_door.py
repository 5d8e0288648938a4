"""The button that leads to the provider, and the policy of its page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.oidc import discovery
from tests.factories import make_user
from tests.oidc import hostile
from tests.oidc.hostile import Hostile

pytestmark = pytest.mark.django_db


class TestThePolicy:
    def test_pages_with_the_button_name_the_provider(
        self, provider: Hostile, client: Client
    ) -> None:
        policy = client.get("/login/")["Content-Security-Policy"]
        assert f"form-action 'self' {provider.issuer};" in policy

    def test_other_pages_do_not(self, provider: Hostile, client: Client, alice: User) -> None:
        client.force_login(alice)
        for path in ("/", "/account/", "/history/"):
            assert provider.issuer not in client.get(path)["Content-Security-Policy"]

    def test_an_origin_that_would_add_to_the_policy_is_not_taken(
        self, provider: Hostile, client: Client
    ) -> None:
        evil = "http://127.0.0.1; script-src *"
        provider.change["discovery"] = lambda true: true | {"authorization_endpoint": evil}
        assert "script-src *" not in client.get("/login/")["Content-Security-Policy"]


class TestAProviderThatIsAway:
    def test_pages_are_calm_and_wait_little(
        self, client: Client, set_env: Callable[..., None]
    ) -> None:
        make_user("root", is_superuser=True)
        set_env(**hostile.settings_for("http://127.0.0.1:9"))
        discovery.forget()
        page = client.get("/login/")
        assert page.status_code == 200
        assert b"is not answering" in page.content
        assert b'name="password"' in page.content
        # Its policy names nobody, so that a form could not lead there.
        assert b"/login/oidc/" not in page.content
        assert b'href="/login/"' in page.content
        pressed = client.post("/login/oidc/")
        assert pressed.status_code == 503
        assert pressed["Retry-After"] == "30"
        discovery.forget()

    def test_a_description_of_another_issuer_is_not_taken(
        self, provider: Hostile, client: Client
    ) -> None:
        provider.change["discovery"] = lambda true: true | {"issuer": "https://evil.example"}
        assert client.post("/login/oidc/").status_code == 503
