"""The sender: many answers by turns, in one thread; those nobody takes are given up."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from webapp.server import sender as sender_module
from webapp.server.connections import Connection
from webapp.server.sender import Sender


@pytest.fixture
def connect() -> Iterator[Callable[[], tuple[Connection, socket.socket]]]:
    """Makes connections, and the other end of each."""
    with ExitStack() as stack:

        def make() -> tuple[Connection, socket.socket]:
            ours, theirs = (stack.enter_context(end) for end in socket.socketpair())
            ours.setblocking(False)
            return Connection(ours, "", "", None, 0.0), theirs

        yield make


Connect = Callable[[], tuple[Connection, socket.socket]]


def test_slow_and_fast_are_sent_side_by_side(connect: Connect) -> None:
    done: list[Connection] = []
    sender = Sender(done.append)
    (slow, slow_end), (fast, fast_end) = connect(), connect()
    for connection in (slow, fast):
        connection.outgoing.sendall(b"x" * 2_000_000)
        sender.add(connection)
    got = 0
    while fast not in done:
        sender.run_once()
        got += len(fast_end.recv(1 << 20)) if fast not in done else 0
    assert slow not in done
    while slow not in done:
        slow_end.recv(1 << 20)
        sender.run_once()
    assert (slow.outgoing.error, fast.outgoing.error) == (None, None)


def test_an_answer_of_which_nothing_is_taken_is_given_up(connect: Connect) -> None:
    done: list[Connection] = []
    sender = Sender(done.append, stall_s=-1)
    connection, _end = connect()
    connection.outgoing.sendall(b"x" * 5_000_000)
    sender.add(connection)
    sender.run_once()
    assert done == [connection]
    assert isinstance(connection.outgoing.error, TimeoutError)


def test_when_places_are_short_the_slowest_of_the_address_with_most_goes(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Connection] = []
    sender = Sender(done.append)
    connections = [connect()[0] for _ in range(4)]
    for connection, address in zip(connections, ["a", "b", "b", "b"], strict=True):
        connection.address = address
        connection.outgoing.sendall(b"x" * 5_000_000)
        sender.add(connection)
    sender.run_once()
    sender.give_up_slowest()
    sender.run_once()
    assert done == []  # they have only begun
    for connection, taken in zip(connections, [1, 300, 200, 900], strict=True):
        connection.outgoing.began_at -= 20
        connection.outgoing.sent_bytes = taken * 1000
    sender.give_up_slowest()
    sender.run_once()
    assert done == [connections[2]]
    assert isinstance(connections[2].outgoing.error, TimeoutError)


def test_when_memory_is_short_the_slowest_of_the_address_with_most_bytes_go(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "MAX_UNSENT_BYTES", 20_000_000)
    done: list[Connection] = []
    sender = Sender(done.append)
    few, slow, quick, new, last = (connect()[0] for _ in range(5))
    for connection, size in ((few, 1), (slow, 6), (quick, 6), (new, 5), (last, 5)):
        connection.address = "few" if connection is few else "many"
        connection.outgoing.sendall(b"x" * size * 1_000_000)
    for connection in (few, slow, quick, new):
        sender.add(connection)
    sender.run_once()
    for connection, taken in ((few, 1), (slow, 2), (quick, 900)):
        connection.outgoing.began_at -= 20
        connection.outgoing.sent_bytes = taken * 1000
    assert done == []
    sender.add(last)
    sender.run_once()
    assert done == [slow, quick]  # the last two have only begun
    assert isinstance(slow.outgoing.error, TimeoutError)


def test_files_do_not_count_as_memory(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sender_module, "MAX_UNSENT_BYTES", 1_000_000)
    done: list[Connection] = []
    sender = Sender(done.append)
    (tmp_path / "story.mp4").write_bytes(b"x" * 9_000_000)
    with (tmp_path / "story.mp4").open("rb") as file:
        for _ in range(3):
            connection, _end = connect()
            connection.outgoing.attach(file.fileno(), 0, 9_000_000, file.close)
            sender.add(connection)
        sender.run_once()
        assert done == []


def test_who_leaves_is_done(connect: Connect) -> None:
    done: list[Connection] = []
    sender = Sender(done.append)
    connection, end = connect()
    connection.outgoing.sendall(b"x" * 5_000_000)
    sender.add(connection)
    sender.run_once()
    end.close()
    while not done:
        sender.run_once()
    assert connection.outgoing.error is not None


def test_a_socket_that_is_closed_already_and_a_broken_answer_are_done(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[Connection] = []
    sender = Sender(done.append)
    (closed, _), (broken, _) = connect(), connect()
    closed.sock.close()
    monkeypatch.setattr(broken.outgoing, "push", lambda: 1 / 0)
    for connection in (closed, broken):
        sender.add(connection)
    while len(done) < 2:
        sender.run_once()
    assert closed.outgoing.error is not None
    assert broken.outgoing.error is not None
    assert "an answer could not be sent" in caplog.text


def test_it_runs_in_a_thread_of_its_own(connect: Connect) -> None:
    sender = Sender(lambda _connection: None)
    sender.start()
    connection, end = connect()
    read_fd, write_fd = os.pipe()
    os.write(write_fd, b"from a file")
    connection.outgoing.sendall(b"from memory")
    sender.add(connection)
    end.settimeout(20)
    assert end.recv(100) == b"from memory"
    os.close(read_fd)
    os.close(write_fd)
