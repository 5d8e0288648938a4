"""Tests for `jobs.api.asking`."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import Http404
from django.test import RequestFactory

from jobs.api import asking

ID = "0b9c7a1e-58b3-4bb6-9f0e-2d7d1a3c4e5f"


def test_an_id_is_read_in_its_one_spelling() -> None:
    assert asking.parsed_id(ID) == asking.parsed_id(ID.upper()) == UUID(ID)
    for text in (ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", "7", ""):
        with pytest.raises(Http404):
            asking.parsed_id(text)


def test_nobody_is_not_found() -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    with pytest.raises(Http404):
        asking.user_of(request)
