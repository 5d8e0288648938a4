"""What a diagnosis of the sign-in says, and that it can be pasted in public."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command

from accounts.oidc import diagnosis
from tests.oidc import hostile
from tests.oidc.hostile import Hostile
from tests.unit.accounts.oidc.conftest import Traveller

pytestmark = pytest.mark.django_db


def findings() -> dict[str, tuple[str, str]]:
    return {found.part: (found.verdict, found.words) for found in diagnosis.look()}


def test_everything_is_well(traveller: Traveller, set_env: Callable[..., None]) -> None:
    set_env(oidc_signup="anyone", oidc_admin_group="secret admins", oidc_name="Home")
    traveller.provider.claims["groups"] = ["secret admins", "secret others"]
    traveller.sign_in()
    found = findings()
    assert {verdict for verdict, _words in found.values()} == {"ok", "note"}
    assert found["scopes"][1] == "asked for: openid profile groups"
    assert found["last"][1].endswith("groups: 2, ours among them: admin")


def test_it_can_be_pasted_in_public(traveller: Traveller, set_env: Callable[..., None]) -> None:
    set_env(oidc_signup="anyone", oidc_member_group="secret family")
    traveller.provider.claims["groups"] = ["secret family"]
    traveller.sign_in()
    out, errors = StringIO(), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("diagnose", "--sign-in", stdout=out, stderr=errors)
    assert ended.value.code == 0
    words = out.getvalue()
    hidden = ["secret", "nora", "example.org", hostile.CLIENT_ID, "127.0.0.1", "s-1"]
    assert [word for word in hidden if word in words] == []
    assert "https://stories.example.org/login/oidc/callback/" in errors.getvalue()


@pytest.mark.parametrize(
    ("issuer", "words"),
    [
        ("{}/", "with a slash at its end"),
        ("https://evil.example", "another issuer"),
    ],
)
def test_an_issuer_that_is_written_otherwise(provider: Hostile, issuer: str, words: str) -> None:
    named = issuer.format(provider.issuer)
    provider.change["discovery"] = lambda true: true | {"issuer": named}
    verdict, said = findings()["issuer"]
    assert verdict == "fail"
    assert words in said
    assert urlsplit(provider.issuer).netloc not in said


def test_a_provider_that_is_away(set_env: Callable[..., None]) -> None:
    set_env(**hostile.settings_for("http://127.0.0.1:9"))
    words = "its description cannot be had: nothing listens at its address and port"
    assert findings()["provider"] == ("fail", words)


def test_a_provider_that_signs_with_the_client_secret(provider: Hostile) -> None:
    key = "id_token_signing_alg_values_supported"
    provider.change["discovery"] = lambda true: true | {key: ["HS256"]}
    assert findings()["signature"][0] == "fail"


@pytest.mark.parametrize(
    ("date", "verdict"),
    [
        ("Mon, 01 Jan 2001 00:00:00 GMT", "fail"),
        ("Fri, 01 Jan 2100 00:00:00 GMT", "fail"),
        ("", "note"),
        ("soon", "note"),
    ],
)
def test_a_clock_that_is_off(date: str, verdict: str) -> None:
    assert diagnosis._clock(date).verdict == verdict


def test_without_a_provider_it_says_how_people_sign_in() -> None:
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("diagnose", "--sign-in", stdout=out)
    assert "no provider and no header is set" in out.getvalue()


def test_it_goes_with_nothing_else() -> None:
    with pytest.raises(CommandError):
        call_command("diagnose", "nora", "--sign-in", stdout=StringIO())
