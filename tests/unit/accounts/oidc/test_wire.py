"""Requests to the provider are bounded, whatever it does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from accounts.oidc import wire
from accounts.oidc.errors import ProviderAway, Untrusted


class Raw:
    """A server that sends these bytes to whoever connects, and then keeps the connection."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}/"

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self.socket.accept()
                connection.recv(10_000)
                connection.sendall(self.answer)
            except OSError:
                return
            self.connections.append(connection)

    def close(self) -> None:
        self.socket.close()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def servers() -> Iterator[list[Raw]]:
    found: list[Raw] = []
    yield found
    for server in found:
        server.close()


def answered(servers: list[Raw], answer: bytes) -> str:
    servers.append(Raw(answer))
    return servers[-1].url


def body(data: bytes, head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (head, len(data), data)


def test_an_object(servers: list[Raw]) -> None:
    assert wire.get_json(answered(servers, body(b'{"a": 1}'))) == {"a": 1}


@pytest.mark.parametrize("data", [b"[]", b"<html>", b"", b"\xff", b"[" * 10_000])
def test_what_is_no_object(servers: list[Raw], data: bytes) -> None:
    with pytest.raises(Untrusted):
        wire.get_json(answered(servers, body(data)))


def test_an_answer_without_end(servers: list[Raw]) -> None:
    with pytest.raises(Untrusted, match="too long"):
        wire.get_json(answered(servers, body(b" " * (wire.MAX_BYTES + 1))))


def test_a_redirect_is_not_followed(servers: list[Raw]) -> None:
    elsewhere = answered(servers, body(b'{"a": 1}'))
    moved = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(ProviderAway, match="status 302"):
        wire.get_json(answered(servers, moved % elsewhere.encode()))


def test_one_that_says_nothing(servers: list[Raw], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "READ_S", 0.05)
    with pytest.raises(ProviderAway, match="no answer within"):
        wire.get_json(answered(servers, b""))


def test_one_that_drips_holds_nobody(servers: list[Raw], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "DEADLINE_S", -0.9)
    with pytest.raises(ProviderAway, match="too long"):
        wire.get_json(answered(servers, b"HTTP/1.1 200 OK\r\nA: "))


def test_nobody_is_there() -> None:
    with pytest.raises(ProviderAway, match="nothing listens at its address"):
        wire.get_json("http://127.0.0.1:9/")


def test_a_name_nobody_knows() -> None:
    with pytest.raises(ProviderAway, match="nobody knows a host of this name"):
        wire.get("https://nowhere.invalid/")


def test_https_where_http_is_spoken(servers: list[Raw]) -> None:
    servers.append(Raw(b"HTTP/1.0 200 OK\r\n\r\n"))
    with pytest.raises(ProviderAway, match="it speaks http at a port"):
        wire.get(servers[-1].url.replace("http:", "https:"))


def test_few_at_once(servers: list[Raw], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(wire, "WAIT_FOR_PLACE_S", 0.01)
    wire._places.acquire()
    with pytest.raises(ProviderAway, match="too many"):
        wire.get_json(answered(servers, body(b"{}")))


@pytest.mark.parametrize(
    "url", ["http://auth.example.org/", "ftp://localhost/", "file:///etc/passwd", "//host/", ""]
)
def test_plain_http_leads_to_this_machine_alone(url: str) -> None:
    with pytest.raises(Untrusted):
        wire.get_json(url)


def test_no_file_of_the_users_is_read() -> None:
    with wire.BoundedSession() as session:
        assert not session.trust_env
