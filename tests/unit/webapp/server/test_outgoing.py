"""An answer on its way out: bytes and a file, as the socket takes them."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from webapp.processes import listening
from webapp.server import outgoing
from webapp.server.outgoing import Outgoing

CONTENT = bytes(range(256)) * 8192


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Ours, which never blocks, and theirs."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.settimeout(20)
        yield ours, theirs


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    """An open file with CONTENT."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    opened = os.open(path, os.O_RDONLY)
    yield opened
    os.close(opened)


def drained(answer: Outgoing, theirs: socket.socket) -> bytes:
    """All that arrives while the answer is pushed until it is empty."""
    got = b""
    while not answer.is_empty:
        answer.push()
        got += theirs.recv(1 << 20)
    theirs.setblocking(False)
    try:
        while data := theirs.recv(1 << 20):
            got += data
    except BlockingIOError:
        pass
    return got


def test_a_page_leaves_in_one_piece(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    answer = Outgoing(ours)
    answer.sendall(b"head")
    answer.sendall(b"")
    answer.sendall(b"body")
    assert (answer.is_empty, answer.moved_at) == (False, 0)
    assert answer.push()
    assert answer.is_empty
    assert answer.moved_at > 0
    assert theirs.recv(100) == b"headbody"
    assert not answer.push()


def test_bytes_then_the_part_of_a_file_arrive_as_they_are(
    ends: tuple[socket.socket, socket.socket], fd: int
) -> None:
    ours, theirs = ends
    answer = Outgoing(ours)
    answer.sendall(b"x" * 3_000_000)
    closed: list[bool] = []
    answer.attach(fd, 5, 1_000_000, lambda: closed.append(True))
    assert not answer.is_empty
    assert drained(answer, theirs) == b"x" * 3_000_000 + CONTENT[5:1_000_005]
    close = answer.take_close_file()
    assert close
    close()
    assert closed == [True]
    assert answer.take_close_file() is None


def test_a_file_the_system_does_not_send_by_itself_is_read(
    ends: tuple[socket.socket, socket.socket], fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> int:
        raise OSError(errno.EINVAL, "not this file")

    monkeypatch.setattr(os, "sendfile", refuse)
    ours, theirs = ends
    answer = Outgoing(ours)
    answer.attach(fd, 0, len(CONTENT), lambda: None)
    assert drained(answer, theirs) == CONTENT


def test_a_file_that_is_shorter_than_announced_is_an_error(
    ends: tuple[socket.socket, socket.socket], fd: int
) -> None:
    answer = Outgoing(ends[0])
    answer.attach(fd, len(CONTENT) - 10, 11, lambda: None)
    answer.push()
    with pytest.raises(OSError, match="before its announced length"):
        answer.push()


def test_others_have_their_turn_between_the_steps_of_a_file(
    ends: tuple[socket.socket, socket.socket], fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "STEP_BYTES", 1000)
    answer = Outgoing(ends[0])
    answer.attach(fd, 0, 5000, lambda: None)
    answer.push()
    assert len(ends[1].recv(10_000)) == 1000
    answer.push(3)
    assert len(ends[1].recv(10_000)) == 3000


def test_who_is_gone_is_an_error(ends: tuple[socket.socket, socket.socket], fd: int) -> None:
    ours, theirs = ends
    theirs.close()
    answer = Outgoing(ours)
    answer.attach(fd, 0, 10, lambda: None)
    with pytest.raises(OSError):  # noqa: PT011 (a broken pipe or a reset, as the system has it)
        answer.push()


def test_an_answer_that_is_made_while_it_is_sent_waits_and_not_for_ever(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "STALL_S", 0.05)
    answer = Outgoing(ends[0])
    taken = 0
    with pytest.raises(TimeoutError):  # noqa: PT012 (how much was taken by then, is the point)
        while taken < 50:
            answer.sendall(b"x" * 500_000)
            taken += 1
    assert 1 < taken < 10


def test_an_answer_that_is_made_while_it_is_sent_ends_when_it_is_given_up(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    answer = Outgoing(ends[0])
    threading.Timer(0.1, answer.pace.give_up).start()
    answer.sendall(b"x" * 5_000_000)
    with pytest.raises(TimeoutError, match="others want the place"):
        answer.sendall(b"x")
    assert answer.pace.is_waited_for


def test_an_answer_that_is_taken_is_not_waited_for(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    answer = Outgoing(ends[0])

    def take_all() -> None:
        while ends[1].recv(1 << 20):
            pass

    reader = threading.Thread(target=take_all)
    reader.start()
    answer.sendall(b"x" * 2_000_000)
    answer.sendall(b"x")
    assert not answer.pace.is_waited_for
    ends[0].shutdown(socket.SHUT_WR)
    reader.join()


def test_who_takes_a_little_is_seen_before_the_system_has_room_for_more() -> None:
    with listening.bind("127.0.0.1", 0) as listener, socket.socket() as theirs:
        listener.listen()
        theirs.connect(listener.getsockname())
        ours, _client = listener.accept()
        with ours:
            ours.setblocking(False)
            answer = Outgoing(ours)
            answer.sendall(b"x" * 20_000_000)
            while answer.push():
                time.sleep(0.01)
            answer.begin(0.0)
            answer.look(1.0)
            assert answer.moved_at == 0.0
            theirs.recv(1_000_000)
            while not answer.moved_at:
                time.sleep(0.001)
                answer.look(9.0)
            answer.look(10.0)
            assert (answer.moved_at, answer.sent_bytes) == (9.0, 0)


def test_to_gunicorn_it_is_a_socket_that_never_blocks(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    assert Outgoing(ends[0]).gettimeout() == 0


def test_what_was_taken_of_an_answer_is_not_kept_in_memory(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    answer = Outgoing(ours)
    whole = bytes(4 * 1024 * 1024)
    answer.sendall(whole)
    got = 0
    while answer.backlog_bytes > 64 * 1024:
        assert answer.backlog_bytes <= answer.held_bytes <= 2 * answer.backlog_bytes
        got += len(theirs.recv(16 * 1024))
        answer.push()
    assert not answer.is_empty
    assert sum(len(memoryview(part).obj) for part in answer._parts) == answer.held_bytes  # type: ignore[arg-type,misc]
    theirs.setblocking(True)
    while got < len(whole):
        answer.push()
        got += len(theirs.recv(1 << 20))
    assert (answer.is_empty, answer.held_bytes) == (True, 0)
