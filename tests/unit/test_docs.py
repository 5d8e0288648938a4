"""The documentation names files and commands that exist, and the map leads to where it says."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatch
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest
from django.core.management import get_commands

from accounts.proxy_signin import OPEN_PATHS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FILE = re.compile(r"`((?:jobs|stories|webapp|accounts|notices|tests|benchmarks|docs)/[\w./-]+)`")
MAKE = re.compile(r"(?:`|^|&& )make ([a-z-]+)", re.MULTILINE)
MANAGE = re.compile(r"\bmanage\.py ([a-z]+)")
LINK = re.compile(r"\]\((?!https?:|#)([\w./-]+)[^)]*\)")
FIRST = re.compile(r"\| `(?:STORYKEEP_)?\w+` \|")
"""A row of a table that is about one name."""


def name_of(path: Path) -> str:
    """As it is written in the repository."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [name for name in FILE.findall(text) if not (ROOT / name).exists()]
    missing += [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_table_names_nothing_twice(page: Path) -> None:
    """Of a setting or a code that stands there twice, one of the two is soon wrong."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for _, rows in groupby(lines, key=lambda line: line.startswith("|")):
        names = [match[0] for row in rows if (match := FIRST.match(row))]
        assert sorted(names) == sorted(set(names))


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


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.household.yml"])
def test_the_volumes_that_hold_the_data_are_named(name: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    compose = (ROOT / name).read_text(encoding="utf-8")
    volumes = re.findall(r"^  (\w+):$", compose.rpartition("\nvolumes:\n")[2], re.MULTILINE)
    (project,) = re.findall(r"^name: ([\w-]+)$", compose, re.MULTILINE)
    assert volumes
    assert all(f"`{project}_{volume}`" in readme for volume in volumes)


def test_without_compose_every_folder_that_is_kept_is_a_named_volume() -> None:
    deploy = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    mounted = set(re.findall(r"-v [\w-]+:(/\w+)", deploy))
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (declared,) = re.findall(r"^VOLUME \[(.*)\]$", dockerfile, re.MULTILINE)
    assert mounted == set(re.findall(r'"(/\w+)"', declared))


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


PROOFS = [ROOT / "docs" / name for name in ("security.md", "reliability.md")]
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+)(?:::(\w+))?)?`")


@cache
def names_in(path: Path) -> set[tuple[str, str]]:
    """The tests of a file, as (name, "") or (class, name); ("", "") for the file itself."""
    found = {("", "")}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add((node.name, ""))
        if isinstance(node, ast.ClassDef):
            found |= {(node.name, inner.name) for inner in node.body if hasattr(inner, "name")}
    return found


def missing_tests(text: str) -> list[str]:
    """The tests a text names that are not there."""
    return [
        "::".join(filter(None, (file, *names)))
        for file, *names in TEST.findall(text)
        if not (ROOT / file).is_file() or tuple(names) not in names_in(ROOT / file)
    ]


@pytest.mark.parametrize("page", [page for page in PROOFS if page.exists()], ids=name_of)
def test_every_test_that_proves_something_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(TEST.findall(text)) > 20
    assert missing_tests(text) == []


def test_a_test_that_is_not_there_is_missed() -> None:
    here = "tests/unit/test_docs.py"
    there = f"`{here}::test_a_test_that_is_not_there_is_missed` `{here}`"
    assert missing_tests(there) == []
    gone = f"`{here}::test_nothing` `tests/unit/test_nowhere.py::test_x` `{here}::names_in::x`"
    assert len(missing_tests(gone)) == 3


def _let_through() -> list[str]:
    """What a proxy lets through without its sign-in, as the table in docs/deploy.md has it."""
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    table = text.partition("Let these through without its sign-in:")[2].partition("\n\nWhoever")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `/")]
    return re.findall(r"`(/[^`]+)`", " ".join(cells))


def test_every_path_that_no_session_opens_is_let_through_by_a_proxy() -> None:
    addresses = _let_through()
    assert [path for path in OPEN_PATHS if not any(at.startswith(path) for at in addresses)] == []


def test_the_examples_of_proxies_let_through_what_the_table_says() -> None:
    text = (ROOT / "docs" / "sign-in.md").read_text(encoding="utf-8")
    caddy = re.findall(r"@open path (.+)", text)[0].split()
    nginx, traefik = re.findall(r"(?:location ~ |PathRegexp\(`)(\^/\S+?)(?: \{|`)", text)
    for address in _let_through():
        asked = address + ("x" if address.endswith("/") else "")
        assert any(fnmatch(asked, glob) for glob in caddy), address
        assert re.match(nginx, asked), address
        assert re.match(traefik, asked), address
    for page in ("/", "/account/feed/", "/metrics", "/login/", "/signin/x/"):
        assert not any(fnmatch(page, glob) for glob in caddy), page
        assert not re.match(nginx, page), page
        assert not re.match(traefik, page), page
