"""Targets for fuzzing: each takes any bytes, and fails only by raising what is not ours.

A target is a Target: a name, a few inputs to begin with, and a function of bytes. Time and memory
of one input are bounded by whoever runs it (tests/attack/fuzz.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Something that reads what strangers send. seeds: whole inputs that it accepts.

    most_bytes: of an input; larger ones find nothing more and take longer.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    most_bytes: int = 4096
