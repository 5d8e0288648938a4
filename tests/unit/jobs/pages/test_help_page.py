"""The help page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.errors import BY_CODE
from tests.unit.jobs.pages.pages import shown

pytestmark = pytest.mark.django_db


def test_help_has_every_code_and_needs_no_account() -> None:
    page = shown(Client().get("/help/"))
    for code in BY_CODE:
        assert f"<code>{code}</code>" in page, code


def test_it_tells_of_what_there_is_here(
    client: Client, alice: User, tmp_path: Path, set_env: Callable[..., None]
) -> None:
    assert 'id="notifications"' not in shown(Client().get("/help/"))
    page = shown(client.get("/help/"))
    assert 'id="notifications"' in page
    assert 'id="library"' not in page
    set_env(library_dir=tmp_path)
    assert 'id="library"' not in shown(Client().get("/help/"))  # its pages are of members
    page = shown(client.get("/help/"))
    assert 'id="library"' in page
    assert "Immich" not in page
    set_env(library_dir=tmp_path, immich_url="http://photos.lan:2283")
    assert "Immich" in shown(client.get("/help/"))
