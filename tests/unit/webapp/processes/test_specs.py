"""The command lines of the processes."""

from __future__ import annotations

from webapp.env import Env
from webapp.processes import pulse, specs
from webapp.processes.redis_server import RedisServer


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


def test_several_web_servers_are_named_apart_and_share_the_socket() -> None:
    several = specs.webs(env(web_processes=2))
    assert [(spec.name, spec.listens) for spec in several] == [("web-1", True), ("web-2", True)]
    assert len({spec.argv for spec in several}) == 1
    everyone = [spec.name for spec in specs.all_processes(env(redis_url=None, web_processes=2))]
    assert everyone == ["redis", "web-1", "web-2", "worker"]


def test_what_can_hang_is_watched() -> None:
    patience = {spec.name: spec.silent_after_s for spec in specs.all_processes(env(redis_url=None))}
    assert set(patience.values()) == {pulse.SILENT_AFTER_S}


def test_the_web_server_alone_is_given_the_socket() -> None:
    listening = [spec.name for spec in specs.all_processes(env(redis_url=None)) if spec.listens]
    assert listening == ["web"]


def test_a_redis_of_ones_own_is_left_alone() -> None:
    given = env(redis_url="redis://elsewhere")
    assert "redis" not in {spec.name for spec in specs.all_processes(given)}


def test_the_embedded_redis_is_the_server_it_is_given() -> None:
    server = RedisServer(path="/opt/valkey-server", name="Valkey", version="9.1.2", packaged=True)
    spec = specs.redis(env(), server)
    assert spec.argv[0] == "/opt/valkey-server"
    assert spec.expendable.endswith("/valkey-server-9.rdb")


def test_a_web_server_that_stands_alone_knows_its_address() -> None:
    argv = specs.web(env(bind="::1", port=8001)).argv
    assert argv[argv.index("--host") + 1] == "::1"
    assert argv[argv.index("--port") + 1] == "8001"
