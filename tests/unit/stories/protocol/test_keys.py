"""The public keys that count."""

from __future__ import annotations

import pytest

from stories.protocol.keys import PROJECT_KEYS, key_id, read_key, trusted_keys
from tests import packs


def test_the_keys_in_the_code_are_keys_and_one_more_can_be_added() -> None:
    keys = trusted_keys()
    assert len(keys) == len(PROJECT_KEYS) >= 1
    more = trusted_keys([packs.PUBLIC_TEXT])
    assert more == {**keys, key_id(packs.PUBLIC): packs.PUBLIC}
    assert all(len(key) == 32 and key_id(key) == name for name, key in more.items())


def test_the_key_of_the_tests_is_trusted_nowhere() -> None:
    assert key_id(packs.PUBLIC) not in trusted_keys()


@pytest.mark.parametrize("text", ["", "abc", "AAAA", packs.PUBLIC_TEXT[:-4], "ä" * 44, "=" * 44])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write the public key as"):
        read_key(text)


def test_space_around_a_key_does_not_matter() -> None:
    assert read_key(f" {packs.PUBLIC_TEXT}\n") == packs.PUBLIC
