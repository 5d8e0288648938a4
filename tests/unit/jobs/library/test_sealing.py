"""A key is encrypted for its member, and for this instance alone."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.library import sealing
from jobs.library.sealing import Unreadable


def test_what_was_sealed_is_read_again() -> None:
    stored = sealing.seal("a key of Immich's", 1)
    assert "key" not in stored
    assert sealing.open_sealed(stored, 1) == "a key of Immich's"
    assert stored != sealing.seal("a key of Immich's", 1)


def test_it_is_of_no_use_to_another_member() -> None:
    with pytest.raises(Unreadable):
        sealing.open_sealed(sealing.seal("a key", 1), 2)


def test_another_secret_key_reads_nothing(settings: Any) -> None:
    stored = sealing.seal("a key", 1)
    settings.SECRET_KEY = "another key" * 5
    with pytest.raises(Unreadable):
        sealing.open_sealed(stored, 1)


@pytest.mark.parametrize("stored", ["", "1.", "1.AAAA", "2.x", "1.é", "1." + "A" * 100])
def test_what_is_damaged_is_not_read(stored: str) -> None:
    with pytest.raises(Unreadable):
        sealing.open_sealed(stored, 1)
