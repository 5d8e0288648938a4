"""The pack in use, of the whole process: the built-in one until another one is put in its place."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

from stories.protocol.pack import Pack
from stories.protocol.parsing import parse

T = TypeVar("T")

_BUILT_IN = Path(__file__).with_name("builtin.json")


@cache
def built_in_text() -> bytes:
    """The built-in document."""
    return _BUILT_IN.read_bytes()


@cache
def built_in() -> Pack:
    """The built-in pack: what the program knows by itself."""
    return parse(built_in_text(), None)


class _InUse:
    """Held in an object, so that a swap is one assignment that every module sees."""

    pack: Pack | None = None


def current() -> Pack:
    """The pack in use."""
    return _InUse.pack or built_in()


def use(pack: Pack | None) -> None:
    """Put a pack in place of the one in use; None for the built-in one.

    What is under way goes on with either: each table is taken whole from one of them.
    """
    _InUse.pack = pack


class _PerPack(Generic[T]):
    """A table made from the pack in use, once for each pack."""

    def __init__(self, make: Callable[[Pack], T]) -> None:
        self._make = make
        self._made: tuple[Pack, T] | None = None
        self.__doc__ = make.__doc__

    def __call__(self) -> T:
        pack, made = current(), self._made
        if made is None or made[0] is not pack:
            # Two threads may make it twice: each has one that is whole.
            made = self._made = (pack, self._make(pack))
        return made[1]


def per_pack(make: Callable[[Pack], T]) -> Callable[[], T]:
    """A function without arguments for one that makes a table from a pack."""
    return _PerPack(make)
