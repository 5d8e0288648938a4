"""The throwaway authority: trusted by whoever reads its file, for the host it was asked for."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fake_tiktok.authority import Authority


def greet(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """A TLS handshake over a pair of sockets. Raises ssl.SSLError."""
    left, right = socket.socketpair()

    def answer() -> None:
        with suppress(OSError), server.wrap_socket(left, server_side=True) as wrapped:
            wrapped.recv(1)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with client.wrap_socket(right, server_hostname=host) as wrapped:
            wrapped.send(b"x")
    finally:
        right.close()
        thread.join()


def test_it_vouches_for_the_host_it_was_asked_for(tmp_path: Path) -> None:
    authority = Authority()
    authority.write_to(str(tmp_path / "ca.pem"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure(server, "www.tiktok.com")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    greet(server, trusting, "www.tiktok.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        greet(server, trusting, "www.example.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        greet(server, ssl.create_default_context(), "www.tiktok.com")
