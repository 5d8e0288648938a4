"""gallery-dl, installed into the data folder: an environment of its own for each version.

A version is in use once the file `current` names it (stories/helper/installed.py), which happens
after it was tried out. Everything before that is done in a folder whose name begins with a dot,
which counts for nothing and is removed by the next installation.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import certifi

from stories.config import ClientConfig
from stories.helper.installed import NAME, VERSION, current_version, interpreter

PACKAGE: Final = "gallery_dl"
KEPT_VERSIONS: Final = 2
_STAGING: Final = ".install-"
_PIP_S: Final = 600.0
_VENV_S: Final = 120.0
_WHEEL: Final = re.compile(r"([A-Za-z0-9_.]{1,100})-([A-Za-z0-9_.!+]{1,60})-[A-Za-z0-9_.\-]+\.whl")
# The proxy's address may hold a password: it is not for a command line.
_RUN_PIP: Final = (
    "import os, runpy, sys;"
    "proxy = sys.stdin.readline().strip();"
    "proxy and os.environ.update(PIP_PROXY=proxy);"
    "sys.argv[0] = 'pip';"
    "runpy.run_module('pip', run_name='__main__')"
)


class InstallError(Exception):
    """Nothing was changed. str(): why, for whoever ran the command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A file that would be installed. sha256: hexadecimal."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledVersion:
    """A version in the data folder. wheels: as they were installed. current: it is in use."""

    version: str
    wheels: tuple[Wheel, ...]
    current: bool


Confirm = Callable[[str, Sequence[Wheel]], bool]
"""Asked before anything is installed: the version, and every file that would be."""
TryOut = Callable[[Path], None]
"""Tries the program of an interpreter out; raises InstallError when it does not work here."""


def install(
    folder: Path,
    *,
    version: str | None,
    config: ClientConfig,
    confirm: Confirm,
    try_out: TryOut | None = None,
) -> str | None:
    """Download, show, install and try out a version, then use it; None when `confirm` said no.

    version: None for the newest. config: its proxy and authority are pip's as well; where pip looks
    is its own configuration. Returns the version. Raises InstallError.
    """
    if version is not None and not VERSION.fullmatch(version):
        raise InstallError("that is no version")
    with _locked(folder) as root:
        staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=root))
        try:
            environment, wheels_folder = staging / "environment", staging / "wheels"
            _run("make an environment", _VENV_S, [sys.executable, "-m", "venv", str(environment)])
            pip = partial(_pip, environment / "bin" / "python", config, staging)
            wanted = f"gallery-dl=={version}" if version else "gallery-dl"
            pip(
                "download it",
                "download",
                "--only-binary",
                ":all:",
                "--no-cache-dir",
                "--dest",
                str(wheels_folder),
                wanted,
            )
            wheels = _wheels(wheels_folder)
            found = next((wheel.version for wheel in wheels if wheel.name == PACKAGE), "")
            if not VERSION.fullmatch(found) or version not in {None, found}:
                raise InstallError("what was downloaded is not the version that was asked for")
            if not confirm(found, wheels):
                return None
            files = [str(path) for path in sorted(wheels_folder.iterdir())]
            pip("install it", "install", "--no-index", "--no-deps", "--no-cache-dir", *files)
            if _wheels(wheels_folder) != wheels:
                raise InstallError("the files changed while they were installed")
            told = {"wheels": [[wheel.name, wheel.version, wheel.sha256] for wheel in wheels]}
            (environment / "installed.json").write_text(json.dumps(told), encoding="ascii")
            (try_out or _try_out)(environment / "bin" / "python")
            _put_in_place(root, environment, found)
        except OSError as error:
            raise InstallError(f"{error.strerror or error}") from error
        finally:
            _remove(staging)
        _use(root, found)
    return found


def versions(folder: Path) -> list[InstalledVersion]:
    """What is installed, the version in use first."""
    current = current_version(folder)
    found = [
        InstalledVersion(version=version, wheels=_told_wheels(path), current=version == current)
        for version, path in _version_folders(folder / NAME)
    ]
    return sorted(found, key=lambda one: (not one.current, one.version))


def go_back(folder: Path) -> str:
    """Use the version that was in use before this one. Raises InstallError without one."""
    with _locked(folder) as root:
        current = current_version(folder)
        others = [version for version, _ in _version_folders(root) if version != current]
        if not others:
            raise InstallError("there is no version to go back to")
        version = others[-1]
        _write_current(root, version)
    return version


