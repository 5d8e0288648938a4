"""What is taken of a provider's claims."""

from __future__ import annotations

import pytest

from accounts.oidc.identity import MAX_SUBJECT, Identity, from_claims

AT = "https://auth.example.org"


def test_a_subject_is_kept_as_it_is_or_as_a_digest() -> None:
    assert Identity(issuer=AT, subject="A1").key == "A1"
    long = Identity(issuer=AT, subject="A" * (MAX_SUBJECT + 1))
    assert len(long.key) <= MAX_SUBJECT
    assert long.key != Identity(issuer=AT, subject="A" * (MAX_SUBJECT + 2)).key


def test_userinfo_fills_in_what_the_token_leaves_out() -> None:
    person = from_claims(
        AT, {"sub": "1", "groups": ["a"]}, {"preferred_username": "nora", "groups": ["b"]}
    )
    assert person.name == "nora"
    assert sorted(person.groups) == ["a"]


@pytest.mark.parametrize("at", ["soon", None, True, 1.5])
def test_a_time_that_is_none_is_not_told(at: object) -> None:
    assert from_claims(AT, {"sub": "1", "auth_time": at}, {}).authenticated_at is None


@pytest.mark.parametrize(
    ("called", "name"), [("no\x00ra", "nora"), ("\ud800", ""), (7, ""), ("n" * 151, "n" * 150)]
)
def test_a_name_holds_what_can_be_stored(called: object, name: str) -> None:
    assert from_claims(AT, {"sub": "1", "preferred_username": called}, {}).name == name
