"""The provider's own description (OpenID Connect Discovery), checked before any of it is used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from accounts.oidc import wire
from accounts.oidc.errors import Untrusted

WELL_KNOWN: Final = "/.well-known/openid-configuration"
SIGNATURES: Final = frozenset(
    f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)
) | {"EdDSA"}
"""Algorithms of ID tokens that are taken: signatures by the provider's key alone. A client secret
as the key (`HS256`) is not: who knows it could be anybody."""
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What this instance needs of the description.

    userinfo_url: None where there is none. scopes, algorithms, auth_methods: as supported; empty
    where not said.
    """

    issuer: str
    authorization_url: str
    token_url: str
    keys_url: str
    userinfo_url: str | None
    scopes: frozenset[str]
    algorithms: frozenset[str]
    auth_methods: frozenset[str]

    @property
    def authorization_origin(self) -> str:
        """`scheme://host:port` of the page people are sent to."""
        parts = urlsplit(self.authorization_url)
        return f"{parts.scheme}://{parts.netloc}"


def address(issuer: str) -> str:
    """Where an issuer's description is."""
    return issuer.rstrip("/") + WELL_KNOWN


def parse(document: dict[str, Any], issuer: str) -> Metadata:
    """The description. Raises Untrusted when it is not this issuer's, or something is missing."""
    if document.get("issuer") != issuer:
        raise Untrusted("it names another issuer than STORYKEEP_OIDC_ISSUER")
    return Metadata(
        issuer=issuer,
        authorization_url=_url(document, "authorization_endpoint"),
        token_url=_url(document, "token_endpoint"),
        keys_url=_url(document, "jwks_uri"),
        userinfo_url=(
            _url(document, "userinfo_endpoint") if document.get("userinfo_endpoint") else None
        ),
        scopes=_words(document, "scopes_supported"),
        algorithms=_words(document, "id_token_signing_alg_values_supported"),
        auth_methods=_words(document, "token_endpoint_auth_methods_supported"),
    )


def _url(document: dict[str, Any], name: str) -> str:
    url = document.get(name)
    if not isinstance(url, str):
        raise Untrusted(f"{name} is missing")
    try:
        wire.check_address(url)
        parts = urlsplit(url)
        parts.port  # noqa: B018 (asked for only to have it checked)
    except ValueError:
        raise Untrusted(f"{name} is not a URL") from None
    # The origin goes into a header, where a space or a semicolon would begin something else.
    if not _ORIGIN.fullmatch(f"{parts.scheme}://{parts.netloc}") or not url.isprintable():
        raise Untrusted(f"{name} is not a URL")
    return url


def _words(document: dict[str, Any], name: str) -> frozenset[str]:
    values = document.get(name)
    if not isinstance(values, list):
        return frozenset()
    return frozenset(value for value in values if isinstance(value, str))
