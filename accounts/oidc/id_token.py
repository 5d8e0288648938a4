"""The ID token: its signature, and everything OpenID Connect Core 3.1.3.7 asks to be checked.

The library would read it without its signature, as it came over TLS; a proxy that opens TLS, or a
token endpoint that hands on what others send it, would then be believed.
"""

from __future__ import annotations

from typing import Any, Final

import jwt

from accounts.oidc.discovery import Discovery
from accounts.oidc.errors import Untrusted
from accounts.oidc.metadata import SIGNATURES, Metadata

LEEWAY_S: Final = 60
"""By how much the provider's clock and ours may differ."""


def verify(
    token: object, *, provider: Metadata, discovery: Discovery, client_id: str, nonce: str
) -> dict[str, Any]:
    """The claims of a token. Raises Untrusted and ProviderAway.

    nonce: of the request that the token answers.
    """
    if not isinstance(token, str):
        raise Untrusted("there is no ID token")
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in SIGNATURES:
            raise Untrusted("the ID token is not signed with a key of the provider's")
        claims: dict[str, Any] = jwt.decode(
            token,
            key=_key(discovery.keys(provider.keys_url, header.get("kid")), header),
            algorithms=[algorithm],
            audience=client_id,
            issuer=provider.issuer,
            leeway=LEEWAY_S,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except jwt.PyJWTError as error:
        raise Untrusted(f"the ID token does not hold: {type(error).__name__}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise Untrusted("the ID token cannot be read") from error
    if claims.get("nonce") != nonce:
        raise Untrusted("the ID token answers another request")
    audience = claims["aud"]
    party = claims.get("azp")
    is_shared = isinstance(audience, list) and len(audience) > 1
    if (is_shared or party is not None) and party != client_id:
        raise Untrusted("the ID token is for somebody else")
    subject = claims["sub"]
    is_subject = isinstance(subject, str) and 0 < len(subject) <= 255
    if not (is_subject and subject.isascii() and subject.isprintable()):
        raise Untrusted("the ID token names nobody")
    return claims


def _key(keys: list[dict[str, Any]], header: dict[str, Any]) -> Any:
    """The key that a token's header names. Raises Untrusted and jwt.PyJWTError."""
    usable = [key for key in keys if key.get("use", "sig") == "sig"]
    key_id, algorithm = header.get("kid"), header["alg"]
    named = [key for key in usable if key.get("kid") == key_id] if key_id else usable
    fitting = [key for key in named if key.get("alg", algorithm) == algorithm]
    if len(fitting) != 1:
        raise Untrusted("the ID token is signed with a key the provider does not show")
    return jwt.PyJWK(fitting[0], algorithm=algorithm)
