"""Facts that every template has."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings


@pytest.mark.django_db
def test_a_note_is_on_every_page(client: Client, settings: Settings) -> None:
    assert b"ask Alice" not in client.get("/login/").content
    settings.STORYKEEP = settings.STORYKEEP.model_copy(update={"instance_note": "ask Alice <3"})
    cache.clear()
    assert b"ask Alice &lt;3" in client.get("/login/").content
