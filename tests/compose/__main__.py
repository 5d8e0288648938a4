"""`python -m tests.compose`: run the compose files, unchanged, by a real container engine.

Takes the Docker or Podman that this machine has; without one, as root on Debian, makes one for
the time of the trial (debian_engine). Exit code 0: every check holds; 1: one does not; 77: no
engine can be had here, which the last line explains.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from tests.compose import base_images
from tests.compose.commands import CommandFailed
from tests.compose.debian_engine import DebianEngine
from tests.compose.engine import Engine, InstalledEngine, NoEngine
from tests.compose.household import NAME, try_household
from tests.compose.instance import HOUSEHOLD, ROOT, SERVER, Instance, has_commit
from tests.compose.report import Abandoned, Report
from tests.compose.server import try_server
from tests.compose.tiktok import TikTok
from tests.compose.upgrade import tell_of_authority, try_upgrade

SKIPPED: Final = 77
PARTS: Final = ("server", "household", "upgrade")
AUTHORITIES: Final = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables by which a machine in a network that inspects TLS names an authority."""
PROJECT: Final = "storykeep-trial"
"""Of an engine that others use as well, where an instance in earnest may bear our own name."""


def main(typed: Sequence[str] | None = None) -> int:
    """Find or make an engine, try every part, and leave nothing. The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.compose", description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="this one alone")
    parser.add_argument("--engine", choices=["docker", "podman", "own"], help="this one alone")
    parser.add_argument("--earlier", default="HEAD~1", help="the commit to upgrade from")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "compose", help="to work in; large"
    )
    parser.add_argument("--keep", action="store_true", help="the images of an engine of our own")
    options = parser.parse_args(typed)
    signal.signal(signal.SIGTERM, _interrupt)
    report = Report()
    folder: Path = options.folder.resolve()
    work = folder / "work"
    with contextlib.ExitStack() as stack:
        try:
            work.mkdir(parents=True, exist_ok=True)
            if not options.keep:
                stack.callback(shutil.rmtree, work, ignore_errors=True)
            engine = _engine(report, stack, work, folder, options.engine)
            report.say(f"with {base_images.provide(engine, folder)}")
            tiktok = TikTok(work / "tiktok", engine.host_address)
            stack.callback(tiktok.close)
        except (NoEngine, CommandFailed) as error:
            report.say(f"SKIPPED, for no container engine can be had: {error}")
            return SKIPPED
        for part in options.part or PARTS:
            with contextlib.suppress(Abandoned):
                _try(report, engine, tiktok, part, options.earlier)
        report.say(report.summary())
    return 1 if report.failed or not report.held else 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _engine(
    report: Report, stack: contextlib.ExitStack, work: Path, folder: Path, wanted: str | None
) -> Engine:
    """The first engine that can be had. Raises NoEngine with every reason."""
    makers: dict[str, Callable[[], Engine]] = {
        "docker": lambda: InstalledEngine(work, "docker"),
        "podman": lambda: InstalledEngine(work, "podman"),
        "own": lambda: DebianEngine(work, folder),
    }
    reasons = []
    for name, make in makers.items():
        if wanted in {None, name}:
            engine = make()
            try:
                with contextlib.ExitStack() as trial:
                    trial.callback(engine.close)
                    engine.open()
                    stack.push(trial.pop_all())
            except NoEngine as error:
                reasons.append(str(error))
                continue
            report.say(f"engine: {'made of Debian packages' if name == 'own' else name}")
            return engine
    raise NoEngine("; ".join(reasons))


def _try(report: Report, engine: Engine, tiktok: TikTok, part: str, earlier: str) -> None:
    """One part, with an instance of its own that is gone afterwards. Raises Abandoned."""
    file = HOUSEHOLD if part == "household" else SERVER
    own = engine.own
    if part == "household" and not own and _has_container(engine):
        report.say(f"household: left out, for there is a container named {NAME} here")
        return
    if part == "upgrade" and not has_commit(earlier):
        report.say(f"upgrade: left out, for there is no commit {earlier} here")
        return
    instance = Instance(engine, engine.work / part, file, None if own else PROJECT)
    with _instance(report, instance, part):
        instance.take_source(earlier if part == "upgrade" else None)
        instance.set(PORT="9000" if own else str(_free_port()))
        if not own:
            instance.set(STORYKEEP_IMAGE=f"{PROJECT}:latest")
        _know_the_network(instance)
        tiktok.pace(None)
        if part == "server":
            try_server(report, instance, tiktok)
        elif part == "household":
            try_household(report, instance, tiktok)
        else:
            tell_of_authority(report, instance)
            try_upgrade(report, instance, tiktok)


@contextlib.contextmanager
def _instance(report: Report, instance: Instance, part: str) -> Iterator[None]:
    """The time of an instance; when a check failed its log is told, and all of it goes."""
    failed = len(report.failed)
    try:
        yield
    finally:
        with contextlib.suppress(CommandFailed):
            if len(report.failed) > failed:
                report.say(instance.compose("ps", "--all"))
                report.say(instance.compose("logs", "--tail", "60"))
            instance.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
            if not instance.engine.own:
                instance.engine.run("image", "rm", "--force", f"{PROJECT}:latest")
        shutil.rmtree(instance.folder, ignore_errors=True)
        report.say(f"       {part}: taken away")


def _know_the_network(instance: Instance) -> None:
    """What pip has to know here to reach an index while an image is built (docs/deploy.md)."""
    for name in AUTHORITIES:
        path = Path(os.environ.get(name) or "/nowhere/at/all")
        if path.is_file():
            shutil.copy(path, instance.folder / "ca.pem")
            break
    if index := os.environ.get("PIP_INDEX_URL"):
        instance.set(PIP_INDEX_URL=index)


def _has_container(engine: Engine) -> bool:
    return NAME in engine.run("ps", "--all", "--format", "{{.Names}}").split()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
