"""The documentation names files and commands that exist, and the map leads to where it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FILE = re.compile(r"`((?:jobs|stories|webapp|accounts|tests|benchmarks|docs)/[\w./-]+)`")
MAKE = re.compile(r"(?:`|^|&& )make ([a-z-]+)", re.MULTILINE)
MANAGE = re.compile(r"\bmanage\.py ([a-z]+)")
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


GUIDES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "docs/deploy.md")]


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_what_a_page_has_one_type_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    assert set(MAKE.findall(text)) <= set(targets)
    assert set(MANAGE.findall(text)) <= set(get_commands())
    assert MAKE.findall(text)


def test_the_volumes_one_is_told_to_remove_are_those_there_are() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    run = set(re.findall(r"-v ([\w-]+):/", readme))
    (removed,) = re.findall(r"docker volume rm ([\w -]+)`", readme)
    assert run == set(removed.split())
    mounted = set(re.findall(r"-v [\w-]+:(/\w+)", readme))
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (declared,) = re.findall(r"^VOLUME \[(.*)\]$", dockerfile, re.MULTILINE)
    assert mounted == set(re.findall(r'"(/\w+)"', declared))
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    volumes = re.findall(r"^  (\w+):$", compose.rpartition("\nvolumes:\n")[2], re.MULTILINE)
    (project,) = re.findall(r"^name: (\w+)$", compose, re.MULTILINE)
    assert all(f"`{project}_{volume}`" in readme for volume in volumes)


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
