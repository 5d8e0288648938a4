"""What is new: the part of the changelog that is about this version, as pieces of plain text."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs import VERSION
from webapp import changelog
from webapp.changelog import Piece

TEXT = """# Changelog

Before the first.

## Unreleased

- Not out yet.

## {version} (2026-12-01)

For everyone:

- The setting `STORYKEEP_X` is new, and a line
  goes on here.
- <script>alert(1)</script> [link](javascript:x)

### Faster

A paragraph
of two lines.

## 0.0.1

- Old.
"""


@pytest.fixture(autouse=True)
def _read_anew() -> None:
    changelog.this_release.cache_clear()


def release(tmp_path: Path, text: str) -> changelog.Release | None:
    path = tmp_path / "CHANGELOG.md"
    path.write_text(text)
    return changelog.this_release(path)


def lines(found: changelog.Release | None) -> list[tuple[bool, str]]:
    assert found
    return [(entry.item, "".join(piece.text for piece in entry.pieces)) for entry in found.entries]


def test_the_part_about_this_version(tmp_path: Path) -> None:
    found = release(tmp_path, TEXT.format(version=VERSION))
    assert found
    assert found.title == f"{VERSION} (2026-12-01)"
    assert lines(found) == [
        (False, "For everyone:"),
        (True, "The setting STORYKEEP_X is new, and a line goes on here."),
        (True, "<script>alert(1)</script> [link](javascript:x)"),
        (False, "Faster"),
        (False, "A paragraph of two lines."),
    ]
    assert found.entries[1].pieces[1] == Piece("STORYKEEP_X", code=True)


def test_before_a_release_it_is_what_is_not_out_yet(tmp_path: Path) -> None:
    found = release(tmp_path, TEXT.format(version="9.9"))
    assert lines(found) == [(True, "Not out yet.")]


@pytest.mark.parametrize("text", ["", "# Changelog\n", "## 0.0.1\n\n- Old.\n", "## Unreleased\n"])
def test_nothing_to_tell(tmp_path: Path, text: str) -> None:
    assert release(tmp_path, text) is None


def test_an_image_may_come_without_the_file(tmp_path: Path) -> None:
    assert changelog.this_release(tmp_path / "none.md") is None


def test_the_projects_own_can_be_read() -> None:
    assert len(lines(changelog.this_release())) > 3
