"""The loop with real connections: requests in pieces, in a row, too slow, too many and broken."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig

from tests.unit.webapp.server.running import TestedLoop, answer, call, echo, plain, read, running
from webapp.server import limits, loop, sender
from webapp.server.connections import Doing

GET = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"


def until(question: Callable[[], object]) -> None:
    """Return once the answer is true; fail when it never is."""
    for _ in range(2000):
        if question():
            return
        time.sleep(0.01)
    pytest.fail("it never came true")


@pytest.fixture(scope="module")
def echoing() -> Iterator[TestedLoop]:
    """A loop that says what it was asked, with one thread."""
    with running(echo, threads=1) as started:
        yield started


# --- requests ---


def test_a_request_that_comes_byte_by_byte_is_one(echoing: TestedLoop) -> None:
    with call(echoing) as caller:
        for byte in (POST + b"hello")[:30]:
            caller.sendall(bytes([byte]))
            time.sleep(0.001)
        caller.sendall((POST + b"hello")[30:])
        assert answer(caller)[1] == b"POST /b hello"


def test_requests_in_a_row_are_answered_in_order_on_one_connection(echoing: TestedLoop) -> None:
    with call(echoing, GET + POST + b"hello" + GET + GET[:10]) as caller:
        assert [answer(caller)[1] for _ in range(3)] == [b"GET /a ", b"POST /b hello", b"GET /a "]
        caller.sendall(GET[10:])
        head, body = answer(caller)
        assert body == b"GET /a "
        assert b"Connection: keep-alive" in head


def test_who_sends_all_and_closes_its_half_gets_an_answer(echoing: TestedLoop) -> None:
    with call(echoing, GET + GET) as caller:
        caller.shutdown(socket.SHUT_WR)
        assert read(caller).count(b"GET /a ") == 2


def test_an_old_request_is_answered_and_the_connection_closed(echoing: TestedLoop) -> None:
    with call(echoing, b"GET /old HTTP/1.0\r\n\r\n") as caller:
        got = read(caller)
    assert got.startswith(b"HTTP/1.0 200 OK\r\n")
    assert got.endswith(b"GET /old ")


def test_a_sender_that_waits_to_continue_is_told_to_once(echoing: TestedLoop) -> None:
    head = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    with call(echoing, head) as caller:
        told = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert read(caller, len(told)) == told
        caller.sendall(b"hello")
        head, body = answer(caller)
        assert head.startswith(b"HTTP/1.1 200")
        assert body == b"POST /b hello"


def test_no_answer_names_the_server(echoing: TestedLoop) -> None:
    for sent in (GET, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with call(echoing, sent) as caller:
            head, _body = answer(caller)
            assert head.startswith(b"HTTP/1.1 ")
            assert b"server:" not in head.lower()
            assert b"gunicorn" not in head.lower()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\r\n\r\n", b"400"),
        (b"GET /\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\nHost: localhost\n\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: new\r\n\r\n", b"501"),
        (b"\x16\x03\x01\x02\x00\x01\n\x00\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 10_000, b"414"),
        (b"GET / HTTP/1.1\r\n" + b"X-A: " + b"x" * 140_000, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 200 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nExpect: tea\r\n\r\n", b"417"),
    ],
)
def test_what_is_no_request_is_refused_at_once(
    echoing: TestedLoop, sent: bytes, status: bytes
) -> None:
    with call(echoing, sent) as caller:
        got = read(caller)
    assert got.startswith(b"HTTP/1.1 " + status)
    assert b"Connection: close" in got


def test_a_body_in_chunks_is_not_waited_for_and_ends_the_connection() -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        running(plain(b"no")) as started,
        call(started, head + b"5\r\nhello\r\n0\r\n\r\n") as caller,
    ):
        got = read(caller)
    assert got.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in got


def test_a_body_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[type] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read(10)
        except RequestDataTooBig as error:
            seen.append(type(error))
        start_response("413 Content Too Large", [("Content-Length", "0")])
        return []

    size = limits.MAX_BODY_BYTES + 1
    head = f"POST / HTTP/1.1\r\nContent-Length: {size}\r\nExpect: 100-continue\r\n\r\n".encode()
    with running(application) as started, call(started, head) as caller:
        assert read(caller).startswith(b"HTTP/1.1 413")
    assert seen == [RequestDataTooBig]


def test_an_error_of_the_application_is_a_plain_500(capfd: pytest.CaptureFixture[str]) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ValueError("secret words")

    with running(application) as started, call(started, GET) as caller:
        got = read(caller)
    assert got.startswith(b"HTTP/1.1 500")
    assert b"secret" not in got


def test_an_answer_that_breaks_off_is_seen_to(capfd: pytest.CaptureFixture[str]) -> None:
    def application(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "100000")])
        yield b"x" * 70_000
        raise ValueError

    with running(application) as started, call(started, GET) as caller:
        assert len(read(caller)) < 100_000


# --- slow ones ---


def test_half_a_request_holds_no_thread(echoing: TestedLoop) -> None:
    slow = [call(echoing, GET[:-2]) for _ in range(20)] + [call(echoing, POST) for _ in range(20)]
    with call(echoing, GET) as caller:
        assert answer(caller)[1] == b"GET /a "
    for caller in slow[:20]:
        caller.sendall(b"\r\n")
    for caller in slow[20:]:
        caller.sendall(b"hello")
    assert {answer(caller)[1] for caller in slow} == {b"GET /a ", b"POST /b hello"}
    for caller in slow:
        caller.close()


@pytest.mark.parametrize("sent", [b"G", GET[:-2], POST, POST + b"hell"])
def test_what_takes_too_long_is_told_so_and_closed(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(limits, "HEAD_S", 0.1)
    monkeypatch.setattr(limits, "BODY_S", 0.1)
    monkeypatch.setattr(limits, "LINGER_S", 0.1)
    monkeypatch.setattr(loop, "_LOOK_EVERY_S", 0.05)
    with running(echo) as started, call(started, sent) as caller:
        assert read(caller).startswith(b"HTTP/1.1 408")
        until(lambda: not len(started.connections))


def test_who_says_nothing_is_closed_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_LOOK_EVERY_S", 0.05)
    with running(echo) as started:
        started.cfg.set("keepalive", 0)
        with call(started) as caller:
            assert read(caller) == b""


def test_a_body_earns_time_by_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_S", 1.0)
    monkeypatch.setattr(limits, "MIN_BODY_RATE", 10)
    head = b"POST / HTTP/1.1\r\nContent-Length: 2000\r\n\r\n"
    with running(echo) as started, call(started, head + b"x" * 1000) as caller:
        until(lambda: any(one.incoming.request for one in started.connections))
        (connection,) = started.connections
        until(lambda: connection.incoming.body_bytes == 1000)
        assert connection.deadline - connection.began == pytest.approx(101)
        caller.sendall(b"x" * 1000)
        assert answer(caller)[0].startswith(b"HTTP/1.1 200")


def test_one_that_drips_is_looked_at_now_and_then_and_still_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MAX_SMALL_PIECES", 0)
    with running(echo) as started, call(started) as caller:
        until(lambda: len(started.connections))
        started._look_at = math.inf
        caller.sendall(GET[:8])
        until(lambda: [one.is_registered for one in started.connections] == [False])
        caller.sendall(GET[8:])
        started._look_at = 0.0
        assert answer(caller)[1] == b"GET /a "


# --- slow readers ---


def test_answers_nobody_takes_hold_no_thread_and_are_whole_in_the_end() -> None:
    large = bytes(range(256)) * 20_000  # eight of them are less than the bound in memory
    with running(plain(large), threads=1) as started:
        slow = [call(started, GET) for _ in range(8)]
        with call(started, GET) as caller:
            assert answer(caller)[1] == large
        assert all(answer(caller)[1] == large for caller in slow)
        for caller in slow:
            caller.close()


def test_an_answer_in_parts_waits_for_who_takes_it() -> None:
    part = b"x" * 500_000

    def application(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        for _ in range(20):
            yield part

    with running(application) as started, call(started, b"GET / HTTP/1.0\r\n\r\n") as caller:
        until(lambda: any(one.outgoing.backlog_bytes for one in started.connections))
        (connection,) = started.connections
        assert connection.outgoing.backlog_bytes < 2_000_000
        assert read(caller).count(b"x") == 10_000_000


# --- too many ---


def test_the_longest_wait_makes_room_for_the_newest() -> None:
    with running(echo) as started:
        started.connections.most = 4
        started.connections.per_address = 4
        callers = [call(started) for _ in range(4)]
        until(lambda: len(started.connections) == 4)
        with call(started, GET) as newest:
            assert answer(newest)[1] == b"GET /a "
            assert read(callers[0]) == b""
        for caller in callers:
            caller.close()


def test_when_all_are_at_work_callers_wait_in_the_queue() -> None:
    go_on = threading.Event()

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        go_on.wait(20)
        return echo(environ, start_response)

    with running(application) as started:
        started.connections.most = started.connections.per_address = 2
        at_work = [call(started, GET) for _ in range(2)]
        until(lambda: [one.doing for one in started.connections] == [Doing.WORKING] * 2)
        with call(started, GET) as first, call(started, GET) as last:
            go_on.set()
            assert {answer(caller)[1] for caller in at_work} == {b"GET /a "}
            for caller in at_work:
                caller.close()
            assert answer(first)[1] == b"GET /a "
            assert answer(last)[1] == b"GET /a "


def test_who_takes_an_answer_too_slowly_makes_room_when_nobody_else_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender, "FAIR_TRIAL_S", 0)
    large = b"x" * 8_000_000
    with running(plain(large)) as started:
        started.connections.most = started.connections.per_address = 2
        slow = [call(started, b"GET / HTTP/1.0\r\n\r\n") for _ in range(2)]
        until(lambda: [one.outgoing.began_at > 0 for one in started.connections] == [True] * 2)
        with call(started, GET) as newest:
            assert answer(newest)[1] == large
        assert sorted(len(read(caller)) < len(large) for caller in slow) == [False, True]
        for caller in slow:
            caller.close()


def test_large_requests_give_way_before_memory_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_HELD_BYTES", 100_000)
    head = b"POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n"
    with running(echo) as started, call(started, POST) as small:
        with call(started, head + b"x" * 120_000) as large:
            assert read(large).startswith(b"HTTP/1.1 503")
        small.sendall(b"hello")
        assert answer(small)[1] == b"POST /b hello"
        until(lambda: not started.connections.held_bytes)


def test_a_large_head_counts_while_its_body_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MAX_HELD_BYTES", 100_000)

    def head(size: int) -> bytes:
        return POST.replace(b"\r\n\r\n", b"\r\nCookie: " + b"x" * size + b"\r\n\r\n")

    with running(echo) as started, call(started, head(50_000)) as first:
        until(lambda: [one.doing for one in started.connections] == [Doing.READING])
        until(lambda: started.connections.held_bytes > 50_000)
        with call(started, head(60_000)) as larger:
            assert read(larger).startswith(b"HTTP/1.1 503")
        (connection, *_closed) = started.connections
        assert connection.deadline - connection.began == pytest.approx(limits.BODY_S)
        first.sendall(b"hello")
        assert answer(first)[1] == b"POST /b hello"


def test_large_requests_do_not_queue_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_HELD_BYTES", 100_000)
    go_on = threading.Event()

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        go_on.wait(20)
        return echo(environ, start_response)

    large = GET.replace(b"\r\n\r\n", b"\r\nCookie: " + b"x" * 60_000 + b"\r\n\r\n")
    with running(application, threads=1) as started, call(started, large) as first:
        until(lambda: [one.doing for one in started.connections] == [Doing.WORKING])
        with call(started, large) as second, call(started, GET) as small:
            assert read(second).startswith(b"HTTP/1.1 503")
            go_on.set()
            assert answer(first)[1] == answer(small)[1] == b"GET /a "


def test_behind_a_proxy_one_address_may_have_all() -> None:
    with running(echo) as started:
        assert started.connections.per_address < started.connections.most
        started.share_places_freely()
        assert started.connections.per_address == started.connections.most


# --- the end ---


def test_what_was_begun_is_answered_before_the_end() -> None:
    with running(echo) as started, call(started, GET[:-2]) as caller:
        until(lambda: [one.doing for one in started.connections] == [Doing.READING])
        started.end()
        caller.sendall(b"\r\n")
        head, body = answer(caller)
        assert body == b"GET /a "
        assert b"Connection: close" in head
