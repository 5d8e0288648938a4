"""Invitations: links that let one person make an account, used once, within some days."""

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

DEFAULT_DAYS: Final = 7
MAX_DAYS: Final = 90


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    by: User | None, *, admin: bool = False, days: int = DEFAULT_DAYS, whom: str = ""
) -> str:
    """Make an invitation and return the token of its link, which can never be read again.

    by: the admin, None on the command line. whom: a reminder, 100 characters at most.
    """
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
    """Invitations that can still be used, the first to expire first."""
    now = timezone.now()
    return Invitation.objects.filter(expires_at__gt=now).order_by("expires_at", "pk")


def find(token: str) -> Invitation | None:
    """The invitation with this token; None when used, revoked, expired or made up."""
    return pending().filter(digest=_digest(token)).first()


def accept(token: str, username: str, password: str | None) -> User | None:
    """Make an account and delete the invitation. None when it was used meanwhile.

    password: None for somebody who signs in by other means.
    Two browser tabs at once: the second waits for the first one's delete and then finds no row.
    Raises IntegrityError when the name was taken a moment ago; the invitation can still be used.
    """
    with transaction.atomic():
        invitation = find(token)
        if invitation is None:
            return None
        deleted, _ = Invitation.objects.filter(pk=invitation.pk).delete()
        if not deleted:
            return None
        users = get_user_model().objects
        if invitation.makes_admin:
            return users.create_superuser(username, password=password)
        return users.create_user(username, password=password)


def revoke(invitation_id: int) -> bool:
    """Delete an invitation; False when there is none by this id."""
    deleted, _ = Invitation.objects.filter(pk=invitation_id).delete()
    return bool(deleted)