def remove(folder: Path) -> bool:
    """Remove every version; whether there was one. Raises InstallError."""
    root = folder / NAME
    if not root.exists():
        return False
    with _locked(folder):
        was_there = any(_version_folders(root))
        try:
            (root / "current").unlink(missing_ok=True)
            shutil.rmtree(root)
        except OSError as error:
            raise InstallError(f"cannot remove it all: {error.strerror}") from error
    return was_there


# --- steps ----------------------------------------------------------------------------------------


@contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    """Nobody else installs meanwhile; what an interrupted installation left is removed."""
    root = folder / NAME
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InstallError(f"the data folder: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InstallError("another installation is running") from error
        for left in root.glob(f"{_STAGING}*"):
            _remove(left)
        yield root
    finally:
        os.close(handle)


def _pip(python: Path, config: ClientConfig, staging: Path, step: str, *arguments: str) -> None:
    options = ["--disable-pip-version-check", "--no-input", "--quiet"]
    if config.ca_bundle:
        authorities = staging / "authorities.pem"
        texts = [Path(path).read_text(errors="replace") for path in _authorities(config.ca_bundle)]
        authorities.write_text("\n".join(texts))
        options += ["--cert", str(authorities)]
    command = [str(python), "-c", _RUN_PIP, *arguments, *options]
    if config.proxy:  # pip's last line would not say that nothing came through
        step += " through STORYKEEP_PROXY"
    _run(step, _PIP_S, command, line=config.proxy or "")


def _authorities(ca_bundle: str) -> tuple[str, str]:
    return certifi.where(), ca_bundle


def _run(step: str, seconds: float, command: Sequence[str], *, line: str = "") -> None:
    try:
        done = subprocess.run(
            list(command),
            input=f"{line}\n",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"cannot {step}: it took too long") from error
    if done.returncode:
        words = [text for text in done.stderr.splitlines() if text.strip()] or ["no word of why"]
        raise InstallError(f"cannot {step}: {words[-1][:300]}")


def _wheels(folder: Path) -> tuple[Wheel, ...]:
    """The files to install. Raises InstallError for anything that is no wheel."""
    found = []
    for path in sorted(folder.iterdir()):
        named = _WHEEL.fullmatch(path.name)
        if named is None or not path.is_file() or path.is_symlink():
            raise InstallError(f"not a wheel: {path.name[:100]}")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found.append(Wheel(name=named[1], version=named[2], sha256=digest))
    return tuple(found)


def _told_wheels(path: Path) -> tuple[Wheel, ...]:
    try:
        told = json.loads((path / "installed.json").read_text(encoding="ascii"))
        return tuple(
            Wheel(name=str(name), version=str(version), sha256=str(sha256))
            for name, version, sha256 in told["wheels"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _try_out(python: Path) -> None:
    # Imported here: nothing else needs it, nor the certificates it makes.
    from stories.helper.smoke import SmokeFailed, try_out

    def command() -> Sequence[str]:
        return [str(python), "-I", "-m", PACKAGE]

    with tempfile.TemporaryDirectory(prefix="storykeep-trial-") as folder:
        try:
            asyncio.run(try_out(command, Path(folder)))
        except SmokeFailed as error:
            raise InstallError(f"it was tried out, and does not work here: {error}") from error


def _put_in_place(root: Path, environment: Path, version: str) -> None:
    """The finished environment under its version's name, in place of an earlier one of that name.

    A run that began in the earlier one may fail; the next one does not.
    """
    place = root / version
    if place.exists():
        place.rename(environment.with_name("replaced"))
    environment.rename(place)


def _use(root: Path, version: str) -> None:
    """Use a version, and keep the one before it; older ones go."""
    before = current_version(root.parent)
    _write_current(root, version)
    kept = {version, before}
    for other, path in reversed(_version_folders(root)):
        if len(kept - {None}) < KEPT_VERSIONS:
            kept.add(other)
        if other not in kept:
            _remove(path)


def _write_current(root: Path, version: str) -> None:
    handle, path = tempfile.mkstemp(prefix=_STAGING, dir=root)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"{version}\n")
        file.flush()
        os.fsync(file.fileno())
    Path(path).chmod(0o644)
    Path(path).replace(root / "current")


def _version_folders(root: Path) -> list[tuple[str, Path]]:
    """The versions there are, the one that was installed last at the end."""
    with suppress(OSError):
        found = [path for path in root.iterdir() if VERSION.fullmatch(path.name)]
        found = [path for path in found if interpreter(root.parent, path.name).exists()]
        return [(path.name, path) for path in sorted(found, key=_installed_at)]
    return []


def _installed_at(path: Path) -> float:
    with suppress(OSError):
        return (path / "installed.json").stat().st_mtime
    return 0.0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
