"""The table of keys: complete, and what it says of a key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jobs.ephemeral import keys

ROOT = Path(__file__).parents[4]


def test_every_key_that_the_code_names_is_in_the_table_and_no_other() -> None:
    named = {
        name
        for room in ("jobs", "webapp", "accounts", "notices")
        for path in (ROOT / room).rglob("*.py")
        if path.name != "keys.py"
        for name in re.findall(r'["\'](storykeep:[a-z_:-]*)', path.read_text(encoding="utf-8"))
    }
    assert named == set(keys.TYPES)


@pytest.mark.parametrize(
    ("key", "family"),
    [
        ("storykeep:breaker", "storykeep:breaker"),
        ("storykeep:breaker:probe", "storykeep:breaker:probe"),
        ("storykeep:progress:7", "storykeep:progress:"),
        ("storykeep:pauses:7", ""),
        ("celery", ""),
    ],
)
def test_the_family_of_a_key(key: str, family: str) -> None:
    assert keys.family(key) == family


def test_which_keys_stand_in_the_way() -> None:
    assert keys.is_wrong("storykeep:log", "string")
    assert not keys.is_wrong("storykeep:log", "list")
    assert not keys.is_wrong("storykeep:log", "none")  # it went meanwhile
    assert not keys.is_wrong("celery", "string")  # nothing of ours
