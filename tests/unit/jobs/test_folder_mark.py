"""A mark is like no other."""

from __future__ import annotations

from jobs.models import FolderMark


def test_two_marks_are_unlike() -> None:
    assert str(FolderMark()) != str(FolderMark())
