"""A draft: discarded unless it was kept, and closed only when nobody works on it any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from stories.workspace import Draft
from tests.unit.stories.harvests import Folder

pytestmark = pytest.mark.anyio


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def test_a_draft_that_was_not_kept_is_discarded(
    folder: Folder, threads: ThreadPoolExecutor
) -> None:
    with Draft(folder, threads) as draft:
        draft.file.write(b"half")
    assert folder.discarded == [draft.key]
    assert draft.file.closed


def test_an_error_discards_the_draft_and_goes_on(
    folder: Folder, threads: ThreadPoolExecutor
) -> None:
    with pytest.raises(RuntimeError, match="midway"), Draft(folder, threads) as draft:
        raise RuntimeError("midway")
    assert folder.discarded == [draft.key]
    assert draft.file.closed


def test_a_draft_that_was_kept_stays_whatever_comes_after(
    folder: Folder, threads: ThreadPoolExecutor
) -> None:
    draft = Draft(folder, threads)
    draft.file.write(b"whole")
    draft.keep()
    with pytest.raises(RuntimeError, match="later"), draft:
        raise RuntimeError("later")
    assert folder.discarded == []
    assert folder.files[draft.key].content == b"whole"
    assert draft.file.closed


async def test_work_runs_in_a_thread_and_its_result_and_error_come_back(
    folder: Folder, threads: ThreadPoolExecutor
) -> None:
    def fail() -> None:
        raise OSError("disk full")

    with Draft(folder, threads) as draft:
        assert await draft.run(threading.get_ident) != threading.get_ident()
        with pytest.raises(OSError, match="disk full"):
            await draft.run(fail)
    assert draft.file.closed, "work that failed is done as well"


async def test_two_drafts_stay_open_for_the_work_that_reads_one_and_writes_the_other(
    folder: Folder, threads: ThreadPoolExecutor
) -> None:
    started, release = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        release.wait(10)

    with Draft(folder, threads) as source, Draft(folder, threads) as target:
        running = asyncio.create_task(source.run(work, also=(target,)))
        await asyncio.to_thread(started.wait, 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert sorted(folder.discarded) == sorted([source.key, target.key])
    assert [draft.file.closed for draft in (source, target)] == [False, False]
    release.set()
    threads.shutdown()
    assert [draft.file.closed for draft in (source, target)] == [True, True]


def test_work_that_is_done_holds_no_file_open(folder: Folder, threads: ThreadPoolExecutor) -> None:
    done: Future[None] = Future()
    done.set_result(None)
    with Draft(folder, threads) as draft:
        draft.keep_open_for(done)
    assert draft.file.closed


def test_a_file_reserves_what_it_has_not_reserved_yet(
    folder: Folder, threads: ThreadPoolExecutor
) -> None:
    with Draft(folder, threads) as draft:
        for size_bytes in (8, 16, 16, 5, 24):
            draft.reserve(size_bytes)
    assert folder.reserved == [8, 8, 8]


def test_room_that_was_refused_is_not_taken_for_reserved(
    folder: Folder, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(size_bytes: int, key: str) -> None:
        raise MemoryError(size_bytes)

    with Draft(folder, threads) as draft:
        with monkeypatch.context() as full:
            full.setattr(folder, "reserve", refuse)
            with pytest.raises(MemoryError):
                draft.reserve(10)
        draft.reserve(10)
    assert folder.reserved == [10]
