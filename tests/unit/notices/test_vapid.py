"""The key that push messages are signed with."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from notices import vapid
from tests.unit.notices.receiving import unb64


def test_it_is_made_once_for_nobody_else_to_read(tmp_path: Path) -> None:
    assert vapid.find() is None
    key = vapid.find_or_make()
    assert vapid.find_or_make() == vapid.find() == key
    assert stat.S_IMODE((tmp_path / vapid.KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if "push-key" in path.name] == ["push-key"]
    point = unb64(key.public)
    assert (len(point), point[0]) == (65, 4)


def test_it_shows_its_private_half_nowhere() -> None:
    key = vapid.find_or_make()
    assert "PRIVATE" not in f"{key!r} {key}"
    assert key.public in repr(key)


def test_of_several_at_once_one_makes_it() -> None:
    keys: list[vapid.PushKey] = []
    start = threading.Barrier(8)

    def make() -> None:
        start.wait()
        keys.append(vapid.find_or_make())

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


@pytest.mark.parametrize("text", ["", "hello", "A" * 87, "A" * 87 + "\nhello", "é" * 90])
def test_a_file_that_holds_none_is_told_and_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / vapid.KEY_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(vapid.NoKey):
        vapid.find_or_make()
    assert (tmp_path / vapid.KEY_FILE).read_text(encoding="utf-8") == text


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / vapid.KEY_FILE).mkdir()
    with pytest.raises(vapid.NoKey):
        vapid.find_or_make()
