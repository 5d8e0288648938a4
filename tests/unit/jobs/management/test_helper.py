"""`manage.py helper`, with nothing installed and nothing fetched."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from jobs.ops import helper_install
from jobs.ops.helper_install import InstalledVersion, InstallError, Wheel

WHEEL = Wheel(name="gallery_dl", version="1.32.18", sha256="ab" * 32)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def data_folder(settings: Any, tmp_path: Path) -> Path:
    settings.STORYKEEP = settings.STORYKEEP.model_copy(update={"data_dir": tmp_path})
    return tmp_path / "helpers"


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """An installation that asks and does nothing; the versions that were asked for."""
    asked: list[str | None] = []

    def install(_: Path, *, version: str | None, config: Any, confirm: Callable[..., bool]) -> Any:
        asked.append(version)
        return "1.32.18" if confirm("1.32.18", [WHEEL]) else None

    monkeypatch.setattr(helper_install, "install", install)
    return asked


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("helper", *arguments, stdout=out)
    return out.getvalue()


def test_without_a_terminal_nothing_is_fetched_unless_yes_is_said(
    offered: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(CommandError, match="--yes") as caught:
        run("install", "gallery-dl")
    assert caught.value.returncode == 2
    assert offered == []
    assert "is used now" in run("install", "gallery-dl", "--yes", "--version", "1.32.18")
    assert offered == ["1.32.18"]


@pytest.mark.parametrize(("said", "done"), [("y", True), ("yes", True), ("", False), ("n", False)])
def test_the_files_are_shown_before_it_asks(
    offered: list[str | None], monkeypatch: pytest.MonkeyPatch, said: str, done: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{said}\n"))
    if not done:
        with pytest.raises(CommandError, match="not installed"):
            run("install", "gallery-dl")
        return
    told = run("install", "gallery-dl")
    assert told.index("ab" * 32) < told.index("Install it? [y/N]") < told.index("is used now")
    assert "reaches the network through the guard alone" in told


def test_a_failure_is_said_in_a_line(
    offered: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise InstallError("cannot download it: no route")

    monkeypatch.setattr(helper_install, "install", fail)
    with pytest.raises(CommandError, match=r"no route\. Nothing was changed\."):
        run("install", "gallery-dl", "--yes")


def test_what_is_not_installed_is_said() -> None:
    assert run("list") == "Nothing is installed.\n"
    assert run("remove", "gallery-dl") == "It is not installed.\n"
    with pytest.raises(CommandError, match="no version to go back to"):
        run("back", "gallery-dl")


def test_what_is_installed_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        InstalledVersion(version="1.32.18", wheels=(WHEEL,), current=True),
        InstalledVersion(version="1.32.17", wheels=(), current=False),
    ]
    monkeypatch.setattr(helper_install, "versions", lambda _: found)
    told = run("list")
    assert "gallery-dl 1.32.18  in use" in told
    assert "ab" * 32 in told
    assert "gallery-dl 1.32.17  kept" in told


@pytest.mark.parametrize("arguments", [[], ["install"], ["install", "yt-dlp"], ["upgrade"]])
def test_other_words_are_refused(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)
