"""The database of the settings is the one that is backed up."""

from __future__ import annotations

import pytest
from django.db import connection

from webapp.backups import databases


@pytest.mark.django_db
def test_its_kind_is_the_connections() -> None:
    database = databases.current()
    assert database.kind == connection.vendor
    assert bool(database.server) == (connection.vendor == "postgresql")
    assert database.is_there


@pytest.mark.django_db
def test_all_our_tables_are_known() -> None:
    assert {"jobs_job", "auth_user", "mfa_authenticator"} <= databases._table_names()
