"""Sign-in links: made by whoever has the server's command line, used once, within minutes."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import models, transaction
from django.utils import timezone

from accounts.models import SignInLink

LIFETIME: Final = timedelta(minutes=10)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create(user: User) -> str:
    """The token of a new link, which replaces an earlier one of that person."""
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        SignInLink.objects.filter(created_at__lte=timezone.now() - LIFETIME).delete()
        SignInLink.objects.update_or_create(
            user=user, defaults={"digest": _digest(token), "created_at": timezone.now()}
        )
    return token


def find(token: str) -> User | None:
    """Whom a link signs in; None when it was used, has expired, is made up, or they are blocked."""
    link = _usable(token).select_related("user").first()
    return link.user if link else None


def use(token: str) -> User | None:
    """Delete the link and return whom it signs in; None as for `find`.

    Of two browser tabs at once, the second finds no row to delete.
    """
    with transaction.atomic():
        user = find(token)
        if user is None:
            return None
        deleted, _rows = SignInLink.objects.filter(digest=_digest(token)).delete()
        return user if deleted else None


def _usable(token: str) -> models.QuerySet[SignInLink]:
    return SignInLink.objects.filter(
        digest=_digest(token),
        created_at__gt=timezone.now() - LIFETIME,
        user__is_active=True,
    )
