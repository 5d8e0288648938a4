"""Memory a process has freed: kept while it works, given back to the system when work ends.

A fetch takes frames, pictures and buffers of all sizes. Freed, they leave holes that glibc keeps
for the next ones: measured, a third of what a worker holds for hours after its last line. To
have each of them come from the system anew costs time instead, a fifth of what decoding takes.
Other systems' allocators (musl, macOS) are left alone.
"""

from __future__ import annotations

import ctypes
import gc
import os
import threading
from contextlib import suppress
from typing import Any, Final

KEPT_BYTES: Final = 32 * 1024 * 1024
"""What is free at the end of an arena, and larger than this, goes at once: some frames of a video.
It is the most that glibc takes for single blocks as well."""
ARENAS: Final = 2
"""Parts of glibc's heap, each for some of the threads."""
# glibc's names in malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LITTLE_BYTES: Final = 128 * 1024


class _Allocator:
    """glibc's. Raises AttributeError, OSError or TypeError where there is another one."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self.trim: Any = library.malloc_trim
        self.trim.argtypes, self.trim.restype = [ctypes.c_size_t], ctypes.c_int
        self.set_option: Any = library.mallopt


def _find_allocator() -> _Allocator | None:
    try:
        return _Allocator()
    except (AttributeError, OSError, TypeError):
        return None


_allocator = _find_allocator()


class _Work:
    """Whether something ran since memory was last given back. keeps: freed memory, meanwhile."""

    has_ended = False
    keeps = False


def resident_bytes() -> int | None:
    """Bytes of memory this process holds; None where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (every few seconds)
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def keep_meanwhile() -> None:
    """Have this process keep what it frees until it is given back: for one that decodes.

    To be called before there are threads.
    """
    if _allocator is not None:
        _Work.keeps = True
        _allocator.set_option(_M_ARENA_MAX, ARENAS)
        _allocator.set_option(_M_MMAP_THRESHOLD, KEPT_BYTES)
        _allocator.set_option(_M_TRIM_THRESHOLD, KEPT_BYTES)


def work_ended() -> None:
    """Note that a piece of work has ended, and may have left memory behind. Costs nothing."""
    _Work.has_ended = True


def give_back() -> bool:
    """Give freed memory back if work has ended since the last time; whether there was any to look
    at. Takes some milliseconds, in which other threads run."""
    if not _Work.has_ended or _allocator is None:
        return False
    _Work.has_ended = False
    if not _Work.keeps:
        _allocator.trim(0)
        return True
    _allocator.set_option(_M_TRIM_THRESHOLD, _LITTLE_BYTES)
    try:
        _shrink_arenas()
        _allocator.trim(0)
    finally:
        _allocator.set_option(_M_TRIM_THRESHOLD, KEPT_BYTES)
    return True


def _shrink_arenas() -> None:
    """Have each arena look how much is free at its end, which trimming does for the first alone.

    It looks when a block of some size is freed there, and new threads go to the arenas by turns.
    """
    threads = [threading.Thread(target=_free_a_block) for _ in range(2 * ARENAS)]
    with suppress(RuntimeError):  # no more threads are to be had, so that others have the memory
        for thread in threads:
            thread.start()
    for thread in threads:
        if thread.ident is not None:
            thread.join()


def _free_a_block() -> None:
    bytearray(_LITTLE_BYTES)


def freeze() -> None:
    """Hide what is loaded by now from the garbage collector: it stays until the process ends."""
    gc.collect()
    gc.freeze()
