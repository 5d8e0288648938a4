"""A container engine as the trial uses it: one that is there, or (debian_engine) one of its own."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Final

from tests.compose.commands import CommandFailed, run

OLDEST_COMPOSE: Final = (2, 24)
"""From this version on, a file that `env_file` names need not be there."""


class NoEngine(Exception):
    """No engine can be had; str() says why, for whoever wanted one."""


class Engine:
    """What can be asked of an engine.

    work: the folder both sides see. host_address: where containers reach this machine;
    published_address: where this machine reaches their published ports. own: nobody else uses it.
    """

    binary = "docker"
    host_address = "127.0.0.1"
    published_address = "127.0.0.1"
    own = False

    def __init__(self, work: Path) -> None:
        self.work = work

    def open(self) -> None:
        """Make it usable. Raises NoEngine."""

    def close(self) -> None:
        """Leave nothing of it. May be called twice."""

    def argv(self, *command: str) -> list[str]:
        """A command that runs where the engine does."""
        return list(command)

    def seen(self, path: Path) -> str:
        """A path below the trial's folder, as the engine sees it."""
        return str(path)

    def run(self, *words: str, stdin: bytes | Path | None = None, limit_s: float = 600.0) -> str:
        """What the engine's own command printed. Raises CommandFailed."""
        return run(self.argv(self.binary, *words), stdin=stdin, limit_s=limit_s)

    def has_image(self, name: str) -> bool:
        """Whether an image is there."""
        try:
            self.run("image", "inspect", name)
        except CommandFailed:
            return False
        return True


class InstalledEngine(Engine):
    """An engine that this machine has: Docker, or a Podman with a `compose`."""

    def __init__(self, work: Path, binary: str) -> None:
        super().__init__(work)
        self.binary = binary

    def open(self) -> None:
        """Ask whether it runs, and for the address it reaches this machine by. Raises NoEngine."""
        if not shutil.which(self.binary):
            raise NoEngine(f"{self.binary} is not installed")
        try:
            self.run("info", limit_s=20)
        except CommandFailed as error:
            raise NoEngine(
                f"{self.binary} does not answer: {str(error).splitlines()[-1]}"
            ) from None
        try:
            version = self.run("compose", "version", "--short", limit_s=20)
        except CommandFailed as error:
            raise NoEngine(f"{self.binary} has no compose") from error
        numbers = re.search(r"(\d+)\.(\d+)", version)
        if not numbers or (int(numbers[1]), int(numbers[2])) < OLDEST_COMPOSE:
            raise NoEngine(f"the compose of {self.binary} is older than 2.24: {version.strip()}")
        network = "bridge" if self.binary == "docker" else "podman"
        try:
            told = json.loads(self.run("network", "inspect", network))[0]
        except (CommandFailed, ValueError, IndexError) as error:
            raise NoEngine(f"{self.binary} names no network of its own") from error
        gateways = re.findall(r'"gateway": "([0-9.]+)"', json.dumps(told), re.IGNORECASE)
        self.host_address = gateways[0] if gateways else self.host_address
