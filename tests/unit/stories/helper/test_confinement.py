"""The order that shuts a program in."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from stories.helper import confinement
from stories.helper.confinement import LAUNCHER, shut_in, what_holds

WORDS = {"files", "ports", "signals", "sockets", "processes"}


def test_the_program_follows_the_order(tmp_path: Path) -> None:
    line = shut_in(["/x/python", "-m", "x"], write=tmp_path, read=[Path("/x")], port=80)
    assert line[:4] == [sys.executable, "-I", "-S", str(LAUNCHER)]
    assert line[5:] == ["/x/python", "-m", "x"]
    order = json.loads(line[4])
    assert order["write"] == [str(tmp_path)]
    assert "/x" in order["read"]
    assert not {"/", "/etc", "/proc", "/home", "/var", "/tmp", "/run"} & set(order["read"])
    assert order["port"] == 80


def test_what_holds_is_told_in_known_words(tmp_path: Path) -> None:
    assert what_holds(tmp_path) <= WORDS


def test_nothing_holds_where_it_cannot_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confinement, "LAUNCHER", tmp_path / "nothing")
    assert what_holds(tmp_path) == frozenset()
