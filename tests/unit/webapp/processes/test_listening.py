"""The socket of the web server: taken early, answered from when somebody listens."""

from __future__ import annotations

import contextlib
import socket

import pytest

from webapp.processes import listening


def test_nobody_is_kept_waiting_before_anybody_listens() -> None:
    with listening.bind("127.0.0.1", 0) as bound:
        address = bound.getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
        bound.listen(listening.BACKLOG)
        socket.create_connection(address, timeout=5).close()


def test_an_address_somebody_else_listens_on_is_refused() -> None:
    with listening.bind("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            listening.bind("127.0.0.1", taken.getsockname()[1])


def test_who_asks_between_two_servers_is_answered_by_the_second() -> None:
    with listening.bind("127.0.0.1", 0) as kept:
        first = listening.inherit(socket.dup(kept.fileno()))
        first.listen(listening.BACKLOG)
        first.close()
        with socket.create_connection(kept.getsockname(), timeout=5) as caller:
            second = listening.inherit(socket.dup(kept.fileno()))
            answering, _ = second.accept()
            answering.sendall(b"hello")
            assert caller.recv(5) == b"hello"
            answering.close()
            second.close()


@pytest.mark.parametrize(
    ("host", "family"),
    [("127.0.0.1", socket.AF_INET), ("localhost", socket.AF_INET), ("::1", socket.AF_INET6)],
)
def test_names_are_looked_up_as_ipv4(host: str, family: socket.AddressFamily) -> None:
    try:
        bound = listening.bind(host, 0)
    except OSError:
        assert family == socket.AF_INET6  # this machine may have none
        return
    with bound:
        assert bound.family == family


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="not on this system")
def test_a_slow_reader_leaves_little_with_the_system() -> None:
    """Linux would take some four megabytes for each."""
    with listening.bind("127.0.0.1", 0) as bound, socket.socket() as reader:
        bound.listen()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(bound.getsockname())
        accepted, _ = bound.accept()
        with accepted:
            accepted.setblocking(False)
            taken = 0
            with contextlib.suppress(BlockingIOError):
                while taken < 10_000_000:
                    taken += accepted.send(b"x" * 65_536)
            assert taken < 3 * listening.UNSENT_BYTES
