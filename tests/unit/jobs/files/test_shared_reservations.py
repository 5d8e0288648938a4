"""What workers tell each other of what they have reserved: also one that died, and half a file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import DiskFull, QuotaExceeded
from jobs.files import capacity, disk, shared_reservations
from jobs.files.capacity import Reservation, Reservations
from jobs.files.shared_reservations import Reserved, SharedReservations


@pytest.fixture(autouse=True)
def folder(set_env: Callable[..., None], tmp_path: Path) -> Path:
    """Where the files lie: in a data folder of this test's own."""
    set_env(data_dir=tmp_path)
    return tmp_path / "run" / "reserved"


@pytest.fixture
def ours() -> Iterator[SharedReservations]:
    made = SharedReservations()
    yield made
    made.close()


@pytest.fixture
def theirs() -> Iterator[SharedReservations]:
    """Of another process. (Locks belong to open files, so that one process can stand for two.)"""
    made = SharedReservations()
    yield made
    made.close()


def test_each_sees_what_the_other_has_and_not_its_own(
    ours: SharedReservations, theirs: SharedReservations
) -> None:
    assert ours.others() == Reserved()
    ours.publish(Reserved(100, {1: 60}))
    theirs.publish(Reserved(20, {1: 5, 2: 15}))
    assert theirs.others() == Reserved(100, {1: 60})
    assert ours.others() == Reserved(20, {1: 5, 2: 15})
    theirs.publish(Reserved())
    assert ours.others() == Reserved()


def test_three_are_added_up(ours: SharedReservations, theirs: SharedReservations) -> None:
    third = SharedReservations()
    theirs.publish(Reserved(20, {1: 5}))
    third.publish(Reserved(3, {1: 1}))
    assert ours.others() == Reserved(23, {1: 6})
    third.close()
    assert ours.others() == Reserved(20, {1: 5})


def test_what_a_killed_process_had_counts_no_more(ours: SharedReservations, folder: Path) -> None:
    script = (
        "import os, django; django.setup()\n"
        "from jobs.files.shared_reservations import Reserved, shared\n"
        "shared.publish(Reserved(1_000_000, {}))\n"
        "print('told', flush=True)\n"
        "input()\n"
    )
    environment = os.environ | {"STORYKEEP_DATA_DIR": str(folder.parent.parent)}
    environment["DJANGO_SETTINGS_MODULE"] = "webapp.settings_worker"
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[4],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    with process.stdin, process.stdout:
        assert process.stdout.readline() == b"told\n"
        assert ours.others().room_bytes == 1_000_000
        process.kill()
        process.wait()
    assert ours.others() == Reserved()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"0000", b"deadbeef[100, {}]", b"\xff" * 40], ids=repr)
def test_what_cannot_be_read_counts_as_nothing(
    ours: SharedReservations, theirs: SharedReservations, data: bytes
) -> None:
    theirs.publish(Reserved(20))
    assert theirs._path
    theirs._path.write_bytes(data)
    assert ours.others() == Reserved()


def test_a_file_that_was_deleted_is_made_again(
    ours: SharedReservations, theirs: SharedReservations, folder: Path
) -> None:
    theirs.publish(Reserved(20))
    (path,) = folder.iterdir()
    path.unlink()
    theirs.publish(Reserved(21))
    assert ours.others() == Reserved(21)


def test_nothing_is_written_while_nothing_changes(
    ours: SharedReservations, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours.publish(Reserved(20, {1: 2}))
    monkeypatch.setattr(os, "pwrite", lambda *_: pytest.fail("it was written"))
    ours.publish(Reserved(20, {1: 2}))


def test_who_cannot_write_goes_on_alone_and_says_so_once(
    ours: SharedReservations, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.parent.mkdir()
    folder.write_text("in the way")
    for size in (1, 2):
        ours.publish(Reserved(size))
    assert [record.getMessage() for record in caplog.records] == [
        "other workers cannot be told: File exists"
    ]
    assert ours.others() == Reserved()


# --- what it is for -------------------------------------------------------------------------------


def reservation(**facts: Any) -> Reservation:
    return Reservation(written_bytes=lambda: 0, is_idle=lambda: False, **facts)


@pytest.fixture
def process(ours: SharedReservations, monkeypatch: pytest.MonkeyPatch) -> Reservations:
    """The reservations of this process, on a disk with plenty of room."""
    monkeypatch.setattr(capacity, "shared", ours)
    monkeypatch.setattr(disk, "free_bytes", lambda: 10_000)
    monkeypatch.setattr(capacity, "used_bytes", lambda _owner=None: 0)
    return Reservations()


def test_the_limit_holds_for_all_workers_together(
    process: Reservations, theirs: SharedReservations, set_env: Callable[..., None]
) -> None:
    set_env(disk_max=1_000, disk_min_free=0)
    mine = reservation()
    process.enter(mine)
    theirs.publish(Reserved(700))
    with pytest.raises(DiskFull, match="limit"):
        process.reserve(mine, 301)
    assert theirs.others() == Reserved()  # what was refused is not held against the others
    process.reserve(mine, 300)
    assert theirs.others() == Reserved(300)
    process.leave(mine)
    assert theirs.others() == Reserved()


def test_free_space_is_kept_by_all_workers_together(
    process: Reservations, theirs: SharedReservations, set_env: Callable[..., None]
) -> None:
    set_env(disk_max=0, disk_min_free=4_000)
    mine = reservation()
    process.enter(mine)
    theirs.publish(Reserved(5_000))
    with pytest.raises(DiskFull, match="free disk space"):
        process.reserve(mine, 1_001)
    process.reserve(mine, 1_000)


def test_a_persons_quota_holds_for_all_workers_together(
    process: Reservations, theirs: SharedReservations, set_env: Callable[..., None]
) -> None:
    set_env(disk_max=0, disk_min_free=0)
    mine, somebody_elses = (reservation(owner_id=n, max_bytes=1_000) for n in (1, 2))
    for each in (mine, somebody_elses):
        process.enter(each)
    theirs.publish(Reserved(700, {1: 700}))
    with pytest.raises(QuotaExceeded):
        process.reserve(mine, 301)
    process.reserve(somebody_elses, 1_000)
    process.reserve(mine, 300, linked=True)
    assert theirs.others() == Reserved(1_000, {1: 300, 2: 1_000})


def test_what_is_asked_for_is_told_before_the_others_are_looked_at(
    process: Reservations, theirs: SharedReservations, ours: SharedReservations,
    monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None],
) -> None:  # fmt: skip
    """Else two at once would both find room for one."""
    set_env(disk_max=0, disk_min_free=0)
    seen: list[int] = []

    def look() -> Reserved:
        seen.append(theirs.others().room_bytes)
        return Reserved()

    monkeypatch.setattr(ours, "others", look)
    mine = reservation()
    process.enter(mine)
    process.reserve(mine, 300)
    assert seen == [300]
    assert shared_reservations.shared is not ours
