"""transfer_slots: the connections of a client, and whose turn it is."""

from __future__ import annotations

import asyncio

import pytest

from stories.config import MIB, ClientConfig
from stories.structures import MediaKind
from stories.transfer_slots import FileSlots, TransferSlots, is_large

pytestmark = pytest.mark.anyio


class Scene:
    """Files that take a slot, in the order in which they got it, until they are told to end."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def ask(self, slots: TransferSlots, *names: str, large: bool = False) -> None:
        """Have files ask for a slot, in this order."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._hold(slots, name, large=large))
        await settled()

    async def _hold(self, slots: TransferSlots, name: str, *, large: bool) -> None:
        async with slots.for_file(large=large):
            self.begun.append(name)
            await self._ends[name].wait()

    async def end(self, *names: str) -> None:
        """End files that have a slot."""
        for name in names:
            self._ends[name].set()
            await self._tasks[name]
        await settled()

    async def cancel(self, *names: str) -> None:
        """Cancel files, whether they have a slot or wait for one."""
        for name in names:
            self._tasks[name].cancel()
        await asyncio.gather(*(self._tasks[name] for name in names), return_exceptions=True)
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def scene() -> Scene:
    return Scene()


# --- turns ----------------------------------------------------------------------------------------


async def test_a_slot_is_taken_at_once_only_where_one_is_free() -> None:
    slots = TransferSlots(2)
    async with slots:
        taken = [await slots.try_acquire() for _ in range(2)]
    assert taken == [True, False]
    assert slots.available


async def test_a_line_of_many_files_does_not_keep_another_waiting(scene: Scene) -> None:
    slots = TransferSlots(2)
    many, few = slots.for_line(), slots.for_line()
    await scene.ask(many, "m1", "m2", "m3", "m4", "m5")
    await scene.ask(few, "photo")
    await scene.end("m1")
    assert scene.begun == ["m1", "m2", "photo"]
    await scene.end("m2")
    assert scene.begun == ["m1", "m2", "photo", "m3"]


async def test_lines_share_the_slots_evenly(scene: Scene) -> None:
    slots = TransferSlots(6)
    first, second, third = (slots.for_line() for _ in range(3))
    await scene.ask(first, *(f"a{n}" for n in range(12)))
    await scene.ask(second, *(f"b{n}" for n in range(12)))
    await scene.ask(third, *(f"c{n}" for n in range(12)))
    await scene.end(*(f"a{n}" for n in range(6)))
    assert sorted(scene.begun[6:]) == ["a6", "a7", "b0", "b1", "c0", "c1"]


async def test_a_large_video_does_not_keep_a_picture_of_the_same_line_waiting(scene: Scene) -> None:
    slots = TransferSlots(1)
    await scene.ask(slots, "v1", "v2", "v3", large=True)
    await scene.ask(slots, "p1", "p2")
    await scene.end("v1", "p1", "p2", "v2")
    assert scene.begun == ["v1", "p1", "p2", "v2", "v3"]


async def test_files_of_one_size_begin_in_the_order_of_the_list(scene: Scene) -> None:
    slots = TransferSlots(1)
    names = [f"{n:02}" for n in range(20)]
    await scene.ask(slots, *names)
    await scene.end(*names)
    assert scene.begun == names


async def test_a_file_that_is_cancelled_while_it_waits_is_passed_over(scene: Scene) -> None:
    slots = TransferSlots(1)
    await scene.ask(slots, "a", "b", "c")
    await scene.cancel("b")
    await scene.end("a")
    assert scene.begun == ["a", "c"]
    await scene.end("c")
    assert slots.available


async def test_a_file_that_is_cancelled_as_its_turn_comes_gives_it_on(scene: Scene) -> None:
    slots = TransferSlots(1)
    held = await slots.try_acquire()
    await scene.ask(slots, "a", "b", "c")
    slots.release()  # "a" may go, and has not run yet
    await scene.cancel("a", "b")
    assert held
    assert scene.begun == ["c"]
    await scene.cancel("c")
    assert slots.available


