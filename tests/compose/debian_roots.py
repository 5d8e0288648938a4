"""Small Debian systems, made from packages: the engine's, and those of the images built upon."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.compose.commands import CommandFailed, run
from tests.compose.engine import NoEngine

LEFT_OUT: Final = ("doc", "man", "locale")
"""Folders of /usr/share that no program reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A system. name: of its folder, or of its archive where it ends in .tar; before: a command
    that is run before the packages are installed, with the new system's folder as $1."""

    name: str
    release: str
    packages: tuple[str, ...]
    before: str = ""


ENGINE: Final = Root(
    name="engine",
    release="trixie",
    packages=(
        *("ca-certificates", "containerd", "docker-buildx", "docker-cli", "docker-compose"),
        *("docker.io", "iproute2", "iptables", "procps", "runc"),
    ),
)
PYTHON: Final = Root(
    name="python.tar",
    release="bookworm",
    packages=("ca-certificates", "python3", "python3-venv"),
)
SERVERS: Final = Root(
    name="database.tar",
    release="trixie",
    packages=("gosu", "postgresql-17", "valkey-server", "valkey-tools"),
    before='mkdir -p "$1/etc/postgresql-common" && '
    'echo create_main_cluster=false > "$1/etc/postgresql-common/createcluster.conf"',
)


def make_roots(folder: Path) -> None:
    """Make all three side by side; those that are there are taken as they are. Raises NoEngine."""
    missing = [root for root in (ENGINE, PYTHON, SERVERS) if not (folder / root.name).exists()]
    if missing:
        address = mirror()
        with ThreadPoolExecutor(len(missing)) as pool:
            list(pool.map(lambda root: _make(folder, root, address), missing))


def mirror() -> str:
    """The address of the archive that this machine installs its packages from. Raises NoEngine."""
    try:
        listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(CODENAME)"])
    except CommandFailed as error:
        raise NoEngine("this machine has no apt to make an engine from") from error
    for line in listed.splitlines():
        address, _space, rest = line.partition(" ")
        if rest.startswith("Debian ") and "-" not in rest:
            return address.rstrip("/")
    raise NoEngine("apt names no archive of Debian's here, so no engine can be made from one")


def _make(folder: Path, root: Root, address: str) -> None:
    partial = folder / f"partial-{root.name}"
    if partial.is_dir():
        shutil.rmtree(partial)
    options = ["--quiet", "--variant=minbase", f"--include={','.join(root.packages)}"]
    options += [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in LEFT_OUT]
    if root.before:
        options.append(f"--essential-hook={root.before}")
    try:
        run(["mmdebstrap", *options, root.release, str(partial), address], limit_s=1800)
    except CommandFailed as error:
        raise NoEngine(f"{root.name} cannot be made from Debian's packages: {error}") from error
    partial.rename(folder / root.name)
