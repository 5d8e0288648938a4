"""Passkeys: what no browser would send is a wrong answer."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.test import Client

from tests.unit.accounts.browsing import (
    SECRET,
    confirm,
    is_signed_in,
    sign_in,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "{}",
        "[]",
        "null",
        "not json",
        "1",
        '{"id": 1}',
        '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {}}',
        (
            '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {"userHandle": "MQ",'
            ' "clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"}}'
        ),
        (
            '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {"userHandle": "_w",'
            ' "clientDataJSON": "AA", "attestationObject": "AA"}}'
        ),
    ],
)
def test_nonsense_for_a_passkey(client: Client, alice: User, credential: str) -> None:
    place = "/account/security/webauthn"
    given = {"credential": credential}
    client.get(f"{place}/login/", headers={"accept": "application/json"})
    assert client.post(f"{place}/login/", given).status_code == 302
    assert not is_signed_in(client)
    sign_in(client)
    assert client.post(f"{place}/reauthenticate/", given).status_code == 302
    confirm(client)
    client.get(f"{place}/add/")
    assert client.post(f"{place}/add/", given | {"name": "x"}).status_code == 200
    assert not Authenticator.objects.exists()
    TOTP.activate(alice, SECRET)
    sign_in(other := Client())
    assert other.post("/account/security/authenticate/", given).status_code == 200
    assert not is_signed_in(other)
