"""Rows of the library are called by their number, never by a name."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from jobs.models import LibraryChoice, LibraryCopy, LibraryMark, LibraryMode
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_rows_say_no_name() -> None:
    assert str(LibraryCopy(pk=7, path="alice/nora/2026/x.jpg")) == "media 7"
    assert str(LibraryChoice(mode=LibraryMode.ASK, immich_key="1.secret")) == "ask"
    assert len(str(LibraryMark())) == 36


def test_a_file_is_there_once_per_member_story_role_and_position() -> None:
    alice = make_user()
    LibraryCopy.objects.create(owner=alice, tiktok_id="7", position=1, path="a")
    for facts in ({"tiktok_id": "7", "position": 1}, {"tiktok_id": "8", "path": "a"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            LibraryCopy.objects.create(owner=alice, **facts)
    LibraryCopy.objects.create(owner=make_user("bob"), tiktok_id="7", position=1)
