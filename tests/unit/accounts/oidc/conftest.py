"""An identity provider that is set, and people who go there and come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.test import Client

from accounts.oidc import discovery
from tests.oidc import hostile
from tests.oidc.hostile import Hostile


@pytest.fixture(scope="session")
def _listening() -> Iterator[Hostile]:
    with hostile.running() as provider:
        yield provider


@pytest.fixture
def provider(_listening: Hostile, set_env: Callable[..., None]) -> Iterator[Hostile]:
    """A provider that tells the truth until a test has it lie, set in the environment."""
    fresh = Hostile()
    for name in ("change", "raw", "claims", "userinfo", "delay_s", "asked"):
        setattr(_listening, name, getattr(fresh, name))
    discovery.forget()
    set_env(**hostile.settings_for(_listening.issuer))
    yield _listening
    discovery.forget()


class Traveller:
    """A browser that goes to the provider and comes back."""

    def __init__(self, provider: Hostile, client: Client) -> None:
        self.provider, self.client = provider, client

    def leave(self, path: str = "/login/oidc/", **form: str) -> str:
        """Press a button; where it leads."""
        response = self.client.post(path, form)
        assert response.status_code == 302, response.status_code
        return str(response["Location"])

    def come_back(self, location: str, **answer: str) -> Any:
        """Sign in there and come back; what this instance answers."""
        parameters = self.provider.sign_in(location, **answer)
        return self.client.get("/login/oidc/callback/", parameters)

    def sign_in(self, **form: str) -> Any:
        """All of it."""
        return self.come_back(self.leave(**form))


@pytest.fixture
def traveller(provider: Hostile, client: Client) -> Traveller:
    """Whoever signs in with the provider."""
    return Traveller(provider, client)


@pytest.fixture
def nora(provider: Hostile) -> User:
    """A member without a password, linked to the person the provider signs in."""
    user = User.objects.create_user("nora")
    SocialAccount.objects.create(user=user, provider=provider.issuer, uid="s-1")
    return user
