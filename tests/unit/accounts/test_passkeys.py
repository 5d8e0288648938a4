"""Passkeys: what no browser would send is a wrong answer."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_user
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
        pytest.param("1" * 5000, id="a long number"),
        pytest.param("[" * 100_000, id="brackets without end"),
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


def test_wrong_ones_at_the_same_address_stop_no_right_one(client: Client) -> None:
    """A signature cannot be guessed; what is limited is how often a code or a password is tried."""
    place = "/account/security/webauthn/login/"
    answers = {Client().post(place, {"credential": "{}"}).status_code for _ in range(25)}
    assert answers == {302}


def test_anothers_passkey_is_not_there(client: Client, alice: User) -> None:
    """Even for whoever has just given their password; the table of pages stops before that."""
    key = Authenticator.objects.create(
        user=make_user("bob"), type=Authenticator.Type.WEBAUTHN, data={"name": "Key"}
    )
    sign_in(client)
    confirm(client)
    for act in ("remove", "edit"):
        address = f"/account/security/webauthn/keys/{key.pk}/{act}/"
        assert client.get(address).status_code == 404
        assert client.post(address, {"name": "mine"}).status_code == 404
    assert Authenticator.objects.get().data == {"name": "Key"}
