"""Connections: whom they are counted for, and which makes room for another."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from webapp.server import limits
from webapp.server.connections import Connection, Connections, address_of


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    """A socket, which nothing is done with."""
    with socket.socket() as made:
        yield made


def connection(sock: socket.socket, host: str = "192.0.2.1") -> Connection:
    """A connection from a host."""
    return Connection(sock, (host, 50_000), ("127.0.0.1", 8000), None, 15.0)


def of(sock: socket.socket, table: Connections, *hosts: str) -> list[Connection]:
    """Connections of these hosts, in this order, all waiting."""
    made = [connection(sock, host) for host in hosts]
    for one in made:
        table.add(one)
    return made


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.1", 1), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 1, 0, 0), "2001:db8:1:2::/64"),
        (("2001:db8:1:2::9", 1, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1, 0, 2), "fe80::/64"),
        (("::ffff:192.0.2.1", 1, 0, 0), "192.0.2.1"),
        ("", ""),
    ],
)
def test_a_household_counts_as_one(client: object, address: str) -> None:
    assert address_of(client) == address


def test_there_is_room_until_all_places_are_taken(sock: socket.socket) -> None:
    table = Connections(3, 3)
    assert table.to_make_room_for("192.0.2.1") is None
    first, *_others = of(sock, table, "192.0.2.1", "192.0.2.2", "192.0.2.3")
    assert table.to_make_room_for("192.0.2.9") is first
    assert table.has_room()
    table.remove(first)
    table.remove(first)
    assert len(table) == 2
    assert table.to_make_room_for("192.0.2.9") is None


def test_an_address_with_its_share_gives_one_of_its_own(sock: socket.socket) -> None:
    table = Connections(10, 2)
    _other, first, second = of(sock, table, "192.0.2.2", "192.0.2.1", "192.0.2.1")
    assert table.to_make_room_for("192.0.2.1") is first
    assert table.to_make_room_for("192.0.2.2") is None
    table.work(first)
    assert table.to_make_room_for("192.0.2.1") is second
    table.work(second)
    assert table.to_make_room_for("192.0.2.1") is None


def test_the_address_that_has_most_gives_the_one_that_waited_longest(sock: socket.socket) -> None:
    table = Connections(4, 4)
    _one, first, second, third = of(sock, table, "192.0.2.2", *["192.0.2.1"] * 3)
    assert table.to_make_room_for("192.0.2.9") is first
    table.work(first)
    table.wait(first)  # it was answered meanwhile, and waits anew
    assert table.to_make_room_for("192.0.2.9") is second
    table.wait(second)
    assert table.to_make_room_for("192.0.2.9") is second
    assert table.waiting()[-3:] == [second, third, first]


def test_nobody_who_is_worked_for_has_to_go(sock: socket.socket) -> None:
    table = Connections(2, 2)
    for one in of(sock, table, "192.0.2.1", "192.0.2.2"):
        table.work(one)
    assert not table.has_room()
    with pytest.raises(LookupError):
        table.to_make_room_for("192.0.2.3")
    with pytest.raises(LookupError):
        table.longest_waiting()


def test_the_largest_goes_when_memory_runs_short(sock: socket.socket) -> None:
    table = Connections(9, 9)
    small, large, larger = of(sock, table, *["192.0.2.1"] * 3)
    table.hold(small, limits.SPARED_BYTES)
    table.hold(large, limits.SPARED_BYTES + 1)
    assert table.largest_beyond_memory() is None
    table.hold(larger, limits.MAX_HELD_BYTES)
    assert table.largest_beyond_memory() is larger
    table.work(larger)
    assert table.largest_beyond_memory() is large
    table.remove(large)
    assert table.largest_beyond_memory() is None  # what is small is spared
    table.remove(larger)
    assert table.held_bytes == limits.SPARED_BYTES
    assert list(table) == [small]
