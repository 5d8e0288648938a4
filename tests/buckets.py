"""Object stores to test with: moto's server in this process, and one that misbehaves."""

from __future__ import annotations

import contextlib
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import SecretStr

BUCKET = "saved"


def settings_of(endpoint: str, prefix: str = "", **others: object) -> dict[str, Any]:
    """The settings that name a bucket at an endpoint, as the fixture `set_env` takes them."""
    return {
        "artifact_store": f"s3://{BUCKET}/{prefix}" if prefix else f"s3://{BUCKET}",
        "artifact_store_endpoint": endpoint,
        "artifact_store_key_id": SecretStr("key"),
        "artifact_store_secret_key": SecretStr("secret"),
        **others,
    }


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """The endpoint of a store in memory, with an empty bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        make_bucket(endpoint)
        yield endpoint
    finally:
        server.stop()


def make_bucket(endpoint: str) -> None:
    """Make the bucket at an endpoint that asks for no signature."""
    request = urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")
    urllib.request.urlopen(request, timeout=20).close()


Answer = Callable[[BaseHTTPRequestHandler], None]


def says(status: int, code: str = "", **headers: str) -> Answer:
    """An answer with a status and S3's code of an error."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    return answer


def silent(until: threading.Event) -> Answer:
    """No answer, until the end of the test."""

    def answer(_handler: BaseHTTPRequestHandler) -> None:
        until.wait(60)

    return answer


def without_lists(keys: set[str], refusal: Answer) -> Answer:
    """A store that deletes one object with each request, and says so when one is not there."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        key = handler.path.removeprefix(f"/{BUCKET}/")
        if handler.command == "POST":
            refusal(handler)
        elif key in keys:
            keys.remove(key)
            says(204)(handler)
        else:
            says(404, "NoSuchKey")(handler)

    return answer


@contextlib.contextmanager
def misbehaving(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """The endpoint of a store that answers everything alike, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append(f"{self.command} {self.path}")
            answer(self)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _answer  # noqa: N815

        def log_message(self, *_args: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
