"""A mirror that hardly sends, over real connections."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.shell import Shell, digest


@pytest.fixture
def shell(tmp_path: Path, proxy: FakeProxy, tiktok: FakeTikTok) -> Shell:
    return Shell(tmp_path, proxy)


@pytest.mark.parametrize("both", [False, True], ids=["one of two", "both, the second less"])
def test_a_mirror_at_a_kibibyte_per_second_is_left(
    shell: Shell, tiktok: FakeTikTok, both: bool
) -> None:
    clip = tiktok.account("alice").video(seconds=2, min_bytes=150_000)
    thing = clip.files[0]
    tiktok.fault({"host": "v16-"}, "slow", bytes_per_s=1024)
    if both:
        tiktok.fault({"host": "v19-"}, "slow", bytes_per_s=15_000)
    done = shell.fetch("@alice")
    assert done.returncode == 0, done.stderr
    saved = {digest(path) for path in shell.out.iterdir()}
    assert hashlib.sha256(thing.body).hexdigest() in saved
    asked = [(seen.host, seen.headers["range"]) for seen in tiktok.seen("video")]
    hosts = [host.partition("-")[0] for host, _ in asked]
    assert hosts[:2] == ["v16", "v19"], asked
    went_on = re.fullmatch(r"bytes=(\d+)-\d+", asked[1][1])
    assert went_on is not None
    assert int(went_on[1]) > 1000, "behind what the first one brought"
    assert hosts.count("v16") <= 2
