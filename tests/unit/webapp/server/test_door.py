"""The door: connections are accepted while it is open, and room is made when there is none."""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from webapp.processes import listening
from webapp.server.connections import Connection, Connections
from webapp.server.door import Door


class House:
    """A door with two places behind it, and what came in and had to go."""

    def __init__(self, listener: Any, most: int = 2) -> None:
        self.selector = selectors.DefaultSelector()
        self.table = Connections(most, most)
        self.welcomed: list[Connection] = []
        self.closed: list[Connection] = []
        self.given_up = 0
        self.door = Door(
            [listener],
            selector=self.selector,
            connections=self.table,
            config=SimpleNamespace(keepalive=15),
            welcome=self.welcomed.append,
            close=self.close,
            give_up_slowest=self.give_up,
        )

    def give_up(self) -> None:
        """One more who is asked to go."""
        self.given_up += 1

    def close(self, connection: Connection) -> None:
        """As the loop does."""
        self.closed.append(connection)
        self.table.remove(connection)
        connection.sock.close()

    def turn(self, timeout_s: float = 5) -> None:
        """One turn of the loop."""
        for key, _ in self.selector.select(timeout_s):
            key.data()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that listens."""
    with listening.bind("127.0.0.1", 0) as bound:
        bound.listen()
        yield bound


@pytest.fixture
def callers(listener: socket.socket) -> Iterator[list[socket.socket]]:
    """Three who call."""
    made = [socket.create_connection(listener.getsockname(), timeout=5) for _ in range(3)]
    yield made
    for one in made:
        one.close()


def leave(house: House) -> None:
    """Close what is left."""
    for connection in house.welcomed:
        connection.sock.close()
    house.selector.close()


def test_the_first_makes_room_for_the_third(
    listener: socket.socket, callers: list[socket.socket]
) -> None:
    house = House(listener)
    house.turn(0)
    assert house.welcomed == []
    house.door.open()
    house.door.open()
    while len(house.welcomed) < 3:
        house.turn()
    assert house.closed == house.welcomed[:1]
    assert all(not connection.sock.getblocking() for connection in house.welcomed[1:])
    house.door.shut()
    house.door.shut()
    assert not house.selector.get_map()
    leave(house)


def test_when_nobody_who_waits_can_go_it_shuts_and_a_slow_reader_has_to(
    listener: socket.socket, callers: list[socket.socket]
) -> None:
    house = House(listener)
    house.door._welcome = house.table.work
    house.door.open()
    while house.selector.get_map():
        house.turn()
    assert (len(house.table), house.closed, house.given_up) == (2, [], 1)
    listener.accept()[0].close()  # the third waits in the queue
    for connection in house.table:
        connection.sock.close()
    leave(house)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_out_of_descriptors_the_longest_wait_goes_and_then_the_door_shuts(
    listener: socket.socket, callers: list[socket.socket], number: int
) -> None:
    class Full(socket.socket):
        def accept(self) -> Any:
            raise OSError(number, "too many")

    house = House(listener, most=9)
    house.door.open()
    while len(house.welcomed) < 3:
        house.turn()
    house.door.shut()
    with Full(fileno=socket.dup(listener.fileno())) as full:
        house.door._listeners = [full]
        house.door.open()
        callers.append(socket.create_connection(listener.getsockname(), timeout=5))
        for _ in range(3):
            house.turn()
        assert house.closed == house.welcomed
        house.turn()
        assert not house.selector.get_map()
        assert house.given_up == 1
    leave(house)


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.ENETDOWN, errno.EPERM, errno.EPROTO])
def test_a_connection_that_broke_while_it_waited_is_passed_over(
    listener: socket.socket, callers: list[socket.socket], number: int
) -> None:
    house = House(listener)
    broken = SimpleNamespace(accept=lambda: (_ for _ in ()).throw(OSError(number, "it is gone")))
    house.door.open()
    house.door._accept(broken)  # type: ignore[arg-type]
    assert house.selector.get_map()
    leave(house)


def test_another_error_is_none_of_its_business(
    listener: socket.socket, callers: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(listener)
    broken = SimpleNamespace(accept=lambda: (_ for _ in ()).throw(OSError(errno.EBADF, "gone")))
    with pytest.raises(OSError, match="gone"):
        house.door._accept(broken)  # type: ignore[arg-type]
    leave(house)
