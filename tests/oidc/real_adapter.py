"""What the provider in `real.py` tells of people besides what it tells anyway: their groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allauth.idp.oidc.adapter import DefaultOIDCAdapter


class Adapter(DefaultOIDCAdapter):  # type: ignore[misc]  # the library has no types
    """Groups in the ID token and in userinfo."""

    scope_display = DefaultOIDCAdapter.scope_display | {"groups": "Your groups"}

    def get_claims(
        self, purpose: str, user: Any, client: Any, scopes: Iterable[str], **more: Any
    ) -> dict[str, Any]:
        """The claims, with the groups where they were asked for."""
        claims: dict[str, Any] = super().get_claims(purpose, user, client, scopes, **more)
        if "groups" in scopes:
            claims["groups"] = list(user.groups.values_list("name", flat=True))
        return claims

    def populate_server_metadata(self, data: dict[str, Any]) -> None:
        """Say that there are groups."""
        data["scopes_supported"] = [*data.get("scopes_supported", []), "groups"]
