"""The phases of a job, each held long enough for something to happen in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from tests.chaos.ledger import Asked, Ledger
from tests.chaos.machine import eventually
from tests.fake_tiktok.accounts import Account

WATCHED_EVERY_S: Final = 0.002


@dataclass
class Scene:
    """What a phase is held for: an account with a photo and a video, and who asks for it."""

    ledger: Ledger
    account: Account
    owner: str = "alice"

    def submit(self) -> Asked:
        return self.ledger.submit(self.owner, self.account)

    def fault(self, endpoint: str, kind: str, **options: Any) -> None:
        what = {"endpoint": endpoint, "account": self.account.name}
        self.ledger.tiktok.fault(what, kind, **options)

    def requested(self, endpoint: str) -> bool:
        return self.ledger.tiktok.count(endpoint, account=self.account.name) > 0

    def count(self, table: str, where: str) -> int:
        return self.ledger.instance.database.count(table, where)


def at_once(question: Callable[[], object], what: str) -> None:
    """Return in the moment that something is so."""
    deadline = time.monotonic() + 30
    while not question():
        assert time.monotonic() < deadline, what
        time.sleep(WATCHED_EVERY_S)


def populate(ledger: Ledger, name: str) -> Account:
    """An account with a photo, which is saved first, and a video that takes its time."""
    account = ledger.tiktok.account(name)
    account.photo(size=(90, 160))
    account.video(seconds=2, min_bytes=400_000)
    return account


@contextmanager
def look_up(scene: Scene) -> Iterator[Asked]:
    """The profile page is arriving."""
    scene.fault("profile", "slow", bytes_per_s=100_000)
    asked = scene.submit()
    eventually(lambda: scene.requested("profile"), what="the page was asked for")
    yield asked


@contextmanager
def listing(scene: Scene) -> Iterator[Asked]:
    """The list is arriving."""
    scene.fault("list", "slow", bytes_per_s=2_000)
    asked = scene.submit()
    eventually(lambda: scene.requested("list"), what="the list was asked for")
    yield asked


@contextmanager
def transfer(scene: Scene) -> Iterator[Asked]:
    """The photo is saved, the video is arriving."""
    scene.fault("video", "slow", bytes_per_s=150_000)
    asked = scene.submit()
    rows = f"job_id = {scene.ledger.instance.database.quoted(asked.job_id)} AND role = 'media'"
    eventually(lambda: scene.count("jobs_artifact", rows), what="the photo is saved")
    eventually(lambda: scene.requested("video"), what="the video was asked for")
    yield asked


@contextmanager
def verify(scene: Scene) -> Iterator[Asked]:
    """A long video has arrived to its last byte, and is being looked at."""
    video = scene.account.video(seconds=15)
    size = video.files[0].size
    work = scene.ledger.instance.artifacts / "work"
    asked = scene.submit()

    def is_whole() -> bool:
        with suppress(FileNotFoundError):  # it has just been put into its place
            return any(part.stat().st_size == size for part in work.glob("*/*"))
        return False

    at_once(is_whole, "the video is whole")
    yield asked


@contextmanager
def write(scene: Scene) -> Iterator[Asked]:
    """The video lies in the store, and its row waits for the database."""
    instance = scene.ledger.instance
    with transfer(scene) as asked, instance.database.locked():
        before = instance.files().keys()
        at_once(lambda: instance.files().keys() - before, "the video is in the store")
        yield asked


@contextmanager
def zipping(scene: Scene) -> Iterator[Asked]:
    """A ZIP of the job is being packed."""
    asked = scene.submit()
    scene.ledger.settled(asked)
    person = scene.ledger.instance.people[asked.owner]
    person.insist("POST", f"/jobs/{asked.job_id}/bundle")
    at_once(lambda: scene.count("jobs_package", "state <> 'queued'"), "the ZIP is begun")
    yield asked


@contextmanager
def erasing(scene: Scene) -> Iterator[Asked]:
    """A large job is forgotten: marked, and its files go piece by piece."""
    for _ in range(3):
        scene.account.carousel(80, size=(90, 160))
    asked = scene.submit()
    scene.ledger.settled(asked)
    scene.ledger.forget(asked)
    scene.ledger.instance.send_periodic()
    eventually(lambda: scene.count("jobs_job", "erased_at IS NOT NULL"), what="it is marked")
    yield asked


PHASES: Final[dict[str, Callable[[Scene], Any]]] = {
    "look-up": look_up,
    "list": listing,
    "transfer": transfer,
    "verify": verify,
    "write": write,
    "zip": zipping,
    "erase": erasing,
}
"""The phases by name, in the order of a job's life."""
