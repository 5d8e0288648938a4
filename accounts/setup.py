"""The first admin: made through a one-time set-up link, or from two settings."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from accounts import people
from accounts.models import SetupLink

LINK_LIFETIME: Final = timedelta(hours=24)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def admin_exists() -> bool:
    """Whether an active admin exists."""
    return people.admins().exists()


_seen_admin = False


def needs_admin() -> bool:
    """Whether there is no admin yet: one query a look, and none once there was one.

    The last admin cannot go (accounts/people.py), so what was seen once holds for this process.
    """
    global _seen_admin
    if not _seen_admin:
        _seen_admin = admin_exists()
    return not _seen_admin


def create_link() -> str | None:
    """The token of a new set-up link, which replaces any earlier one; None with an admin."""
    if admin_exists():
        return None
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        SetupLink.objects.all().delete()
        SetupLink.objects.create(digest=_digest(token))
    return token


def is_valid(token: str) -> bool:
    """Whether a set-up link can still make the first admin."""
    return _usable_links(token).exists() and not admin_exists()


def make_admin(token: str, username: str, password: str | None) -> User | None:
    """Make the first admin and delete the link. None when it was used or has expired.

    password: None for somebody who signs in by other means.
    Two browser tabs at once, or two links that were made at once: all links are locked, so that the
    second waits for the first and then finds none.
    """
    with transaction.atomic():
        links = list(SetupLink.objects.select_for_update().order_by("pk").values_list("pk"))
        if not links or not _usable_links(token).exists() or admin_exists():
            return None
        SetupLink.objects.all().delete()
        return get_user_model().objects.create_superuser(username, password=password)


def ensure_admin(username: str | None, password: str | None) -> bool:
    """Make the admin named in the settings; True when made. An existing user stays as it is."""
    if not username or not password:
        return False
    users = get_user_model().objects
    if users.filter(username=username).exists():
        return False
    try:
        with transaction.atomic():
            users.create_superuser(username, password=password)
    except IntegrityError:  # another process was quicker
        return False
    return True


def _usable_links(token: str) -> models.QuerySet[SetupLink]:
    return SetupLink.objects.filter(
        digest=_digest(token), created_at__gt=timezone.now() - LINK_LIFETIME
    )
