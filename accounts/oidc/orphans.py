"""Links to a provider that is switched off: their table is there, and nothing knows it.

Its rows refer to people, whom the database would not let go.
"""

from __future__ import annotations

from typing import Final

from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection

_APP: Final = "allauth.socialaccount"
_LINKS: Final = "socialaccount_socialaccount"
_TOKENS: Final = "socialaccount_socialtoken"


def remove(user: User) -> None:
    """Delete a person's links in tables that are left over; nothing where there are none."""
    if apps.is_installed(_APP):  # they go as any other row that refers to the person
        return
    with connection.cursor() as cursor:
        if _LINKS not in connection.introspection.table_names(cursor):
            return
        # The tables' names are ours, and the id is a parameter.
        cursor.execute(
            f"DELETE FROM {_TOKENS} WHERE account_id IN"  # noqa: S608  # nosec B608
            f" (SELECT id FROM {_LINKS} WHERE user_id = %s)",
            [user.pk],
        )
        cursor.execute(f"DELETE FROM {_LINKS} WHERE user_id = %s", [user.pk])  # noqa: S608  # nosec B608
