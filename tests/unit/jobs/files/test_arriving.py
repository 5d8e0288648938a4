"""Room for files that arrive from TikTok, when their size is announced and when it is not."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator

import pytest

from jobs.errors import DiskFull
from jobs.files import capacity
from jobs.files.workspace import Workspace
from stories.config import MIB
from stories.errors import TooLarge
from stories.events import FileReady, MediaFailed
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.accounts import FakeStory
from tests.fake_tiktok.iso_boxes import box
from tests.unit.stories.harvests import Log, client_of
from tests.unit.stories.harvests import saved as harvested

pytestmark = pytest.mark.django_db
SetEnv = Callable[..., None]


@pytest.fixture
def tiktok() -> FakeTikTok:
    return FakeTikTok()


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(f"{uuid.uuid4()}.1") as workspace:
        yield workspace


def large_video(tiktok: FakeTikTok) -> FakeStory:
    """A video of 24 MiB and one rendition."""
    alice = tiktok.account("alice")
    story = alice.video(2, low=False, watermark=False)
    (rendition,) = story.renditions
    alice.replace_body(rendition, rendition.thing.body + box(b"free", bytes(24 * MIB)))
    return story


def harvest(tiktok: FakeTikTok, workspace: Workspace, **limits: int) -> Log:
    async def run() -> Log:
        async with client_of(tiktok, **limits) as client:
            return await harvested(client, workspace, posters=False)  # type: ignore[arg-type]

    return asyncio.run(run())


def test_bytes_of_no_announced_length_are_counted_once(
    tiktok: FakeTikTok, workspace: Workspace, set_env: SetEnv
) -> None:
    tiktok.fault(large_video(tiktok), "chunked")
    set_env(disk_max=45_000_000)
    log = harvest(tiktok, workspace)
    assert [ready.size_bytes > 24 * MIB for ready in log.of(FileReady)] == [True]
    assert 24 * MIB < workspace.in_flight_bytes < 45_000_000


def test_an_endless_file_is_too_large_and_not_the_disk_full(
    tiktok: FakeTikTok, workspace: Workspace, set_env: SetEnv
) -> None:
    tiktok.fault(large_video(tiktok), "chunked", more=40 * MIB)
    set_env(disk_max=45_000_000)
    log = harvest(tiktok, workspace, max_video_bytes=32 * MIB)
    assert {type(failed.error) for failed in log.of(MediaFailed)} == {TooLarge}
    assert workspace.in_flight_bytes == 0


def test_where_there_is_no_room_for_it_the_disk_is_full(
    tiktok: FakeTikTok, workspace: Workspace, set_env: SetEnv
) -> None:
    tiktok.fault(large_video(tiktok), "chunked", more=40 * MIB)
    set_env(disk_max=45_000_000)
    log = harvest(tiktok, workspace)
    assert {type(failed.error) for failed in log.of(MediaFailed)} == {DiskFull}


def test_a_second_mirror_needs_no_more_room_than_the_first(
    tiktok: FakeTikTok, workspace: Workspace, set_env: SetEnv
) -> None:
    tiktok.fault(large_video(tiktok), "truncated", times=1)
    set_env(disk_max=45_000_000)
    assert len(harvest(tiktok, workspace).of(FileReady)) == 1


def test_what_was_reserved_for_a_file_that_broke_off_is_given_back(set_env: SetEnv) -> None:
    set_env(disk_max=1000)
    with Workspace("a.1") as one, Workspace("b.1") as other:
        kept, _file = one.create()
        one.reserve(100, kept)
        broken, _file = one.create()
        one.reserve(900, broken)
        one.discard(broken)
        assert one.in_flight_bytes == 100
        other.reserve(900)
        derived, file = one.create()
        with file:
            file.write(bytes(50))
        one.commit(derived, uuid.uuid4(), durable=False)
        assert one.in_flight_bytes == 100, "what another file reserved is not given back for it"
    assert capacity.reservations.last_count() >= 50
