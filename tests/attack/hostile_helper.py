"""A program that was given a proxy and tries to reach something else through it.

Started by itself, without anything of ours: `python -I hostile_helper.py`, the environment holding
HTTPS_PROXY alone. stdin: JSON, the addresses to try. stdout: JSON, what each attempt was answered.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
from contextlib import suppress
from urllib.parse import urlsplit

LISTED = "www.tiktok.com"
END = "\r\n\r\n"


def connection() -> socket.socket:
    """A connection to the proxy."""
    address = urlsplit(os.environ["HTTPS_PROXY"])
    return socket.create_connection((str(address.hostname), address.port or 0), timeout=5)


def answer(said: str, *then: bytes) -> str:
    """The first line of what is answered, and what came behind the head, if anything did."""
    heard = b""
    with suppress(OSError), connection() as proxy:
        proxy.sendall(said.encode("utf-8", "surrogatepass"))
        for part in then:
            heard += proxy.recv(65536)
            proxy.sendall(part)
        while data := proxy.recv(65536):
            heard += data
    head, _, rest = heard.partition(END.encode())
    return head.partition(b"\r\n")[0].decode("latin-1") + ("+" if rest else "")


def tls_inside(name: str) -> str:
    """A tunnel to a listed host, and TLS in it that asks for another."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with suppress(OSError), connection() as proxy:
        proxy.sendall(f"CONNECT {LISTED}:443 HTTP/1.1{END}".encode())
        proxy.recv(65536)
        with context.wrap_socket(proxy, server_hostname=name):
            return "reached"
    return "closed"


def main() -> None:
    """Try everything."""
    asked = json.load(sys.stdin)
    found: dict[str, list[str]] = {"connect": [], "absolute": [], "inside": [], "tls": []}
    for address in asked["addresses"]:
        host = address.partition("//")[2].partition("/")[0] or address
        for target in dict.fromkeys((host, f"{host}:443", f"{host}:{asked['port']}")):
            found["connect"].append(answer(f"CONNECT {target} HTTP/1.1{END}", b"GET / HTTP/1.1"))
        found["absolute"].append(answer(f"GET {address} HTTP/1.1\r\nHost: {host}{END}"))
    for host in asked["names"]:
        found["tls"].append(tls_inside(host))
    upgrade = f"GET / HTTP/1.1\r\nHost: {LISTED}\r\nUpgrade: websocket\r\nConnection: Upgrade{END}"
    for first in (upgrade, f"CONNECT 127.0.0.1:{asked['port']} HTTP/1.1{END}", "EHLO x\r\n"):
        found["inside"].append(answer(f"CONNECT {LISTED}:443 HTTP/1.1{END}", first.encode()))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
