"""The lock files hold everything pyproject.toml asks for, at versions it allows."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
ASKED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME: list[str] = ASKED["project"]["dependencies"]
DEVELOPMENT: list[str] = ASKED["dependency-groups"]["dev"]
ATTACK: list[str] = ASKED["dependency-groups"]["attack"]
STORES: list[str] = ASKED["dependency-groups"]["stores"]


def pins(name: str) -> dict[str, set[Version]]:
    """The versions a lock file has of each package: several where they depend on the Python."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    found: dict[str, set[Version]] = defaultdict(set)
    for package, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE):
        found[canonicalize_name(package)].add(Version(version))
    return found


@pytest.mark.parametrize(
    ("lock", "asked"),
    [("base", RUNTIME), ("dev", [*RUNTIME, *DEVELOPMENT]), ("attack", ATTACK), ("stores", STORES)],
    ids=["base", "dev", "attack", "stores"],
)
def test_what_is_asked_for_is_pinned(lock: str, asked: list[str]) -> None:
    pinned = pins(lock)
    for requirement in map(Requirement, asked):
        versions = pinned.get(canonicalize_name(requirement.name))
        assert versions, f"{requirement}: not in {lock}.lock; run `make lock`"
        for version in versions:
            assert version in requirement.specifier, f"{requirement}: {lock}.lock has {version}"


def test_nothing_is_asked_for_twice() -> None:
    names = [
        canonicalize_name(Requirement(line).name)
        for line in [*RUNTIME, *DEVELOPMENT, *ATTACK, *STORES]
    ]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("lock", ["attack", "stores"])
def test_a_further_lock_moves_no_pin_of_the_tests(lock: str) -> None:
    """They are installed into one environment, one after the other."""
    tests, further = pins("dev"), pins(lock)
    assert {name: tests[name] for name in tests.keys() & further.keys()} == {
        name: further[name] for name in tests.keys() & further.keys()
    }


@pytest.mark.parametrize("package", ["av", "pillow", "curl-cffi", "django", "celery"])
def test_what_files_are_made_and_judged_by_is_the_same_on_every_python(package: str) -> None:
    assert len(pins("base")[package]) == 1
