"""The pack in use, and the tables made from it."""

from __future__ import annotations

import sys
import threading

from stories.protocol.current import built_in, current, per_pack, use
from stories.protocol.pack import Pack
from stories.protocol.parsing import parse
from tests import packs


def other() -> Pack:
    return parse(packs.text(), built_in())


def test_without_another_the_built_in_pack_is_in_use() -> None:
    assert current() is built_in()
    pack = other()
    use(pack)
    assert current() is pack
    use(None)
    assert current() is built_in()


def test_a_table_is_made_once_for_each_pack() -> None:
    made: list[Pack] = []

    @per_pack
    def version(pack: Pack) -> str:
        """The version."""
        made.append(pack)
        return str(pack.version)

    assert [version(), version()] == ["2026-11-30.1"] * 2
    pack = other()
    use(pack)
    assert [version(), version()] == [packs.NEWER] * 2
    use(None)
    assert version() == "2026-11-30.1"
    assert made == [built_in(), pack, built_in()]
    assert version.__doc__ == "The version."


def test_threads_never_see_a_table_of_two_packs() -> None:
    @per_pack
    def pair(pack: Pack) -> tuple[Pack, str]:
        return pack, str(pack.version)

    packs_in_turn, wrong, ended = [built_in(), other()], [], threading.Event()

    def read() -> None:
        while not ended.is_set():
            pack, version = pair()
            if str(pack.version) != version:
                wrong.append(version)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for turn in range(2000):
        use(packs_in_turn[turn % 2])
    ended.set()
    for reader in readers:
        reader.join()
    sys.setswitchinterval(before)
    assert wrong == []
