"""Whether there is a provider, and what it is called."""

from __future__ import annotations

from collections.abc import Callable

from accounts.oidc import configured
from tests.oidc import hostile


def test_without_an_issuer_there_is_none(set_env: Callable[..., None]) -> None:
    set_env(oidc_only=True)
    assert not configured.is_on()
    assert not configured.is_only()
    assert configured.name() == ""


def test_its_name_is_the_one_that_is_set_else_its_host(set_env: Callable[..., None]) -> None:
    set_env(**hostile.settings_for("https://auth.example.org:8443/realms/home"))
    assert configured.is_on()
    assert configured.name() == "auth.example.org"
    set_env(oidc_name="Home")
    assert configured.name() == "Home"
