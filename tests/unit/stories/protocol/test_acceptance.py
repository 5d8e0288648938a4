"""Which signed packs are taken, and what is said about them."""

from __future__ import annotations

import pytest

from stories.protocol.acceptance import (
    Differences,
    check_newer,
    differences,
    differences_of,
    read_signed,
)
from stories.protocol.current import built_in, built_in_text
from stories.protocol.pack import Version
from stories.protocol.parsing import parse
from stories.protocol.reading import PackRefused
from tests import packs


def test_a_signed_pack_is_read() -> None:
    pack = read_signed(packs.signed(), keys=packs.KEYS, app="0.2.0")
    assert str(pack.version) == packs.NEWER


@pytest.mark.parametrize(
    ("needs", "app", "taken"),
    [
        ("0.2.0", "0.2.0", True),
        ("0.2", "0.2.0", True),
        ("0.10.0", "0.9.9", False),
        ("1.0.0", "0.9.9", False),
        ("0.9.9", "1.0.0", True),
    ],
)
def test_a_pack_may_need_a_newer_program(needs: str, app: str, *, taken: bool) -> None:
    envelope = packs.signed(lambda facts: facts.update(minimum_app=needs))
    if taken:
        assert read_signed(envelope, keys=packs.KEYS, app=app)
        return
    with pytest.raises(PackRefused, match=f"it needs Storykeep {needs}") as caught:
        read_signed(envelope, keys=packs.KEYS, app=app)
    assert caught.value.reason == "newer_app"


@pytest.mark.parametrize(
    ("version", "in_use", "reason"),
    [
        ("2030-01-01.2", "2030-01-01.1", None),
        ("2030-01-01.10", "2030-01-01.9", None),
        ("2030-01-01.1", "2030-01-01.1", "same"),
        ("2030-01-01.9", "2030-01-01.10", "older"),
        ("2020-01-01.1", "2019-01-01.1", "older_than_built_in"),
        (str(built_in().version), "2019-01-01.1", "older_than_built_in"),
    ],
)
def test_only_a_newer_pack_is_taken(version: str, in_use: str, reason: str | None) -> None:
    pack = parse(packs.text(version=version), built_in())
    day, _, number = in_use.rpartition(".")
    if reason is None:
        check_newer(pack, Version(day, int(number)))
        return
    with pytest.raises(PackRefused) as caught:
        check_newer(pack, Version(day, int(number)))
    assert caught.value.reason == reason


def test_what_a_pack_says_otherwise_is_counted() -> None:
    def change(facts: dict[str, object]) -> None:
        facts["hosts"]["media"] = [*facts["hosts"]["media"][1:], "byteicdn.com"]  # type: ignore[index]
        facts["codes"]["items"]["numbers"]["10204"] = "withheld"  # type: ignore[index]

    found = differences(packs.signed(change), packs.KEYS)
    assert found == Differences(
        added=("hosts.media[byteicdn.com]",),
        changed=("codes.items.numbers.10204",),
        removed=("hosts.media[tiktok.com]",),
    )
    assert found.count == 3
    assert differences_of(built_in_text()).count == 0
