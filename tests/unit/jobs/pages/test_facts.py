"""Facts about a file in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.utils import translation

from jobs.models import Role
from jobs.pages.facts import facts_of
from jobs.queries.job_view import FileView

_AT = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)
_NBSP = "\N{NO-BREAK SPACE}"


def _file(**changes: Any) -> FileView:
    values: dict[str, Any] = {
        "id": uuid4(),
        "role": Role.MEDIA,
        "position": 1,
        "name": "nora_2026-11-20_1403.mp4",
        "content_type": "video/mp4",
        "size_bytes": 12_400_000,
        "sha256": "0" * 64,
        "width": 1080,
        "height": 1920,
        "duration_s": 15.7,
        "has_audio": True,
        "checked": True,
        "labels": (),
        "created_at": _AT,
        "expires_at": _AT,
        "removed_at": None,
    }
    return FileView(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "1080 × 1920 · 0:16 · sound · H.264 · 12.4 MB"),
        ({"labels": ("hevc",)}, "1080 × 1920 · 0:16 · sound · HEVC · 12.4 MB"),
        ({"has_audio": False}, "1080 × 1920 · 0:16 · no sound · H.264 · 12.4 MB"),
        (
            {"content_type": "image/jpeg", "duration_s": None, "has_audio": False},
            "1080 × 1920 · JPEG · 12.4 MB",
        ),
        (
            {"content_type": "image/x-new", "width": None, "duration_s": None},
            "12.4 MB",
        ),
        (
            {"content_type": "audio/mp4", "width": None, "height": None},
            "0:16 · 12.4 MB",
        ),
    ],
)
def test_only_what_the_row_tells_is_said(changes: dict[str, Any], said: str) -> None:
    assert " · ".join(facts_of(_file(**changes))).replace(_NBSP, " ") == said


def test_numbers_follow_the_readers_language() -> None:
    with translation.override("de"):
        assert facts_of(_file())[-1].replace(_NBSP, " ") == "12,4 MB"
