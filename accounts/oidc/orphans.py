"""Links to a provider that is switched off: their table is there, and nothing knows it.

Its rows refer to people, whom the database would not let go.
"""

from __future__ import annotations

from typing import Final

from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection

_APP: Final = "allauth.socialaccount"
_TABLE: Final = "socialaccount_socialaccount"
_DELETE_TOKENS: Final = (
    "DELETE FROM socialaccount_socialtoken WHERE account_id IN"
    " (SELECT id FROM socialaccount_socialaccount WHERE user_id = %s)"
)
_DELETE_LINKS: Final = "DELETE FROM socialaccount_socialaccount WHERE user_id = %s"


def remove(user: User) -> None:
    """Delete a person's links in tables that are left over; nothing where there are none."""
    if apps.is_installed(_APP):  # they go as any other row that refers to the person
        return
    with connection.cursor() as cursor:
        if _TABLE in connection.introspection.table_names(cursor):
            cursor.execute(_DELETE_TOKENS, [user.pk])
            cursor.execute(_DELETE_LINKS, [user.pk])
