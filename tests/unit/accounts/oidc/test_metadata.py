"""The provider's description: whole, of that issuer, and harmless in a header."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.oidc import metadata
from accounts.oidc.errors import Untrusted
from tests.oidc.hostile import Hostile


@pytest.fixture
def document() -> dict[str, Any]:
    provider = Hostile()
    provider.issuer = "https://auth.example.org"
    return provider.document()


def test_a_description(document: dict[str, Any]) -> None:
    found = metadata.parse(document, "https://auth.example.org")
    assert found.token_url == "https://auth.example.org/token"
    assert found.authorization_origin == "https://auth.example.org"
    assert "groups" in found.scopes


def test_it_is_found_below_the_issuer() -> None:
    for issuer in ("https://a.example/o/x/", "https://a.example/o/x"):
        assert metadata.address(issuer) == "https://a.example/o/x/.well-known/openid-configuration"


@pytest.mark.parametrize("issuer", ["https://auth.example.org/", "https://evil.example", ""])
def test_another_issuers_is_not_taken(document: dict[str, Any], issuer: str) -> None:
    with pytest.raises(Untrusted, match="another issuer"):
        metadata.parse(document, issuer)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        "",
        "//evil.example",
        "javascript:alert(1)",
        "http://auth.example.org/x",
        "https://a.example; script-src *",
        "https://a.example\r\nX: 1/",
        "https://user:word@a.example/",
        "https://[::1/",
        "https://a.example:port/",
        "https://*/",
    ],
)
def test_an_address_that_is_none(document: dict[str, Any], name: str, url: Any) -> None:
    document[name] = url
    with pytest.raises(Untrusted):
        metadata.parse(document, "https://auth.example.org")


def test_lists_that_are_none_are_empty(document: dict[str, Any]) -> None:
    document |= {"scopes_supported": "openid", "token_endpoint_auth_methods_supported": [1, "x"]}
    found = metadata.parse(document, "https://auth.example.org")
    assert found.scopes == frozenset()
    assert found.auth_methods == {"x"}
