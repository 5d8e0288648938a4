"""`manage.py fetch` cut short by a signal, or killed: nothing is left half-written."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import eventually
from tests.integration.shell import Shell, digest, shapes


@pytest.fixture
def shell(tmp_path: Path, proxy: FakeProxy, tiktok: FakeTikTok) -> Shell:
    return Shell(tmp_path, proxy)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("zipped", [False, True], ids=["loose", "zip"])
def test_a_signal_leaves_nothing_half_written(
    shell: Shell,
    tiktok: FakeTikTok,
    slowly: Callable[[float], None],
    number: signal.Signals,
    zipped: bool,
) -> None:
    alice = tiktok.account("alice")
    alice.photo()
    alice.video(seconds=2, min_bytes=6_000_000)
    slowly(300_000)
    shell.out.mkdir()
    (shell.out / "mine.txt").write_text("mine")
    process = shell.start("@alice", "--json", *(["--zip"] if zipped else []))
    # The picture is complete while the video still arrives.
    if zipped:
        eventually(lambda: len(list(shell.out.glob(".storykeep-*/*.part"))) == 2)
        eventually(lambda: _arrived(shell.out) > 500_000)
    else:
        eventually(lambda: any(shell.out.glob("*.jpg")))
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    assert "interrupted" in err
    told = json.loads(out)
    files = [file for story in told["items"][0]["stories"] for file in story["files"]]
    if zipped:
        assert (told["state"], files) == ("cancelled", [])
        assert shell.files() == ["mine.txt"]
    else:
        assert told["items"][0]["state"] == "partial"
        assert [digest(Path(file["path"])) for file in files] == [file["sha256"] for file in files]
        assert shapes(shell.files()) == ["alice_….jpg", "alice_…_story.json", "mine.txt"]
    assert not list(shell.out.glob(".*"))


def _arrived(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob(".storykeep-*/*.part"))


def test_what_a_killed_run_left_is_cleared_by_the_next(
    shell: Shell, tiktok: FakeTikTok, slowly: Callable[[float], None]
) -> None:
    tiktok.account("alice").video(seconds=2, min_bytes=6_000_000)
    slowly(300_000)
    killed = shell.start("@alice")
    eventually(lambda: _arrived(shell.out) > 0)
    killed.kill()
    killed.communicate()
    (left,) = shell.out.glob(".storykeep-*")
    slowly(0)
    long_ago = time.time() - 3600
    os.utime(left, (long_ago, long_ago))
    assert shell.fetch("@alice").returncode == 0
    assert not list(shell.out.glob(".*"))
