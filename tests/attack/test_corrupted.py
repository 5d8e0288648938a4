"""Damaged media files, and files that are two things at once: the right code, in bounded time and
memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.attack.corrupted import judge
from tests.attack.samples import all_samples

ROOT = Path(__file__).parents[2]
FILES = 2600
TAKEN_MIB = 200
# By hand, for as long as one likes: ATTACK_SECONDS=600 judges some ten times as many.
ROUNDS = max(1, int(os.environ.get("ATTACK_SECONDS", "60")) // 60)

pytestmark = [pytest.mark.timeout(600), pytest.mark.short]


def judged(first: int) -> dict[str, Any]:
    """What came of FILES damaged files, in a process of its own with a limit on its memory."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.attack.corrupted"),
            *("--first", str(first), "--count", str(FILES)),
        ],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=500,
    )
    assert done.stdout, (done.returncode, done.stderr[-2000:])
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("number", range(ROUNDS))
def test_damaged_files_are_refused_with_a_code_of_ours_or_are_what_they_say(number: int) -> None:
    told = judged(number * FILES)
    assert told["broken"] == []
    assert sum(told["ended"].values()) == FILES
    assert set(told["ended"]) <= {"passed", "media_corrupt", "too_large", "unplayable"}
    assert told["ended"]["media_corrupt"] > FILES / 2
    assert told["taken_mib"] < TAKEN_MIB


@pytest.mark.parametrize("name", [name for name in all_samples() if name != "mp3"])
def test_a_file_without_its_end_never_passes(name: str) -> None:
    kind, whole = all_samples()[name]
    for part in range(40):
        assert judge(kind, whole[: len(whole) * part // 40]) == "media_corrupt", part
