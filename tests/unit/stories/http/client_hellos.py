"""ClientHellos: real ones from OpenSSL, and ones that are put together by hand."""

from __future__ import annotations

import ssl


def real_hello(host: str | None) -> bytes:
    """What Python's own TLS sends first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = host is not None
    connection = context.wrap_bio(incoming, outgoing, server_hostname=host)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("it should wait for an answer")


def vector(data: bytes, size: int) -> bytes:
    """Bytes with their length before them."""
    return len(data).to_bytes(size, "big") + data


def name_extension(name: bytes, *, kind: int = 0) -> bytes:
    """The extension server_name with one entry."""
    return extension(0, vector(bytes([kind]) + vector(name, 2), 2))


def extension(kind: int, body: bytes) -> bytes:
    """Any extension."""
    return kind.to_bytes(2, "big") + vector(body, 2)


GREASE = extension(0x0A0A, b"") + extension(0xFAFA, b"\0")


def message(*extensions: bytes, session: bytes = b"s" * 32) -> bytes:
    """A ClientHello with the head of its message, without a record."""
    body = (
        b"\x03\x03"
        + b"r" * 32
        + vector(session, 1)
        + vector(b"\x0a\x0a\x13\x01", 2)
        + vector(b"\0", 1)
        + vector(b"".join(extensions), 2)
    )
    return b"\x01" + vector(body, 3)


def records(data: bytes, *, size: int = 2**14, kind: int = 22) -> bytes:
    """Records of at most so many bytes each."""
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(bytes([kind]) + b"\x03\x01" + vector(part, 2) for part in parts)
