"""Slow senders and slow readers of a real web process: a signed-in person notices nothing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.files import store
from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import eventually
from tests.integration.web_server import ANSWERED, Person, WebServer, web_server
from tests.slow_clients import HALF_A_HEAD, read_all, sign_in_head, slow_clients, still_open

LOOKS = 5
WINDOW = 4096


@pytest.fixture
def person(transactional_db: None) -> Person:
    """Somebody with a job."""
    return Person()


@pytest.fixture
def server(person: Person, tmp_path: Path, proxy: FakeProxy) -> Iterator[WebServer]:
    """A web process that answers."""
    with web_server(tmp_path, proxy) as started:
        yield started


def test_slow_senders_change_nothing_for_who_is_signed_in(
    server: WebServer, person: Person
) -> None:
    with slow_clients(server.address) as slow:
        slow.connect(300)
        slow.drip(300)
        slow.connect(48, HALF_A_HEAD)
        slow.connect(60, sign_in_head(200) + b"login=")
        eventually(lambda: server.descriptors() >= 708)
        assert [person.looks(server) for _ in range(LOOKS)] == [ANSWERED] * LOOKS
        assert server.get("/login/")[0] == 200
        assert still_open(slow.all) == 708  # and all that while they were there
    eventually(lambda: server.descriptors() < 100)
    assert "Traceback" not in server.output
    assert server.stop() == 0


def test_slow_phones_get_their_files_while_pages_and_a_fast_one_are_served(
    server: WebServer, person: Person
) -> None:
    """Also when the file is deleted meanwhile."""
    request = person.download_request()
    with slow_clients(server.address) as slow:
        phones = slow.connect(100, request, window=WINDOW)
        eventually(lambda: server.descriptors() >= 200)
        assert [person.looks(server) for _ in range(LOOKS)] == [ANSWERED] * LOOKS
        assert server.get(person.file_path, person.cookie) == (200, person.content)
        part = server.get(person.file_path, person.cookie, Range="bytes=1000000-1999990")
        assert part == (206, person.content[1_000_000:1_999_991])
        assert server.get(person.file_path, person.cookie, Range="bytes=2000000-")[0] == 416
        store.remove(person.file.pk)
        assert server.get(person.file_path, person.cookie)[0] == 410
        for answer in read_all(phones):
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert body == person.content
    eventually(lambda: server.descriptors() < 100)
    assert server.stop() == 0


def test_when_descriptors_run_out_the_oldest_idle_ones_go(
    person: Person, tmp_path: Path, proxy: FakeProxy
) -> None:
    with web_server(tmp_path, proxy, descriptors=256) as server:
        with slow_clients(server.address) as slow:
            slow.connect(400)
            assert person.looks(server) == ANSWERED
            assert 0 < still_open(slow.all) < 128
            assert still_open(slow.all[-10:]) == 10
            assert still_open(slow.all[:100]) == 0
        assert "Too many open files" not in server.output
        assert server.stop() == 0


def test_a_download_ends_in_order_when_two_signals_come_at_once(
    server: WebServer, person: Person
) -> None:
    with slow_clients(server.address) as slow:
        (phone,) = slow.connect(1, person.download_request(), window=WINDOW)
        eventually(lambda: still_open([phone]) == 0)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.03)
        server.process.send_signal(signal.SIGINT)
        (answer,) = read_all([phone])
        assert answer.endswith(person.content)
        assert server.process.wait(20) == 0


def test_asked_again_later_it_ends_at_once(server: WebServer, person: Person) -> None:
    with slow_clients(server.address) as slow:
        (phone,) = slow.connect(1, person.download_request(), window=WINDOW)
        eventually(lambda: still_open([phone]) == 0)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1.2)
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(20) == 0
        (answer,) = read_all([phone])
        assert not answer.endswith(person.content)
