"""Whether a ZIP still serves: its files, the job's lines, and the reader's spreadsheets."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone, translation

from jobs.files import bundles
from jobs.models import Role

PACKED_AT = timezone.now()
BEFORE, AFTER = PACKED_AT - timedelta(minutes=1), PACKED_AT + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("saved", "settled", "expected"),
    [
        ([BEFORE], [BEFORE, None], True),
        ([], [], True),
        ([BEFORE, AFTER], [BEFORE], False),
        ([BEFORE], [AFTER, None], False),
        ([PACKED_AT], [], False),
    ],
)
def test_a_file_saved_or_a_line_settled_since_ends_it(
    saved: list[datetime], settled: list[datetime | None], expected: bool
) -> None:
    with translation.override("en"):
        assert bundles.serves(PACKED_AT, "en", saved=saved, settled=settled) is expected


@pytest.mark.parametrize(
    ("packed_for", "reader", "expected"),
    [("en", "de", False), ("de", "en", False), ("de", "de", True), ("", "en", True)],
)
def test_it_serves_whose_spreadsheets_open_it(packed_for: str, reader: str, expected: bool) -> None:
    with translation.override(reader):
        assert bundles.serves(PACKED_AT, packed_for, saved=[BEFORE], settled=[]) is expected


@pytest.mark.parametrize(
    ("roles", "place"),
    [
        ([Role.MEDIA], 0),
        ([Role.CONVERTED, Role.MEDIA], 1),
        ([Role.AUDIO_TRACK], 0),
        ([Role.MEDIA, Role.MEDIA], None),
        ([Role.MEDIA, Role.AUDIO_TRACK], None),
        ([Role.CONVERTED], None),
        ([], None),
    ],
)
def test_a_picture_that_is_alone_needs_no_zip(roles: list[Role], place: int | None) -> None:
    files = [SimpleNamespace(role=role) for role in roles]
    assert bundles.alone(files) is (None if place is None else files[place])
