"""Who is an admin, who is blocked, who goes; and the rule that an admin is always left.

Every change to a person that could take the last admin away runs inside `keeping_an_admin`, whether
it comes from a page, the admin or a command.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.utils import timezone

from accounts.models import ApiToken, Invitation


class LastAdmin(Exception):
    """This would leave nobody who can run the instance. Nothing was changed."""


def admins() -> models.QuerySet[User]:
    """Everyone who can run this instance."""
    return get_user_model().objects.filter(is_superuser=True, is_active=True)


def _locked() -> list[int]:
    """Every admin, locked until the transaction ends, always in the same order.

    So of two who demote each other at the same time the second finds itself the last. (SQLite locks
    by itself: its transactions are IMMEDIATE.)
    """
    return list(admins().select_for_update().order_by("pk").values_list("pk", flat=True))


@contextmanager
def keeping_an_admin() -> Iterator[None]:
    """One transaction for what is inside; LastAdmin, and none of it, if no admin would be left."""
    with transaction.atomic():
        before = _locked()
        yield
        if before and not admins().exists():
            raise LastAdmin


def are_last_admins(*users: User) -> bool:
    """Would nobody be in charge without them? Holds as long as the caller's transaction does."""
    with transaction.atomic():
        locked = set(_locked())
        return bool(locked) and locked <= {user.pk for user in users}


def set_role(user: User, *, admin: bool) -> None:
    """Make someone an admin or a member. Raises LastAdmin."""
    with keeping_an_admin():
        get_user_model().objects.filter(pk=user.pk).update(is_staff=admin, is_superuser=admin)
        if not admin:
            # Who could invite may still hold links; they would outlive the right to make them.
            Invitation.objects.filter(created_by=user).delete()
    user.is_staff = user.is_superuser = admin


def block(user: User) -> None:
    """Let someone in no more: sessions, tokens and the invitations they made end at once.

    Raises LastAdmin.
    """
    with keeping_an_admin():
        get_user_model().objects.filter(pk=user.pk).update(is_active=False)
        ApiToken.objects.filter(owner=user).delete()
        Invitation.objects.filter(created_by=user).delete()
        sign_out_everywhere(user)
    user.is_active = False


def unblock(user: User) -> None:
    """Let someone in again, with the password they had."""
    get_user_model().objects.filter(pk=user.pk).update(is_active=True)
    user.is_active = True


def remove(user: User) -> None:
    """Delete the person's row and what hangs on it. Raises LastAdmin.

    What they saved goes before, through `webapp/offboarding.py`.
    """
    with keeping_an_admin():
        sign_out_everywhere(user)
        get_user_model().objects.filter(pk=user.pk).delete()


def sign_out_everywhere(user: User) -> int:
    """End all of someone's sessions; how many there were."""
    going = Session.objects.filter(expire_date__gt=timezone.now()).iterator()
    held = [one.pk for one in going if one.get_decoded().get(SESSION_KEY) == str(user.pk)]
    for start in range(0, len(held), 200):
        Session.objects.filter(pk__in=held[start : start + 200]).delete()
    return len(held)
