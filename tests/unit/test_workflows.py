"""The workflows: pinned by commit, with the least rights, of commands and files that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def workflow(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """A workflow's text, and what it says."""
    text = request.param.read_text(encoding="utf-8")
    return text, yaml.safe_load(text)


def test_every_action_of_others_is_pinned_by_its_commit(
    workflow: tuple[str, dict[str, Any]],
) -> None:
    for action in re.findall(r"uses: (.+)", workflow[0]):
        assert action.startswith("./") or re.fullmatch(r"\S+@[0-9a-f]{40} # v[\d.]+", action)


def test_nothing_may_write_but_the_job_that_publishes(
    workflow: tuple[str, dict[str, Any]],
) -> None:
    told = workflow[1]
    assert told["permissions"] == {"contents": "read"}
    assert {name for name, job in told["jobs"].items() if "permissions" in job} <= {"image"}


def test_no_words_of_others_are_put_into_a_shell(workflow: tuple[str, dict[str, Any]]) -> None:
    for job in workflow[1]["jobs"].values():
        for step in job.get("steps", ()):
            assert "${{" not in step.get("run", "")


def test_what_is_made_and_given_to_the_image_exists(workflow: tuple[str, dict[str, Any]]) -> None:
    text, told = workflow
    for target in re.findall(r"run: make ([a-z-]+)", text):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
    for job in told["jobs"].values():
        for step in job.get("steps", ()):
            for line in str(step.get("with", {}).get("build-args", "")).splitlines():
                assert f"\nARG {line.partition('=')[0]}=" in DOCKERFILE


def test_every_python_we_name_is_tested() -> None:
    tests = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    named = re.findall(
        r'"Programming Language :: Python :: (\d\.\d+)"', (ROOT / "pyproject.toml").read_text()
    )
    assert tests["jobs"]["pythons"]["strategy"]["matrix"]["python"] == named
