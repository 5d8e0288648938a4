"""The address of a file."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import Artifact
from tests.unit.jobs.pages.pages import saved, shown

pytestmark = pytest.mark.django_db


def test_a_file_downloads_or_shows(client: Client, alice: User) -> None:
    saved(alice)
    file = Artifact.objects.get()
    response = client.get(f"/files/{file.pk}/{file.name}")
    assert response["Content-Disposition"].startswith("attachment")
    assert b"".join(response) == b"bytes"
    shows = client.get(f"/files/{file.pk}/{file.name}?inline=1")
    assert shows["Content-Disposition"].startswith("inline")
    shows.close()


def test_an_expired_file_says_so(client: Client, alice: User) -> None:
    saved(alice)
    Artifact.objects.update(removed_at=timezone.now())
    file = Artifact.objects.get()
    response = client.get(f"/files/{file.pk}/{file.name}")
    assert response.status_code == 410
    assert "Our copy of this file has been deleted" in shown(response)
