"""API tokens: made, checked, never kept as they are."""

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
LONGEST: Final = 200
LAST_USED_STEP: Final = timedelta(minutes=1)


def _digest(token: str) -> str:
    # The token is 32 random bytes: nothing to guess, so a plain hash is enough, and it is fast.
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    user: User, name: str, expires_at: datetime | None = None, *, scope: Scope = Scope.WRITE
) -> str:
    """A new token for `user`. It is returned here and can never be read again."""
    token = PREFIX + secrets.token_urlsafe(32)
    ApiToken.objects.create(
        owner=user, name=name[:100], digest=_digest(token), expires_at=expires_at, scope=scope
    )
    return token


def revoke(owner: User, token_id: int) -> bool:
    """End one of the owner's tokens; False when they have no such token."""
    gone, _ = ApiToken.objects.filter(owner=owner, pk=token_id).delete()
    return bool(gone)


def authenticate(token: str) -> ApiToken | None:
    """The row behind a token, with its owner; None when unknown, expired or the owner is blocked.

    One query; once a minute a second one notes the use.
    """
    if not token.startswith(PREFIX) or len(token) > LONGEST:
        return None
    now = timezone.now()
    found = (
        ApiToken.objects.select_related("owner")
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .filter(digest=_digest(token), owner__is_active=True)
        .first()
    )
    if found and (found.last_used_at is None or found.last_used_at < now - LAST_USED_STEP):
        try:
            ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
            found.last_used_at = now
        except OperationalError as error:  # somebody writes for long: looking works all the same
            logger.warning("the use of a token was not noted: %s", error)
    return found
