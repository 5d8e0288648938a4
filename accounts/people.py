"""Roles, blocking and removing of people; and the rule that an admin is always left.

Every change that could take the last admin away runs inside `ensure_admin_remains`, whether it
comes from a page, the admin or a command.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.utils import timezone

from accounts import admin_log, ended_sessions
from accounts.models import ApiToken, Invitation, SignInLink
from accounts.oidc import orphans


class LastAdmin(Exception):
    """The change would leave no active admin; it was rolled back."""


def admins() -> models.QuerySet[User]:
    """Active admins: everyone who can run this instance."""
    return get_user_model().objects.filter(is_superuser=True, is_active=True)


def _lock_admins() -> list[int]:
    """The ids of all admins, their rows locked until the transaction ends, in a fixed order.

    Of two who demote each other at the same time, the second finds itself the last. (SQLite locks
    by itself: its transactions are IMMEDIATE.)
    """
    return list(admins().select_for_update().order_by("pk").values_list("pk", flat=True))


@contextmanager
def ensure_admin_remains() -> Iterator[None]:
    """A transaction that is rolled back, raising LastAdmin, when no admin would be left."""
    with transaction.atomic():
        before = _lock_admins()
        yield
        if before and not admins().exists():
            raise LastAdmin


def are_last_admins(*users: User) -> bool:
    """Whether no admin would be left without them. Holds as long as the caller's transaction."""
    with transaction.atomic():
        locked = set(_lock_admins())
        return bool(locked) and locked <= {user.pk for user in users}


def set_role(user: User, *, admin: bool) -> None:
    """Make a person an admin or a member. Raises LastAdmin."""
    with ensure_admin_remains():
        get_user_model().objects.filter(pk=user.pk).update(is_staff=admin, is_superuser=admin)
        if not admin:
            # Links they made would outlive the right to make them.
            Invitation.objects.filter(created_by=user).delete()
    user.is_staff = user.is_superuser = admin


def block(user: User) -> None:
    """Block a person: sessions, tokens and the invitations they made end at once.

    Raises LastAdmin.
    """
    with ensure_admin_remains():
        get_user_model().objects.filter(pk=user.pk).update(is_active=False)
        ApiToken.objects.filter(owner=user).delete()
        Invitation.objects.filter(created_by=user).delete()
        SignInLink.objects.filter(user=user).delete()
        sign_out_everywhere(user)
    user.is_active = False


def unblock(user: User) -> None:
    """Let a blocked person sign in again, with the password they had."""
    get_user_model().objects.filter(pk=user.pk).update(is_active=True)
    user.is_active = True


def remove(user: User) -> None:
    """Delete a person's row, and rows that refer to it; the admin log keeps what they did, without
    their name. Raises LastAdmin.

    Jobs and files are deleted before, by `webapp/offboarding.py`.
    """
    with ensure_admin_remains():
        sign_out_everywhere(user)
        admin_log.keep_without_name(user)
        orphans.remove(user)
        get_user_model().objects.filter(pk=user.pk).delete()


def sign_out_everywhere(user: User) -> int:
    """End all sessions of a person, and what goes with them, at once; how many there were."""
    sessions = Session.objects.filter(expire_date__gt=timezone.now()).iterator()
    keys = [row.pk for row in sessions if row.get_decoded().get(SESSION_KEY) == str(user.pk)]
    with transaction.atomic():
        for start in range(0, len(keys), 200):
            Session.objects.filter(pk__in=keys[start : start + 200]).delete()
        ended_sessions.all_ended(user.pk)
    return len(keys)
