"""Memory a process has freed and its allocator keeps: given back to the system when work ends.

A fetch takes frames, pictures and buffers of all sizes. Freed, they leave holes that glibc keeps
for the next ones: measured, a third of what a worker holds for hours after its last line. Other
systems' allocators (musl, macOS) are left alone.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Any


def _allocator_trim() -> Any:
    """glibc's `malloc_trim`; None where there is none."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return trim


_trim = _allocator_trim()


class _Work:
    """Whether something ran since memory was last given back."""

    has_ended = False


def work_ended() -> None:
    """Note that a piece of work has ended, and may have left memory behind. Costs nothing."""
    _Work.has_ended = True


def give_back() -> bool:
    """Give freed memory back if work has ended since the last time; whether there was any to look
    at. Takes some milliseconds, in which other threads run."""
    if not _Work.has_ended or _trim is None:
        return False
    _Work.has_ended = False
    _trim(0)
    return True


def freeze() -> None:
    """Hide what is loaded by now from the garbage collector: it stays until the process ends."""
    gc.collect()
    gc.freeze()
