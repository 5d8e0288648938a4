"""The scrub: every file is read once within its life, slowly, and what is damaged goes."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from jobs import tasks
from jobs.ephemeral import leases, scrub_position
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.scrub_position import ScrubPosition
from jobs.files import damage, disk, folder_store, store
from jobs.housekeeping import scrub
from jobs.housekeeping.scrub import Scrub
from jobs.models import DAMAGED, Artifact
from jobs.queue import shutdown
from jobs.queue.shutdown import ShutdownRequested
from tests.factories import make_artifact, make_story

pytestmark = pytest.mark.django_db
SetEnv = Callable[..., None]


class Shared:
    """What the workers of an instance share. up: whether Redis answers."""

    def __init__(self) -> None:
        self.position: ScrubPosition | None = None
        self.holder = ""
        self.up = True

    def acquire(self, _name: str, holder: str, *, seconds: float) -> bool:
        if not self.up:
            raise RedisUnavailable
        assert seconds > 0
        self.holder = self.holder or holder
        return self.holder == holder

    def release(self, _name: str) -> None:
        self.holder = ""

    def store(self, position: ScrubPosition) -> None:
        self.position = position


@pytest.fixture(autouse=True)
def shared(monkeypatch: pytest.MonkeyPatch) -> Shared:
    shared = Shared()
    monkeypatch.setattr(leases, "acquire", shared.acquire)
    monkeypatch.setattr(leases, "release", shared.release)
    monkeypatch.setattr(scrub_position, "load", lambda: shared.position)
    monkeypatch.setattr(scrub_position, "store", shared.store)
    return shared


class Clock:
    """Seconds that pass while somebody sleeps, or a test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.slept = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def a_whole_pass(clock: Clock, shared: Shared) -> int:
    """Read everything there is; how many files were given up."""
    shared.position = ScrubPosition(0, clock.now - 10 * scrub.pass_s())
    return Scrub(clock, clock.sleep).run()


def path_of(artifacts: Path, artifact: Artifact) -> Path:
    return artifacts / str(artifact.pk)[:2] / str(artifact.pk)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def fates() -> dict[str, list[str]]:
    return dict(Artifact.objects.values_list("name", "labels"))


def test_what_is_damaged_goes_and_the_rest_stays(
    artifacts: Path, clock: Clock, shared: Shared
) -> None:
    good, flipped, cut = (make_artifact(content=bytes(100_000), name=n) for n in ("a", "b", "c"))
    flip_a_bit(path_of(artifacts, flipped))
    path_of(artifacts, cut).write_bytes(bytes(50_000))
    assert a_whole_pass(clock, shared) == 2
    assert fates() == {"a": [], "b": [DAMAGED], "c": [DAMAGED]}
    assert store.size(good.pk) == 100_000
    assert store.size(flipped.pk) is store.size(cut.pk) is None
    assert a_whole_pass(clock, shared) == 0


@pytest.mark.parametrize("hours", [1, 2, 30])
def test_every_file_is_read_once_within_its_life(
    clock: Clock,
    shared: Shared,
    set_env: SetEnv,
    monkeypatch: pytest.MonkeyPatch,
    hours: int,
) -> None:
    life = timedelta(hours=hours)
    set_env(artifact_ttl=life)
    story = make_story()
    ids = {make_artifact(story, position=n).pk for n in range(1, 60)}
    for edge in (UUID(int=0), UUID(int=(1 << 128) - 1)):
        artifact = make_artifact(story, position=edge.int % 7 + 90)
        Artifact.objects.filter(pk=artifact.pk).update(id=edge)
        ids.add(edge)
    read: Counter[UUID] = Counter()

    def note(_self: Scrub, artifact: Artifact) -> int:
        read[artifact.pk] += 1
        return 0

    monkeypatch.setattr(Scrub, "_read", note)
    shared.position = ScrubPosition(0x7 << 124, clock.now)
    workers = [Scrub(clock, clock.sleep) for _ in range(3)]
    until = clock.now + min(life.total_seconds(), scrub.LONGEST_PASS.total_seconds())
    step = 60.0 if hours < 30 else 600.0
    number = 0
    while clock.now < until:
        clock.now += step * (3 if number % 10 == 0 else 1)  # one that came late is made up for
        assert workers[number % 3].run() == 0
        number += 1
    assert set(read) == ids
    assert max(read.values()) <= 2


def test_one_worker_reads_at_a_time(clock: Clock, shared: Shared, artifacts: Path) -> None:
    file = make_artifact(content=b"x")
    flip_a_bit(path_of(artifacts, file))
    shared.holder = "another"
    assert a_whole_pass(clock, shared) == 0
    shared.release("scrub")
    assert a_whole_pass(clock, shared) == 1
    assert shared.holder == ""


def test_it_reads_no_faster_than_it_may(clock: Clock, shared: Shared) -> None:
    for _ in range(4):
        make_artifact(content=bytes(5_000_000))
    a_whole_pass(clock, shared)
    assert clock.slept == pytest.approx(20_000_000 / scrub.BYTES_PER_S)


def test_what_is_one_file_on_the_disk_is_read_once_while_its_first_row_is_there(
    clock: Clock, shared: Shared
) -> None:
    first = make_artifact(content=bytes(1000))
    for _ in range(3):
        linked = make_artifact(size_bytes=1000, sha256=first.sha256, content_id=first.pk)
        shard = folder_store.shard
        with shard(first.pk) as (source, name), shard(linked.pk, make=True) as target:
            os.link(name, target[1], src_dir_fd=source, dst_dir_fd=target[0])
    a_whole_pass(clock, shared)
    assert clock.slept == pytest.approx(1000 / scrub.BYTES_PER_S)
    Artifact.objects.filter(pk=first.pk).update(removed_at=first.created_at)
    a_whole_pass(clock, shared)
    assert clock.slept == pytest.approx(4000 / scrub.BYTES_PER_S)