async def test_slots_are_lent_to_ranges_only_while_nobody_waits(scene: Scene) -> None:
    slots = TransferSlots(2)
    other = slots.for_line()
    await scene.ask(slots, "a")
    assert await other.try_acquire()
    await scene.ask(slots, "b")
    other.release()
    await settled()
    assert scene.begun == ["a", "b"]
    assert not await other.try_acquire()


# --- giving way -----------------------------------------------------------------------------------


class LargeFile:
    """A file of several ranges, which gives way before each of them, one at a time."""

    def __init__(self, slots: TransferSlots, scene: Scene) -> None:
        self._slots, self._scene = slots.for_file(large=True), scene
        self._next = asyncio.Semaphore(0)
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with self._slots:
            for number in range(3):
                await self._next.acquire()
                await self._slots.give_way()
                self._scene.begun.append(f"range {number}")

    async def step(self) -> None:
        """Go on to the next range, if it is its turn."""
        self._next.release()
        await settled()


@pytest.mark.parametrize("others", [0, 1], ids=["the only slot", "one of two"])
async def test_between_its_ranges_a_large_file_lets_another_line_go_first(
    scene: Scene, others: int
) -> None:
    slots = TransferSlots(1 + others)
    many, few = slots.for_line(), slots.for_line()
    await scene.ask(many, *["other"][:others])
    large = LargeFile(many, scene)
    await large.step()
    await scene.ask(few, "photo")
    await large.step()
    assert scene.begun[others:] == ["range 0", "photo"]
    await scene.end("photo")
    await large.step()
    assert scene.begun[others:] == ["range 0", "photo", "range 1", "range 2"]
    await large.task


async def test_a_file_that_gave_way_goes_on_before_those_that_were_not_begun(scene: Scene) -> None:
    slots = TransferSlots(1)
    large = LargeFile(slots, scene)
    await large.step()
    await scene.ask(slots, "later", large=True)
    await scene.ask(slots, "photo")
    await large.step()
    await scene.end("photo")
    await large.step()
    await settled()
    assert scene.begun == ["range 0", "photo", "range 1", "range 2", "later"]


async def test_nobody_gives_way_to_a_line_that_has_its_share(scene: Scene) -> None:
    slots = TransferSlots(2)
    first, second = slots.for_line(), slots.for_line()
    large = LargeFile(first, scene)
    await scene.ask(second, "s1", "s2")
    await large.step()
    assert scene.begun == ["s1", "range 0"]


async def test_a_file_that_is_cancelled_while_it_gives_way_holds_nothing(scene: Scene) -> None:
    slots = TransferSlots(1)
    large = LargeFile(slots, scene)
    await scene.ask(slots.for_line(), "photo")
    await large.step()
    large.task.cancel()
    await asyncio.gather(large.task, return_exceptions=True)
    assert scene.begun == ["photo"]
    assert not slots.available
    await scene.end("photo")
    assert slots.available


# --- open files -----------------------------------------------------------------------------------


async def test_a_line_leaves_as_many_open_files_to_others_as_it_has(scene: Scene) -> None:
    slots = FileSlots(12)
    first, second, third = (slots.for_line() for _ in range(3))
    await scene.ask(first, *(f"a{n}" for n in range(20)))
    assert len(scene.begun) == 6
    await scene.ask(second, *(f"b{n}" for n in range(20)))
    await scene.ask(third, "c0")
    assert [sum(name[0] == line for name in scene.begun) for line in "abc"] == [6, 3, 1]


async def test_the_last_free_place_is_taken_by_a_line_without_any(scene: Scene) -> None:
    slots = FileSlots(1)
    await scene.ask(slots.for_line(), "a")
    await scene.ask(slots.for_line(), "b")
    await scene.end("a")
    assert scene.begun == ["a", "b"]


# --- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "size_bytes", "large"),
    [
        (MediaKind.PICTURE, None, False),
        (MediaKind.SONG, None, False),
        (MediaKind.VIDEO, None, True),
        (MediaKind.VIDEO, 3 * MIB, False),
        (MediaKind.VIDEO, 3 * MIB + 1, True),
        (MediaKind.PICTURE, 9 * MIB, True),
    ],
)
def test_what_takes_several_requests_is_large(
    kind: MediaKind, size_bytes: int | None, large: bool
) -> None:
    assert is_large(ClientConfig(segment_bytes=2 * MIB), kind, size_bytes) is large
