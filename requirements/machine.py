"""`python requirements/machine.py`: says in one line why Storykeep cannot be installed here, if so.

Standard library alone: it runs before anything is installed, so that pip does not compile for an
hour what has no wheel for this machine, and fails. Exits with 1 then, else with 0.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

NAMES = (
    (r"armv[1-9]\w*|arm", "32-bit ARM"),
    (r"i[3-6]86|x86", "32-bit x86"),
    (r"riscv\d+", "RISC-V"),
    (r"ppc\w*|powerpc\w*", "POWER"),
    (r"s390x?", "IBM z"),
    (r"loong\w*", "LoongArch"),
    (r"mips\w*", "MIPS"),
)
RUNS_ON = r"x86_64|amd64|aarch64|arm64"
GLIBC, MUSL = (2, 28), (1, 2)
MACOS_ARM = (14, 0)
WHY = "some of its packages come without a build for it, and compiling them takes hours and fails"


def refusal() -> str:
    """Why Storykeep cannot be installed with this Python on this machine; "" when it can."""
    machine = platform.machine()
    if sys.platform in {"win32", "cygwin", "msys"}:
        return "on Windows it runs in WSL 2 or in a container, not on Windows itself."
    if sys.platform not in {"linux", "darwin"}:
        return f"{platform.system()} is not supported: {WHY}. It runs on Linux and macOS."
    if not re.fullmatch(RUNS_ON, machine, re.IGNORECASE):
        return (
            f"{_name(machine)} ({machine}) is not supported: {WHY}. "
            "It runs on 64-bit x86 and ARM systems."
        )
    if sys.maxsize < 2**32:
        name = "32-bit ARM" if re.match("a", machine, re.IGNORECASE) else "32-bit x86"
        return (
            f"{name} is not supported: {WHY}. This machine could run a 64-bit system; "
            f"its Python ({sys.executable}) is a 32-bit one."
        )
    return _system_too_old(machine)


def is_musl() -> bool:
    """Whether this Python runs on musl instead of glibc, as on Alpine."""
    return "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "")


def _name(machine: str) -> str:
    known = (name for form, name in NAMES if re.fullmatch(form, machine, re.IGNORECASE))
    return next(known, "this processor")


def _system_too_old(machine: str) -> str:
    if sys.platform == "darwin":
        release = _numbers(platform.mac_ver()[0])
        if machine == "arm64" and release and release < MACOS_ARM:
            return f"it needs macOS {MACOS_ARM[0]} on Apple's chips; this is {_dotted(release)}."
        if machine != "arm64" and not shutil.which("cargo"):
            return (
                "on an Intel Mac one package has to be compiled, and needs Rust for it "
                "(brew install rust); or run it in a container."
            )
        return ""
    libc, release, needed = ("musl", _musl(), MUSL) if is_musl() else ("glibc", _glibc(), GLIBC)
    if release and release < needed:
        return (
            f"it needs {libc} {_dotted(needed)} or newer, and this system has {_dotted(release)}: "
            f"{WHY}. A newer release of the system has it."
        )
    return ""


def _glibc() -> tuple[int, ...]:
    try:
        return _numbers((os.confstr("CS_GNU_LIBC_VERSION") or "").rpartition(" ")[2])
    except (AttributeError, OSError, ValueError):
        return ()


def _musl(folder: str = "/lib") -> tuple[int, ...]:
    for loader in sorted(Path(folder).glob("ld-musl-*.so.1")):
        # Started without a program it says what it is, and fails.
        said = subprocess.run([loader], capture_output=True, text=True, check=False).stderr
        if found := re.search(r"Version (\d+\.\d+)", said):
            return _numbers(found[1])
    return ()


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else ()


def _dotted(release: tuple[int, ...]) -> str:
    return ".".join(map(str, release))


if __name__ == "__main__":
    if reason := refusal():
        sys.stderr.write(f"Storykeep cannot be installed here: {reason}\n")
        sys.exit(1)
