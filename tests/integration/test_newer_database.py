"""A database that a newer version has changed: every part and every command refuses to touch it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import VERSION
from tests.integration.test_up import ROOT, environment, free_port
from tests.integration.test_up import folder as folder

pytestmark = [pytest.mark.xdist_group("up"), pytest.mark.timeout(300)]

MANAGE = [sys.executable, "manage.py"]


def run(folder: Path, *words: str, **ours: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*words],
        cwd=ROOT,
        env=environment(folder, free_port(), **ours),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def newer(folder: Path) -> Iterator[Path]:
    """A data folder whose database a version of tomorrow has migrated."""
    assert run(folder, *MANAGE, "up", "--only", "migrate").returncode == 0
    database = sqlite3.connect(folder / "storykeep.sqlite3")
    made = database.execute("SELECT name FROM django_migrations WHERE app = 'storykeep'").fetchall()
    assert made == [(VERSION,)]
    for app, name in (("jobs", "9999_of_tomorrow"), ("storykeep", "7.5.0")):
        database.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES (?, ?, '2099-01-01')",
            [app, name],
        )
    database.commit()
    database.close()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_every_part_and_every_command_refuses(newer: Path) -> None:
    before = (newer / "storykeep.sqlite3").read_bytes()
    for words in (
        [*MANAGE, "up"],
        [*MANAGE, "up", "--only", "migrate"],
        [*MANAGE, "up", "--only", "web"],
        [*MANAGE, "up", "--only", "worker"],
        [*MANAGE, "token", "alice"],
        [*MANAGE, "sweep"],
        [*MANAGE, "migrate"],
    ):
        done = run(newer, *words)
        assert done.returncode == 2, (words, done)
        said = done.stdout + done.stderr
        assert "made by Storykeep 7.5.0" in said, (words, said)
        assert "jobs.9999_of_tomorrow" in said
        assert "Traceback" not in said
    assert (newer / "storykeep.sqlite3").read_bytes() == before


def test_a_start_refuses_in_the_form_of_the_log(newer: Path) -> None:
    for words in (["up"], ["up", "--only", "web"], ["up", "--only", "worker"]):
        done = run(newer, *MANAGE, *words, STORYKEEP_LOG_FORMAT="json")
        assert done.returncode == 2, (words, done)
        lines = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
        assert lines[-1]["level"] == "CRITICAL"
        assert "made by Storykeep 7.5.0" in lines[-1]["message"]
