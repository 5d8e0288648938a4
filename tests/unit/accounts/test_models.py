"""Rows of tokens and links: when they end, and what their names give away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.utils import timezone

from accounts.models import ApiToken, Invitation, Scope, SetupLink

NOW = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)
DIGEST = "d1" * 32


@pytest.mark.parametrize(
    ("expires_at", "expired"),
    [
        pytest.param(None, False, id="never"),
        pytest.param(NOW + timedelta(microseconds=1), False, id="a moment before"),
        pytest.param(NOW, True, id="at that moment"),
        pytest.param(NOW - timedelta(days=400), True, id="long ago"),
    ],
)
def test_a_token_is_expired_from_its_moment_on(
    monkeypatch: pytest.MonkeyPatch, expires_at: datetime | None, expired: bool
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    assert ApiToken(expires_at=expires_at).is_expired is expired


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (ApiToken(name="phone", digest=DIGEST), "phone"),
        (SetupLink(digest=DIGEST, created_at=NOW), "set-up link of 2026-11-20 14:03"),
        (Invitation(digest=DIGEST, expires_at=NOW), "invitation until 2026-11-20 14:03"),
    ],
    ids=["token", "set-up link", "invitation"],
)
def test_a_rows_name_gives_no_digest_away(row: object, name: str) -> None:
    assert str(row) == name


@pytest.mark.django_db
def test_a_digest_opens_one_account_alone(alice: User) -> None:
    ApiToken.objects.create(owner=alice, name="phone", digest=DIGEST)
    with pytest.raises(IntegrityError):
        ApiToken.objects.create(owner=alice, name="laptop", digest=DIGEST)


@pytest.mark.django_db
def test_tokens_and_invitations_go_with_their_person_and_no_others(alice: User) -> None:
    ApiToken.objects.create(owner=alice, name="phone", digest=DIGEST)
    Invitation.objects.create(created_by=alice, digest=DIGEST, expires_at=NOW)
    Invitation.objects.create(created_by=None, digest="e2" * 32, expires_at=NOW)
    alice.delete()
    assert not ApiToken.objects.exists()
    assert Invitation.objects.get().created_by is None


def test_a_read_scope_fits_its_column() -> None:
    longest = ApiToken._meta.get_field("scope").max_length
    assert longest is not None
    assert max(len(scope) for scope in Scope) <= longest
