"""API tokens: created, authenticated, revoked; stored as hashes alone."""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone

from accounts.models import ApiToken, Scope

logger = logging.getLogger(__name__)

PREFIX: Final = "sk_"
MAX_LENGTH: Final = 200
LAST_USED_RESOLUTION: Final = timedelta(minutes=1)


def _digest(token: str) -> str:
    # The token is 32 random bytes: nothing to guess, so a plain hash is enough, and it is fast.
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    user: User, name: str, expires_at: datetime | None = None, *, scope: Scope = Scope.WRITE
) -> str:
    """Create an API token and return it; it can never be read again.

    name: cut to 100 characters. expires_at: None for never.
    """
    token = PREFIX + secrets.token_urlsafe(32)
    ApiToken.objects.create(
        owner=user, name=name[:100], digest=_digest(token), expires_at=expires_at, scope=scope
    )
    return token


def revoke(owner: User, token_id: int) -> bool:
    """Delete a token of this owner; False when they have no such token."""
    deleted, _ = ApiToken.objects.filter(owner=owner, pk=token_id).delete()
    return bool(deleted)


def authenticate(token: str) -> ApiToken | None:
    """The row of a token, with its owner; None when unknown, expired or the owner is blocked.

    One query; once a minute a second one updates `last_used_at`.
    """
    if not token.startswith(PREFIX) or len(token) > MAX_LENGTH:
        return None
    now = timezone.now()
    api_token = (
        ApiToken.objects.select_related("owner")
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .filter(digest=_digest(token), owner__is_active=True)
        .first()
    )
    if api_token and (
        api_token.last_used_at is None or api_token.last_used_at < now - LAST_USED_RESOLUTION
    ):
        try:
            ApiToken.objects.filter(pk=api_token.pk).update(last_used_at=now)
            api_token.last_used_at = now
        except OperationalError as error:  # a long write elsewhere: reading works all the same
            logger.warning("the use of a token was not noted: %s", error)
    return api_token
