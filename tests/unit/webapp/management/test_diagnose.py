"""`manage.py diagnose`: what it prints, and its exit codes."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from jobs.ops import diagnostics
from jobs.ops.findings import Finding, Verdict
from stories.neutral import Recorder
from stories.structures import Target
from tests.factories import make_item
from tests.unit.jobs.ops.instances import make_healthy

pytestmark = pytest.mark.django_db


@pytest.fixture
def _all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    make_healthy(monkeypatch)


def run(*typed: str, stderr: StringIO | None = None) -> tuple[int, str]:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("diagnose", *typed, stdout=out, stderr=stderr or StringIO())
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

    def look(target: Target, way: str, _recorder: object) -> list[Finding]:
        asked.append((target.name, way))
        return []

    monkeypatch.setattr(diagnostics, "probe_tiktok", look)
    _code, text = run("@alice", "--way", "browser")
    assert "; pages by browser, " in text.splitlines()[0]
    _code, text = run("@alice")
    assert "; pages by curl, " in text.splitlines()[0]
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


# --- samples --------------------------------------------------------------------------------------


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What TikTok answers to the probe; change the list."""
    bodies = [b'{"statusCode":7,"uniqueId":"alice"}']

    def probe(target: Target, _way: str, recorder: Recorder | None) -> list[Finding]:
        for body in bodies:
            if recorder is not None:
                recorder(f"https://www.tiktok.com/@{target.name}", 200, {}, body)
        return [Finding("profile", Verdict.OK, "found")]

    monkeypatch.setattr(diagnostics, "probe_tiktok", probe)
    return bodies


@pytest.mark.usefixtures("_all_is_well", "answered")
def test_a_sample_is_written_beside_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    errors = StringIO()
    code, text = run("@alice", "--record", stderr=errors)
    assert (code, text.startswith("Storykeep 0.")) == (0, True)
    assert errors.getvalue() == "A sample of what TikTok sent is in tiktok-sample.json.\n"
    sample = json.loads((tmp_path / "tiktok-sample.json").read_text())
    assert sample["made_by"].startswith("Storykeep 0.")
    (answer,) = sample["answers"]
    assert answer["endpoint"] == "profile"
    assert answer["body"]["data"] == {"statusCode": 7, "uniqueId": "user1"}
    run("@alice", "--json", "--record", "other.json")
    assert "alice" not in (tmp_path / "other.json").read_text()


@pytest.mark.usefixtures("_all_is_well", "answered")
def test_a_sample_is_printed_in_place_of_the_report() -> None:
    _code, text = run("alice", "--record", "-")
    assert json.loads(text)["account"] == "user1"


@pytest.mark.usefixtures("_all_is_well")
def test_a_sample_that_cannot_be_made(answered: list[bytes], tmp_path: Path) -> None:
    for typed, said, code in (
        (["--record"], "name an account", 2),
        (["--record", "@alice"], "name an account", 2),
        (["@alice", "--record", str(tmp_path)], "cannot be written", 1),
    ):
        with pytest.raises(CommandError, match=said) as failed:
            call_command("diagnose", *typed, stdout=StringIO())
        assert failed.value.returncode == code
    answered.clear()
    with pytest.raises(CommandError, match="nothing that could be recorded"):
        call_command("diagnose", "@alice", "--record", "-", stdout=StringIO())
