"""`manage.py diagnose`: what it prints, and its exit codes."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from jobs.ops import diagnostics
from jobs.ops.findings import Finding
from stories.structures import Target
from tests.factories import make_item
from tests.unit.jobs.ops.instances import make_healthy

pytestmark = pytest.mark.django_db


@pytest.fixture
def _all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    make_healthy(monkeypatch)


def run(*typed: str) -> tuple[int, str]:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("diagnose", *typed, stdout=out)
    return int(str(ended.value.code)), out.getvalue()


@pytest.mark.usefixtures("_all_is_well")
def test_the_command() -> None:
    code, text = run()
    assert code == 0
    assert text.startswith("Storykeep 0.")
    assert "\nok    database" in text
    code, text = run("--json")
    report = json.loads(text)
    assert (code, report["ok"]) == (0, True)
    assert report["findings"][0]["verdict"] == "ok"
    assert datetime.fromisoformat(report["at"]).tzinfo == UTC


@pytest.mark.usefixtures("_all_is_well")
def test_findings_in_the_readers_language_and_the_text_in_ours() -> None:
    make_item(state="failed", error_code="gone")
    _code, text = run("--json", "--language", "de")
    report = json.loads(text)
    found = {finding["part"]: finding for finding in report["findings"]}
    assert found["worker"]["said"].startswith("1 aktiv, zuletzt gesehen vor ")
    assert (found["database"]["title"], found["database"]["judged"]) == ("Datenbank", "gut")
    assert found["failures"]["said"] == (
        "1 Zeile binnen 24 h erledigt, 1 davon nicht vollständig: gone 1"
    )
    assert re.search(r"^ok +worker +1 alive", report["text"], re.MULTILINE)
    assert found["database"]["verdict"] == "ok"


def test_the_command_fails_when_something_does() -> None:
    code, text = run()
    assert code == 1
    assert re.search(r"^fail +Redis ", text, re.MULTILINE)
    assert re.search(r"^ {16,}Is Storykeep running", text, re.MULTILINE)


@pytest.mark.usefixtures("_all_is_well")
def test_a_look_by_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str | None, str]] = []

    def look(target: Target, way: str) -> list[Finding]:
        asked.append((target.name, way))
        return []

    monkeypatch.setattr(diagnostics, "probe_tiktok", look)
    run("@alice", "--way", "browser")
    run("@alice")
    assert asked == [("alice", "browser"), ("alice", "direct")]


@pytest.mark.parametrize(
    "typed", [("--way", "browser"), ("@alice", "--way", "pigeon"), ("@alice", "--way", "")]
)
def test_a_way_that_cannot_be_tried(typed: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        call_command("diagnose", *typed)


def test_the_command_with_nonsense() -> None:
    with pytest.raises(CommandError) as caught:
        call_command("diagnose", "https://vm.tiktok.com/ZMabcdef1/")
    assert caught.value.returncode == 2
