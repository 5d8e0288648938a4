"""A Redis that is far away: everything takes longer, and nothing goes wrong."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.chaos import machine
from tests.chaos.conftest import Start
from tests.chaos.ledger import Ledger
from tests.chaos.machine import eventually
from tests.chaos.phases import populate
from tests.chaos.relay import Relay, relay_to
from tests.fake_tiktok import FakeTikTok
from webapp.processes import redis_server

DELAY_S = 0.15


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A relay to a Redis of our own, on a port."""
    port = machine.free_port()
    command = [redis_server.find().path, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    with relay_to(port) as running:
        yield running
    server.kill()
    server.wait()


def test_a_redis_that_takes_a_third_of_a_second_for_each_answer(
    relay: Relay, start: Start, tiktok: FakeTikTok
) -> None:
    instance = start(redis_url=f"redis://127.0.0.1:{relay.port}/0")
    ledger = Ledger(instance, tiktok)
    relay.delay_s = DELAY_S
    for number, name in enumerate(instance.people):
        ledger.submit(name, *(populate(ledger, f"author{number}.{line}") for line in range(3)))
    ledger.settled()
    relay.delay_s = 0.0
    assert eventually(instance.is_ready)
    assert " died " not in instance.output
    ledger.check()
