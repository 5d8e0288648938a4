"""Folders that are not what they were: of saved files, and of data.

Mounting wants root and Linux; elsewhere what needs it is skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

from tests.chaos.conftest import Start
from tests.chaos.instance import Instance
from tests.chaos.ledger import Ledger
from tests.chaos.machine import eventually
from tests.chaos.test_disk import Disk, mount, people, readiness, unmount, waits, whole
from tests.chaos.test_disk import disk as disk  # a fixture
from tests.fake_tiktok import FakeTikTok
from webapp import health

SWEEP = "jobs.tasks.sweep"
MARK = ".storykeep"


def swept(instance: Instance) -> None:
    """Have it sweep twice."""
    for _ in range(2):
        before = last_sweep(instance)
        instance.send_periodic(SWEEP)
        eventually(lambda before=before: last_sweep(instance) != before)  # type: ignore[misc]


def last_sweep(instance: Instance) -> str | None:
    with instance.redis() as server:
        found = server.get("storykeep:swept")
    return None if found is None else str(found)


def test_a_mount_point_that_was_used_before_its_disk_came(
    make: Start, tiktok: FakeTikTok, folder: Path
) -> None:
    place, disk = folder / "mounted", folder / "disk"
    place.mkdir()
    disk.mkdir()
    instance = make(artifact_dir=str(place)).start()
    swept(instance)
    assert (place / MARK).exists()
    mount("--bind", str(disk), str(place))
    try:
        ledger = Ledger(instance, tiktok)
        ledger.submit("alice", *people(tiktok, "before", 2))
        ledger.settled()
        unmount(place)
        eventually(lambda: readiness(instance)["reason"] == "not_mounted", 90, "the disk is away")
        swept(instance)
        assert instance.database.count("jobs_artifact", "removed_at IS NOT NULL") == 0
        mount("--bind", str(disk), str(place))
        eventually(lambda: readiness(instance)["ok"], 90, "the disk is back")
        swept(instance)
        ledger.submit("bob", *people(tiktok, "after", 1))
        ledger.settled()
        whole(ledger)
    finally:
        unmount(place)


def test_a_data_folder_exchanged_for_an_empty_one(
    make: Start, tiktok: FakeTikTok, folder: Path
) -> None:
    place = folder / "saved"
    instance = make(artifact_dir=str(place)).start()
    ledger = Ledger(instance, tiktok)
    ledger.submit("alice", *people(tiktok, "before", 2))
    ledger.settled()
    instance.stop()
    long_ago = time.time() - 3600
    for path in instance.files().values():
        os.utime(path, (long_ago, long_ago))
    away = instance.folder.with_name("away")
    instance.folder.rename(away)
    instance.start(ready=False)
    eventually(lambda: readiness(instance)["reason"] == "not_mounted")
    swept(instance)
    instance.stop()
    instance.folder.rename(instance.folder.with_name("another"))
    away.rename(instance.folder)
    instance.start()
    swept(instance)
    whole(ledger)


def test_started_while_the_disk_of_saved_files_is_read_only(
    make: Start, disk: Disk, tiktok: FakeTikTok
) -> None:
    place = disk("size=50m")
    instance = make(artifact_dir=str(place)).start()
    ledger = Ledger(instance, tiktok)
    ledger.submit("alice", *people(tiktok, "before", 2))
    ledger.settled()
    instance.stop()
    mount("-o", "remount,ro", str(place))
    instance.start(ready=False)
    assert readiness(instance)["reason"] == "not_writable"
    asked = ledger.submit("bob", *people(tiktok, "during", 2))
    waits(ledger, asked, "storage_unavailable")
    mount("-o", "remount,rw", str(place))
    ledger.settled()
    whole(ledger)


def test_started_while_the_disk_of_the_data_folder_is_full(
    make: Start, tiktok: FakeTikTok, folder: Path
) -> None:
    place = folder / "saved"
    instance = make(artifact_dir=str(place))
    filled = instance.folder.with_name("filled")
    instance.folder.rename(filled)
    instance.folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=12m", "tmpfs", str(instance.folder))
    try:
        shutil.copytree(filled, instance.folder, dirs_exist_ok=True)
        instance.start()
        ledger = Ledger(instance, tiktok)
        ledger.submit("alice", *people(tiktok, "before", 1))
        ledger.settled()
        instance.stop()
        foreign = instance.folder / "foreign"
        with suppress(OSError), foreign.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        began = len(instance.output)
        starting = threading.Thread(target=instance.start, daemon=True)
        starting.start()
        eventually(lambda: "waiting for it" in instance.output[began:], 60, "it waits")
        assert instance.is_running
        foreign.unlink()
        starting.join(60)
        ledger.submit("bob", *people(tiktok, "after", 1))
        ledger.settled()
        whole(ledger)
    finally:
        instance.cut_power()
        unmount(instance.folder)


def test_a_disk_that_hangs_holds_no_more_than_who_looks(
    make: Start, tiktok: FakeTikTok, folder: Path
) -> None:
    """Writing to it takes as long as it is frozen; many ask whether all is ready meanwhile."""
    place, image = folder / "mounted", folder / "image"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    mount("-o", "loop", str(image), str(place))
    try:
        instance = make(artifact_dir=str(place / "saved")).start()
        ledger = Ledger(instance, tiktok)
        ledger.submit("alice", *people(tiktok, "before", 1))
        ledger.settled()
        subprocess.run(["fsfreeze", "--freeze", str(place)], check=True)
        many_ask(instance)
        eventually(lambda: is_said_to_hang(instance), 60, "the disk is said to be away")
        assert ledger.show(ledger.jobs[0])["state"] == "done", "pages and polls are answered"
        subprocess.run(["fsfreeze", "--unfreeze", str(place)], check=True)
        eventually(lambda: readiness(instance)["ok"], 60, "the disk answers")
        ledger.submit("bob", *people(tiktok, "after", 1))
        ledger.settled()
        whole(ledger)
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", str(place)], capture_output=True, check=False)
        unmount(place)


def many_ask(instance: Instance) -> None:
    """More than there are threads ask whether all is ready, once what was seen is old."""
    time.sleep(health.FRESH_S)
    for _ in range(40):
        threading.Thread(target=instance.is_ready, daemon=True).start()


def is_said_to_hang(instance: Instance) -> bool:
    try:
        return bool(readiness(instance).get("reason") == "away")
    except OSError:  # nobody answered in time
        return False