def test_a_process_that_ends_stops_between_two_pieces(clock: Clock, shared: Shared) -> None:
    make_artifact(content=bytes(10 * damage.CHUNK_BYTES))

    def sleep(_seconds: float) -> None:
        shutdown.shutdown_requested.set()

    shared.position = ScrubPosition(0, 0.0)
    with pytest.raises(ShutdownRequested):
        Scrub(clock, sleep).run()
    assert shared.holder == "", "another worker goes on"
    assert shared.position.id == 0, "with the file that was not read"


def test_what_was_read_before_the_end_is_not_read_again(clock: Clock, shared: Shared) -> None:
    first, _second = sorted((make_artifact(content=b"x") for _ in range(2)), key=lambda f: f.pk.int)
    shared.position = ScrubPosition(0, clock.now - 10 * scrub.pass_s())

    def sleep(_seconds: float) -> None:  # while the first is read
        shutdown.shutdown_requested.set()

    with pytest.raises(ShutdownRequested):
        Scrub(clock, sleep).run()
    assert shared.position.id == first.pk.int


def test_a_file_deleted_this_moment_is_not_called_damaged(clock: Clock, shared: Shared) -> None:
    store.remove(make_artifact(content=b"x", name="a").pk)
    assert a_whole_pass(clock, shared) == 0
    assert fates() == {"a": []}


def test_more_files_than_are_looked_up_at_once(
    artifacts: Path, clock: Clock, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrub, "BATCH", 2)
    for number in range(5):
        flip_a_bit(path_of(artifacts, make_artifact(content=bytes([number]) * 100)))
    assert a_whole_pass(clock, shared) == 5


def test_the_task_ends_quietly_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise ShutdownRequested

    monkeypatch.setattr(scrub.scrub, "run", stop)
    tasks.scrub()


def test_a_lost_block_is_damage_and_a_disk_that_fails_is_none(
    clock: Clock, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_artifact(content=b"x", name="a")

    def lost(*_: Any) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(damage, "is_whole", lost)
    with monkeypatch.context() as failing:
        failing.setattr(disk, "probe_write", lost)
        assert a_whole_pass(clock, shared) == 0
        assert store.size(file.pk) == 1
    assert a_whole_pass(clock, shared) == 1
    assert fates() == {"a": [DAMAGED]}


def test_a_disk_that_was_reset_loses_no_file(
    clock: Clock, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails for some seconds, in which a byte that is written goes to memory alone."""
    file = make_artifact(content=b"x", name="a")
    is_whole, over_at = damage.is_whole, clock() + 20

    def failing(*arguments: Any) -> bool:
        if clock() < over_at:
            raise OSError(errno.EIO, "Input/output error")
        return is_whole(*arguments)

    monkeypatch.setattr(damage, "is_whole", failing)
    assert a_whole_pass(clock, shared) == 0
    assert clock() >= over_at
    assert store.size(file.pk) == 1
    assert fates() == {"a": []}


def test_one_that_cannot_be_opened_does_not_keep_the_others_from_being_read(
    clock: Clock, shared: Shared, artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [make_artifact(content=b"x", name=f"{n}") for n in range(3)]
    first, *others = sorted(files, key=lambda file: file.pk.int)
    for file in others:
        flip_a_bit(path_of(artifacts, file))
    is_whole = damage.is_whole

    def forbidden(file: Any, artifact: Artifact, pause: Any) -> bool:
        if artifact.pk == first.pk:
            raise PermissionError(errno.EACCES, "Permission denied")
        return is_whole(file, artifact, pause)

    monkeypatch.setattr(damage, "is_whole", forbidden)
    assert a_whole_pass(clock, shared) == 2
    assert fates()[first.name] == []


def test_a_folder_that_is_away_is_left_alone(
    clock: Clock, shared: Shared, artifacts: Path, tmp_path: Path
) -> None:
    make_artifact(content=b"x", name="a")
    artifacts.rename(tmp_path / "elsewhere")
    artifacts.mkdir()
    assert a_whole_pass(clock, shared) == 0
    assert fates() == {"a": []}
    assert list(artifacts.iterdir()) == []


def test_without_redis_nothing_is_read(clock: Clock, shared: Shared, artifacts: Path) -> None:
    flip_a_bit(path_of(artifacts, make_artifact(content=b"x")))
    shared.up = False
    assert a_whole_pass(clock, shared) == 0


@pytest.mark.parametrize("jump_s", [-86_400.0, 86_400.0])
def test_a_clock_that_was_set_leads_to_no_more_than_one_pass(
    clock: Clock, shared: Shared, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    ids = [make_artifact(content=b"x").pk for _ in range(5)]
    read: list[UUID] = []

    def note(_self: Scrub, artifact: Artifact) -> int:
        read.append(artifact.pk)
        return 0

    monkeypatch.setattr(Scrub, "_read", note)
    shared.position = ScrubPosition(0, clock.now - jump_s)
    Scrub(clock, clock.sleep).run()
    assert len(read) == len(set(read)) <= len(ids)
    assert shared.position.at == clock.now
