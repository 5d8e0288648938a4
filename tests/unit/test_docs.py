"""The documentation names files that exist, and the map leads to where it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FILE = re.compile(r"`((?:jobs|stories|webapp|accounts|tests|benchmarks|docs)/[\w./-]+)`")
LINK = re.compile(r"\]\((?!https?:|#)([\w./-]+)[^)]*\)")


def name_of(path: Path) -> str:
    """As it is written in the repository."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [name for name in FILE.findall(text) if not (ROOT / name).exists()]
    missing += [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert missing == []


def test_the_map_has_a_row_for_everything_one_looks_for() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [row for row in text.splitlines() if row.startswith("| ") and "`" in row]
    assert len(rows) >= 40
    rooms = {path.name for path in (ROOT / "jobs").iterdir() if (path / "__init__.py").exists()}
    for room in rooms - {"migrations", "templatetags", "management"}:
        assert f"`{room}/`" in text, room
