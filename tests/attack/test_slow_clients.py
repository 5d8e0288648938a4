"""A thousand idle and a thousand dripping connections, slow bodies, two hundred slow phones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import eventually
from tests.integration.web_server import ANSWERED, Person, WebServer, web_server
from tests.slow_clients import (
    HALF_A_HEAD,
    read_all,
    sign_in_head,
    slow_clients,
    still_open,
)
from webapp.server import limits

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

WINDOW = 4096


@pytest.fixture
def person(transactional_db: None) -> Person:
    """Somebody with a job."""
    return Person()


@pytest.fixture
def server(person: Person, tmp_path: Path, proxy: FakeProxy) -> Iterator[WebServer]:
    """A web process that answers, with descriptors as a system of today gives them."""
    with web_server(tmp_path, proxy) as started:
        yield started


def test_two_thousand_slow_senders(server: WebServer, person: Person) -> None:
    with slow_clients(server.address) as slow:
        slow.connect(1000)
        slow.drip(1000)
        slow.connect(48, HALF_A_HEAD)
        slow.connect(60, sign_in_head(200) + b"login=")
        until = time.monotonic() + 2 * limits.HEAD_S
        while time.monotonic() < until:
            assert person.looks(server) == ANSWERED
            time.sleep(0.5)
        # By then each of them had its time.
        eventually(lambda: still_open(slow.all) == 0, within=30)
        answers = read_all(slow.all[1000:])
        assert {answer[:12] for answer in answers} == {b"HTTP/1.1 408"}
        assert read_all(slow.all[:1000]) == [b""] * 1000
    eventually(lambda: server.descriptors() < 100)
    assert "Traceback" not in server.output
    assert server.stop() == 0


def test_two_hundred_slow_phones(server: WebServer, person: Person) -> None:
    with slow_clients(server.address) as slow:
        phones = slow.connect(200, person.download_request(), window=WINDOW)
        eventually(lambda: server.descriptors() >= 400)
        for _ in range(20):
            assert person.looks(server) == ANSWERED
        assert server.get(person.file_path, person.cookie) == (200, person.content)
        answers = read_all(phones)
        assert {answer.partition(b"\r\n\r\n")[2] == person.content for answer in answers} == {True}
    eventually(lambda: server.descriptors() < 100)
    assert server.stop() == 0


def test_phones_that_take_nothing_are_given_up(server: WebServer, person: Person) -> None:
    with slow_clients(server.address) as slow:
        slow.connect(200, person.download_request(), window=WINDOW)
        eventually(lambda: server.descriptors() >= 400)
        eventually(lambda: server.descriptors() < 100, within=limits.STALL_S + 30)
        assert person.looks(server) == ANSWERED
    assert server.stop() == 0


def test_large_bodies_from_everywhere_do_not_fill_the_memory(
    server: WebServer, person: Person
) -> None:
    def memory_kib() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    person.looks(server)
    before_kib = memory_kib()
    with slow_clients(server.address) as slow:
        for _ in range(300):
            try:
                slow.connect(1, sign_in_head(limits.MAX_BODY_BYTES) + b"x" * 900_000)
            except OSError:
                continue  # it was refused while it sent
        assert person.looks(server) == ANSWERED
        grown_kib = memory_kib() - before_kib
    assert grown_kib < 3 * limits.MAX_HELD_BYTES // 1024
    assert server.stop() == 0
