"""The trial of the compose files itself: what it says without an engine, and how it counts."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.compose import __main__ as trial
from tests.compose.commands import CommandFailed, run
from tests.compose.instance import eventually, has_commit, source_files
from tests.compose.report import Abandoned, Report


def test_without_an_engine_it_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert trial.main(["--folder", str(tmp_path / "trial")]) == trial.SKIPPED
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("SKIPPED, for no container engine can be had: docker is not installed; ")
    assert "podman is not installed" in last
    assert not any((tmp_path / "trial").iterdir())


def test_a_check_that_fails_is_told_and_the_next_one_is_made(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = Report()
    with report.check("the first"):
        run(["sh", "-c", "echo this is why; exit 1"])
    with report.check("the second"):
        pass
    assert report.failed == ["the first"]
    said = capsys.readouterr().out
    assert "FAILED" in said
    assert "this is why" in said
    assert report.summary().startswith("1 of 2 checks hold")
    assert report.summary().endswith("not: the first")


def test_without_what_is_needed_a_part_is_abandoned() -> None:
    report = Report()
    with pytest.raises(Abandoned), report.check("the start", needed=True):
        raise CommandFailed("it does not start")
    assert report.failed == ["the start"]


def test_a_program_that_fails_is_told_in_its_own_words() -> None:
    assert run(["sh", "-c", "echo out; echo err >&2"]) == "out\nerr\n"
    assert run(["cat"], stdin=b"given") == "given"
    with pytest.raises(CommandFailed, match=r"exit code 3\nwhy"):
        run(["sh", "-c", "echo why; exit 3"])
    with pytest.raises(CommandFailed, match="no end after"):
        run(["sleep", "60"], limit_s=0.1)
    with pytest.raises(CommandFailed, match="there-is-no-such-program"):
        run(["there-is-no-such-program"])


def test_what_never_comes_is_told_with_the_last_look() -> None:
    looks = iter([None, "found"])
    assert eventually(lambda: next(looks), 5, 0.01) == "found"
    nothing: dict[str, str] = {}
    with pytest.raises(AssertionError, match="the last look: KeyError"):
        eventually(lambda: nothing["missing"], 0.05, 0.01)


def test_the_source_is_what_a_clone_has() -> None:
    with tarfile.open(fileobj=io.BytesIO(source_files(None))) as archive:
        names = set(archive.getnames())
    assert {"docker-compose.yml", "Dockerfile", "manage.py"} <= names
    assert not {name for name in names if name.startswith((".venv", ".git/", "data/"))}


def test_an_earlier_commit_that_a_shallow_clone_lacks_is_seen() -> None:
    assert has_commit("HEAD")
    assert not has_commit("0" * 40)
