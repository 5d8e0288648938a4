"""docs/privacy.md names every table, key of Redis, cookie and place in the browser there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

from jobs.files.disk import WORK
from jobs.files.marks import SENTINEL
from webapp.context import THEME_COOKIE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([^`]+)`", PAGE))


def sources(pattern: str, *folders: str) -> str:
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob(pattern))]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def test_every_table() -> None:
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    assert tables - NAMED == set()
    said = {
        name
        for name in NAMED
        if re.fullmatch(r"(jobs|auth|accounts|account|mfa|notices)_\w+", name)
    }
    assert said - tables == set()


def test_every_key_of_redis() -> None:
    keys = set(
        re.findall(
            r"\"(storykeep:[\w:-]+)", sources("*.py", "jobs", "webapp", "accounts", "notices")
        )
    )
    assert keys - NAMED == set()
    browser = {"storykeep:keys-off"}
    assert {name for name in NAMED if name.startswith("storykeep:")} - keys - browser == set()


def test_every_place_in_the_browser() -> None:
    scripts = sources("*.js", "webapp/static")
    assert set(re.findall(r"const [A-Z]+ = \"(storykeep[:-][\w-]+)\"", scripts)) - NAMED == set()
    assert "indexedDB" not in scripts


def test_every_cookie() -> None:
    cookies = {
        settings.SESSION_COOKIE_NAME,
        settings.CSRF_COOKIE_NAME,
        settings.LANGUAGE_COOKIE_NAME,
        THEME_COOKIE,
        "zone",
    }
    assert cookies - NAMED == set()


@pytest.mark.parametrize("name", [WORK, "secret-key", "push-key", "last-backup"])
def test_files_it_names(name: str) -> None:
    assert name in NAMED
    assert name in sources("*.py", "jobs", "webapp", "notices")


def test_the_index_leads_there() -> None:
    assert SENTINEL not in NAMED
    assert "(privacy.md)" in (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
