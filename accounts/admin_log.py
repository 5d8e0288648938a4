"""The admin log of people who are gone: what they did stays, and their name does not.

Django deletes a person's log entries with the person. An instance that several people run has to be
able to say later what was done, so the entries pass to a row that stands for everyone who left.
"""

from __future__ import annotations

from typing import Final

from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType

FORMER: Final = "deleted user"
"""Name of the row that stands for people who left; the space keeps anybody from having it."""


def keep_without_name(user: User) -> int:
    """Keep the log entries of a person about to be deleted, without their name; how many they are.

    Entries about the person, those of others included, lose the name as well. Call it in the
    transaction that deletes the person.
    """
    about = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(get_user_model()), object_id=str(user.pk)
    )
    about.update(object_repr=FORMER)
    theirs = LogEntry.objects.filter(user=user)
    return theirs.update(user=_former()) if theirs.exists() else 0


def _former() -> User:
    """The row for people who left: nobody can sign in as it."""
    user, _made = get_user_model().objects.get_or_create(
        username=FORMER, defaults={"is_active": False, "password": make_password(None)}
    )
    return user
