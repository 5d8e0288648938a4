"""Answers without end, bombs and lies: an error of ours each time, in bounded time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attack.hostile_bodies import BODIES

ROOT = Path(__file__).parents[2]
TAKEN_MIB = 160
"""Eight pages at once, each of at most 8 MiB and held twice while it is read."""
CODES = {"upstream_down", "upstream_changed", "refused", "challenged"}
FILE_CODES = {"upstream_down", "media_unavailable", "too_large"}

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize("pages", [pytest.param("curl", marks=pytest.mark.short), "httpx"])
def test_no_answer_takes_more_than_its_share(pages: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.attack.receive", "--pages", pages],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=380,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["ended"].keys() == BODIES.keys()
    for name, (page, file) in told["ended"].items():
        assert page in CODES, name
        assert file in FILE_CODES, name
    assert told["taken_mib"] < TAKEN_MIB
