"""The extra authority of a network that inspects TLS, and the browser's home."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import certifi
import pytest

from stories.browser.authorities import trust
from stories.ways import WayFailed
from tests.fake_tiktok.authority import Authority


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """The public authorities with one more, as networks that inspect TLS hand them out."""
    path = tmp_path / "bundle.pem"
    Authority().write_to(str(path))
    path.write_text(path.read_text() + Path(certifi.where()).read_text(encoding="utf-8"))
    return str(path)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The programs that would be run."""
    commands: list[list[str]] = []

    def run(command: list[str], **options: Any) -> None:
        assert options["env"] == {"HOME": str(options["cwd"])}
        commands.append(command)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_only_what_is_not_public_already_is_written_down(
    tmp_path: Path, bundle: str, runs: list[list[str]]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    trust(home, bundle)
    text = (home / "authorities.pem").read_text()
    assert text.count("BEGIN CERTIFICATE") == 1
    assert {command[-2] for command in runs} == {
        str(home / ".pki/nssdb"),
        str(home / ".local/share/pki/nssdb"),
    }


def test_nothing_is_run_for_public_ones(tmp_path: Path, runs: list[list[str]]) -> None:
    trust(tmp_path, certifi.where())
    assert runs == []


def test_a_bundle_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(WayFailed, match="cannot be read"):
        trust(tmp_path, str(tmp_path / "missing.pem"))


@pytest.mark.parametrize("error", [OSError("no"), subprocess.CalledProcessError(1, "x")])
def test_a_database_that_cannot_be_made_is_told(
    tmp_path: Path, bundle: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(WayFailed, match="CA bundle"):
        trust(tmp_path, bundle)
