"""The help page."""

from __future__ import annotations

import pytest
from django.test import Client

from jobs.errors import BY_CODE
from tests.unit.jobs.pages.pages import shown

pytestmark = pytest.mark.django_db


def test_help_has_every_code_and_needs_no_account() -> None:
    page = shown(Client().get("/help/"))
    for code in BY_CODE:
        assert f"<code>{code}</code>" in page, code
