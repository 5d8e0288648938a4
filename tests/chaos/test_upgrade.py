"""An upgrade with jobs in flight: stopped, brought up to date, started; and without the stop."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path, PurePath

import pytest

from tests.chaos.conftest import Start
from tests.chaos.instance import ROOT
from tests.chaos.ledger import Ledger
from tests.chaos.machine import eventually
from tests.chaos.phases import populate
from tests.fake_tiktok import FakeTikTok
from webapp.processes import redis_server

LINES = 9
MIGRATIONS = "*/migrations/0*.py"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode or not done.stdout.strip():
        pytest.skip("the version before is not in this checkout")
    return done.stdout.strip()


def _before() -> str:
    """The last commit with fewer migrations than there are now, and no other ones."""
    ours = {str(path.relative_to(ROOT)) for path in ROOT.glob(MIGRATIONS)}
    for commit in _git("log", "--format=%H", "--", MIGRATIONS).splitlines():
        names = _git("ls-tree", "-r", "--name-only", commit).splitlines()
        if {name for name in names if PurePath(name).match(MIGRATIONS)} < ours:
            return commit
    pytest.skip("the version before is not in this checkout")


@pytest.fixture
def old_root(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The code of just before the last migration was added."""
    root = folder / "old"
    root.mkdir()
    # It may come with another Redis than is installed here.
    servers = folder / "bin"
    servers.mkdir()
    (servers / "redis-server").symlink_to(redis_server.find().path)
    monkeypatch.setenv("PATH", os.pathsep.join([str(servers), os.environ["PATH"]]))
    packed = subprocess.run(
        ["git", "archive", _before()], cwd=ROOT, capture_output=True, check=True
    )
    subprocess.run(["tar", "-x"], cwd=root, input=packed.stdout, check=True)
    return root


def _begin(ledger: Ledger) -> None:
    """Lines of three people, some of them in the middle of a transfer."""
    accounts = [populate(ledger, f"night.trains{number}") for number in range(LINES)]
    ledger.tiktok.fault("video", "slow", bytes_per_s=20_000)
    for number, name in enumerate(ledger.instance.people):
        ledger.submit(name, *accounts[number::3])
    media = "role = 'media'"
    eventually(lambda: ledger.instance.database.count("jobs_artifact", media) >= 3)


def test_stopped_brought_up_to_date_and_started(
    make: Start, old_root: Path, tiktok: FakeTikTok
) -> None:
    instance = make(root=old_root).start()
    ledger = Ledger(instance, tiktok)
    _begin(ledger)
    assert instance.stop() == 0
    tiktok.faults.clear()
    instance.root = ROOT
    instance.start()
    ledger.check(refetched=LINES)


def test_tables_are_brought_up_to_date_while_the_old_version_runs(
    make: Start, old_root: Path, tiktok: FakeTikTok
) -> None:
    """As containers do: the new image's preparation comes first, the old ones are ended after."""
    instance = make(root=old_root).start()
    ledger = Ledger(instance, tiktok)
    _begin(ledger)
    assert instance.begin("up", "--only", "migrate", root=ROOT).wait(60) == 0
    for name in instance.people:  # the old pages still take lines
        ledger.submit(name, populate(ledger, f"{name}.late"))
    tiktok.faults.clear()
    assert instance.stop() == 0
    instance.root = ROOT
    instance.start()
    ledger.check(refetched=2 * LINES)


def test_an_old_worker_beside_one_of_the_new_version(
    make: Start, old_root: Path, tiktok: FakeTikTok
) -> None:
    """The last of the old workers may still be at its lines when the new version takes more."""
    instance = make(root=old_root, item_concurrency="3").start()
    ledger = Ledger(instance, tiktok)
    _begin(ledger)
    assert instance.begin("up", "--only", "migrate", root=ROOT).wait(60) == 0
    ready = instance.output.count(" ready.")
    new = instance.begin("up", "--only", "worker", root=ROOT)
    eventually(lambda: instance.output.count(" ready.") > ready, what="the new worker is ready")
    for name in instance.people:
        ledger.submit(name, populate(ledger, f"{name}.late"))
    tiktok.faults.clear()
    ledger.settled()
    new.terminate()
    assert new.wait(60) == 0
    assert instance.stop() == 0
    instance.root = ROOT
    instance.start()
    ledger.check(refetched=LINES)
