"""Accounts: ids, and files that differ."""

from __future__ import annotations

import hashlib

from tests.fake_tiktok import Account


def test_ids_are_snowflakes(alice: Account) -> None:
    story = alice.photo(ago_s=100)
    assert int(story.id) >> 32 == int(story.created)


def test_files_made_alike_still_differ(alice: Account) -> None:
    files = [alice.video(label="same").files[0] for _ in range(3)]
    files += [alice.photo(label="same").files[0] for _ in range(3)]
    assert len({hashlib.sha256(file.body).digest() for file in files}) == 6
    assert len({file.etag for file in files}) == 6
