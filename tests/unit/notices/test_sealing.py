"""Addresses and secrets in the database."""

from __future__ import annotations

from typing import Any

import pytest

from notices.sealing import Unreadable, seal, unseal


def test_what_was_sealed_is_read_and_cannot_be_read_off() -> None:
    sealed = seal("ntfys://user:hush@ntfy.example.org/family")
    assert "hush" not in sealed
    assert unseal(sealed) == "ntfys://user:hush@ntfy.example.org/family"
    assert seal("a") != seal("a")


def test_it_is_of_no_use_for_anything_else() -> None:
    sealed = seal("hush", "immich 1")
    assert unseal(sealed, "immich 1") == "hush"
    for other in ("immich 2", ""):
        with pytest.raises(Unreadable):
            unseal(sealed, other)


def test_with_another_secret_key_it_is_lost(settings: Any) -> None:
    sealed = seal("hush")
    settings.SECRET_KEY = "another key, of more than thirty-two characters"
    with pytest.raises(Unreadable):
        unseal(sealed)


@pytest.mark.parametrize("text", ["", "hush", "gAAAAA", "é"])
def test_what_was_never_sealed_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        unseal(text)
