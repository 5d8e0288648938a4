"""What a benchmark reads from /proc."""

from __future__ import annotations

import os
import sys

import pytest

from benchmarks import meters

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/usr/bin/redis-server *:0 --port 0", "redis"),
        ("/usr/bin/valkey-server unixsocket:/run/redis.sock", "redis"),
        ("python -m gunicorn webapp.wsgi --bind 127.0.0.1:8000", "web"),
        ("python -m webapp.web --port 8000", "web"),
        ("python -m webapp.worker --concurrency 10", "worker"),
        ("python -m webapp.scheduler", "scheduler"),
        ("python -m something", "python -m something"),
    ],
)
def test_parts_are_known_by_their_command_lines(command: str, name: str) -> None:
    assert meters.name_of(command) == name


def test_a_part_that_was_started_anew_counts_from_zero() -> None:
    before = {"web": 5.0, "worker": 7.0}
    after = {"web": 6.5, "worker": 1.0, "redis": 0.25}
    assert meters.growth(before, after) == {"web": 1.5, "worker": 1.0, "redis": 0.25}


def test_a_process_has_memory_and_has_used_the_cpu() -> None:
    own = os.getpid()
    assert meters.pss_mib(own) > 1
    assert 0 < meters.cpu_s(own, alone=True) <= meters.cpu_s(own) <= meters.machine_cpu_s()
    assert own in meters.family(own)
