"""Which machines are refused before anything is installed, and in which words."""

from __future__ import annotations

import os
import platform
import runpy
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "requirements" / "machine.py"
MACHINE: Any = SimpleNamespace(**runpy.run_path(str(SCRIPT)))


def here(
    monkeypatch: pytest.MonkeyPatch,
    machine: str,
    *,
    system: str = "linux",
    bits: int = 64,
    libc: str = "glibc 2.36",
    macos: str = "15.1",
    programs: tuple[str, ...] = (),
) -> None:
    """Have this machine be another one."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(sys, "maxsize", 2 ** (bits - 1) - 1)
    monkeypatch.setattr(os, "confstr", lambda _name: libc)
    monkeypatch.setattr(sysconfig, "get_config_var", {"HOST_GNU_TYPE": "x-pc-linux-gnu"}.get)
    monkeypatch.setattr(platform, "mac_ver", lambda: (macos, ("", "", ""), machine))
    monkeypatch.setattr(shutil, "which", {name: f"/bin/{name}" for name in programs}.get)


@pytest.mark.parametrize(
    ("machine", "facts"),
    [
        ("x86_64", {}),
        ("aarch64", {"libc": "glibc 2.28"}),
        ("arm64", {"system": "darwin"}),
        ("x86_64", {"system": "darwin", "programs": ("cargo",)}),
        ("x86_64", {"libc": ""}),
    ],
)
def test_machines_with_a_build_of_everything_are_let_through(
    machine: str, facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch, machine, **facts)
    assert MACHINE.refusal() == ""


@pytest.mark.parametrize(
    ("machine", "facts", "name"),
    [
        ("armv7l", {"bits": 32}, "32-bit ARM (armv7l)"),
        ("armv6l", {"bits": 32}, "32-bit ARM (armv6l)"),
        # 32-bit systems on a 64-bit kernel, as Raspberry Pi OS has it.
        ("aarch64", {"bits": 32}, "32-bit ARM is not supported"),
        ("armv8l", {"bits": 32}, "32-bit ARM (armv8l)"),
        ("x86_64", {"bits": 32}, "32-bit x86 is not supported"),
        ("i686", {"bits": 32}, "32-bit x86 (i686)"),
        ("riscv64", {}, "RISC-V (riscv64)"),
        ("ppc64le", {}, "POWER (ppc64le)"),
        ("s390x", {}, "IBM z (s390x)"),
        ("alpha", {}, "this processor (alpha)"),
        ("x86_64", {"libc": "glibc 2.17"}, "glibc 2.28 or newer, and this system has 2.17"),
        ("AMD64", {"system": "win32"}, "WSL 2"),
        ("amd64", {"system": "freebsd14"}, "is not supported"),
        ("arm64", {"system": "darwin", "macos": "13.6"}, "macOS 14 on Apple's chips; this is 13.6"),
        ("x86_64", {"system": "darwin"}, "Rust"),
    ],
)
def test_others_are_refused_by_name_in_one_line(
    machine: str, facts: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch, machine, **facts)
    reason = MACHINE.refusal()
    assert name in reason
    assert "\n" not in reason


@pytest.mark.parametrize(("version", "refused"), [("1.1.24", True), ("1.2.5", False)])
def test_an_old_musl_is_refused(
    version: str, refused: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loader = tmp_path / "ld-musl-x86_64.so.1"
    loader.write_text(f"#!/bin/sh\nprintf 'musl libc\\nVersion {version}\\n' >&2; exit 1\n")
    loader.chmod(0o700)
    here(monkeypatch, "x86_64")
    monkeypatch.setattr(sysconfig, "get_config_var", {"HOST_GNU_TYPE": "x-alpine-linux-musl"}.get)
    found = MACHINE._musl(str(tmp_path))
    monkeypatch.setitem(MACHINE.refusal.__globals__, "_musl", lambda: found)
    assert bool(MACHINE.refusal()) is refused


def faked(tmp_path: Path, machine: str) -> Path:
    """A python3 that takes this machine for another one, and says what it was asked to install."""
    lines = (
        "import platform, runpy, sys",
        f"platform.machine = lambda: {machine!r}",
        "if sys.argv[1:2] == ['--version']: print('Python 3.99')",
        "elif sys.argv[1] == '-m': print('asked for', *sys.argv[1:])",
        "elif sys.argv[1] != '-c':",
        "    sys.argv[:1] = []",
        "    runpy.run_path(sys.argv[0], None, '__main__')",
    )
    fake = tmp_path / "python3"
    code = tmp_path / "fake.py"
    code.write_text("\n".join(lines))
    fake.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{code}" "$@"\n')
    fake.chmod(0o700)
    return fake


@pytest.mark.parametrize("target", ["run", "test", "demo"])
def test_make_refuses_before_it_makes_anything(target: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", target, f"PY={faked(tmp_path, 'armv7l')}", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        # Not as a part of the make that runs these tests.
        env={name: text for name, text in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1
    assert said[0].startswith("Storykeep cannot be installed here: 32-bit ARM (armv7l)")
    assert done.stdout == ""
    assert not (tmp_path / "venv").exists()


def test_the_image_refuses_before_it_installs_anything() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    asked = next(n for n, line in enumerate(lines) if "python3 requirements/machine.py" in line)
    assert asked < next(n for n, line in enumerate(lines) if "pip install" in line)


def test_this_machine_is_told_by_the_script_as_it_is_run() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
