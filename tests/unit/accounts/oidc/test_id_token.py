"""An ID token that is wrong in one place signs nobody in."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.oidc import hostile
from tests.unit.accounts.browsing import is_signed_in
from tests.unit.accounts.oidc.conftest import Traveller

pytestmark = pytest.mark.django_db


class TestAToken:
    """What stands in an ID token, wrong in one place each."""

    def refused(self, traveller: Traveller, status: int = 502, **answer: str) -> None:
        response = traveller.come_back(traveller.leave(), **answer)
        assert response.status_code == status, response.content.decode()
        assert not is_signed_in(traveller.client)

    @pytest.mark.parametrize(
        "claims",
        [
            pytest.param({"nonce": "of another"}, id="nonce of another request"),
            pytest.param({"nonce": None}, id="no nonce"),
            pytest.param({"iss": "https://evil.example"}, id="another issuer"),
            pytest.param({"aud": "another-client"}, id="another audience"),
            pytest.param({"aud": ["storykeep", "another"]}, id="shared without azp"),
            pytest.param({"azp": "another-client"}, id="another party"),
            pytest.param({"exp": int(time.time()) - 3600}, id="expired"),
            pytest.param({"iat": int(time.time()) + 3600}, id="of the future"),
            pytest.param({"nbf": int(time.time()) + 3600}, id="not yet"),
            pytest.param({"sub": ""}, id="nobody"),
            pytest.param({"sub": "x" * 256}, id="a subject without end"),
            pytest.param({"sub": "s\x00-1"}, id="a subject with a zero"),
            pytest.param({"sub": "\ud800"}, id="a subject that is no text"),
            pytest.param({"sub": ["s-1"]}, id="a list of subjects"),
            pytest.param({"nonce": "\ud800"}, id="a nonce that is no text"),
        ],
    )
    def test_a_claim_that_is_wrong(
        self, traveller: Traveller, nora: User, claims: dict[str, Any]
    ) -> None:
        traveller.provider.change["claims"] = lambda true: true | claims
        self.refused(traveller)

    @pytest.mark.parametrize("name", ["iss", "aud", "exp", "iat", "sub", "nonce"])
    def test_a_claim_that_is_missing(self, traveller: Traveller, nora: User, name: str) -> None:
        traveller.provider.change["claims"] = lambda true: {
            key: value for key, value in true.items() if key != name
        }
        self.refused(traveller)

    @pytest.mark.parametrize(
        "header",
        [
            pytest.param({"key": hostile.Hostile().key}, id="another key"),
            pytest.param({"alg": "none", "key": None}, id="no signature"),
            pytest.param({"alg": "HS256", "key": hostile.CLIENT_SECRET * 2}, id="client secret"),
            pytest.param({"kid": "k2"}, id="a key nobody shows"),
        ],
    )
    def test_a_signature_that_is_not_the_providers(
        self, traveller: Traveller, nora: User, header: dict[str, Any]
    ) -> None:
        traveller.provider.change["header"] = lambda true: true | header
        self.refused(traveller)
