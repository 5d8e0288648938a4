"""Freed memory goes back to the system once work has ended, and nothing happens elsewhere."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from celery import signals

from jobs.queue import routing
from webapp import celery
from webapp.processes import memory, side_queue


@pytest.fixture
def trims(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the allocator was asked to keep, each time it was asked to give memory back."""
    trims: list[int] = []
    monkeypatch.setattr(memory, "_allocator", SimpleNamespace(trim=trims.append))
    monkeypatch.setattr(memory._Work, "has_ended", False)
    return trims


def test_memory_is_given_back_once_after_work_has_ended(trims: list[int]) -> None:
    assert not memory.give_back()
    memory.work_ended()
    memory.work_ended()
    assert memory.give_back()
    assert not memory.give_back()
    assert trims == [0]


def test_a_line_that_ended_counts_as_work(trims: list[int]) -> None:
    assert celery.app
    signals.task_postrun.send(sender=None)
    assert memory.give_back()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "counts"), [(routing.PACK_PACKAGE, True), (routing.REPAIR, False)]
)
def test_a_zip_counts_and_a_repair_of_every_few_seconds_does_not(
    trims: list[int], monkeypatch: pytest.MonkeyPatch, name: str, counts: bool
) -> None:
    monkeypatch.setitem(celery.app.tasks, name, lambda *_args: None)
    side_queue._run(name, [])
    assert memory.give_back() is counts


@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError])
def test_an_allocator_of_another_kind_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def no_library(_name: str | None) -> None:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    monkeypatch.setattr(memory, "_allocator", memory._find_allocator())
    memory.keep_meanwhile()
    memory.work_ended()
    assert memory._allocator is None
    assert not memory.give_back()


@pytest.mark.parametrize("threads_left", [0, 1, 9])
def test_what_is_kept_meanwhile_is_kept_again_whatever_happens(
    trims: list[int], monkeypatch: pytest.MonkeyPatch, threads_left: int
) -> None:
    options: list[tuple[int, int]] = []
    memory._allocator.set_option = lambda *option: options.append(option)  # type: ignore[union-attr]
    monkeypatch.setattr(memory._Work, "keeps", False)
    memory.keep_meanwhile()
    kept = options[-1]
    started, start = list[threading.Thread](), threading.Thread.start

    def scarce(thread: threading.Thread) -> None:
        if len(started) == threads_left:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    memory.work_ended()
    assert memory.give_back()
    assert trims == [0]
    assert options[-1] == kept
    assert options[-2] < kept


_ALLOCATE = """
import threading
from pathlib import Path
from webapp.processes import memory

def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

def work():
    blocks = [bytearray(b"x" * 300_000) for _ in range(16)]
    barrier.wait()  # all of them at once, so that every arena grows

memory.keep_meanwhile()
barrier = threading.Barrier(4)
before = resident_mib()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
memory.work_ended()
kept = resident_mib() - before
memory.give_back()
print(kept, resident_mib() - before)
"""


@pytest.mark.skipif(memory._find_allocator() is None, reason="glibc's allocator alone")
def test_what_is_freed_is_kept_while_work_goes_on_and_given_back_by_every_arena() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ALLOCATE], capture_output=True, text=True, check=True
    )
    kept, left = map(float, done.stdout.split())
    assert kept > 2 * left
    assert left < 4


def test_what_is_loaded_is_hidden_from_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: calls.append("collect"))
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))
    memory.freeze()
    assert calls == ["collect", "freeze"]
