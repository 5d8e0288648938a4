"""Links that let one more person in: made by an admin, used once, over after a while."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import models, transaction
from django.utils import timezone

from accounts.models import Invitation

DAYS: Final = 7
LONGEST_DAYS: Final = 90


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create(by: User | None, *, admin: bool = False, days: int = DAYS, whom: str = "") -> str:
    """The token of a fresh link; it can never be read again. `by`: None for the command line."""
    now = timezone.now()
    Invitation.objects.filter(expires_at__lte=now).delete()
    token = secrets.token_urlsafe(32)
    Invitation.objects.create(
        digest=_digest(token),
        created_by=by,
        makes_admin=admin,
        whom=whom[:100],
        expires_at=now + timedelta(days=days),
    )
    return token


def pending() -> models.QuerySet[Invitation]:
    """Those that can still be used."""
    now = timezone.now()
    return Invitation.objects.filter(expires_at__gt=now).order_by("expires_at", "pk")


def find(token: str) -> Invitation | None:
    """The invitation behind a link; None when used, revoked, too old or made up."""
    return pending().filter(digest=_digest(token)).first()


def accept(token: str, username: str, password: str) -> User | None:
    """Make the account and use the link up. None when it was used up meanwhile.

    Two browser tabs at once: the second waits for the first one's delete and then finds no row.
    Raises IntegrityError when the name was taken a moment ago; the link stays good.
    """
    with transaction.atomic():
        found = pending().filter(digest=_digest(token)).first()
        if found is None:
            return None
        used, _ = Invitation.objects.filter(pk=found.pk).delete()
        if not used:
            return None
        make = get_user_model().objects
        if found.makes_admin:
            return make.create_superuser(username, password=password)
        return make.create_user(username, password=password)


def revoke(invitation_id: int) -> bool:
    """End an invitation before its time; False when there was none."""
    gone, _ = Invitation.objects.filter(pk=invitation_id).delete()
    return bool(gone)
