"""A small Immich: the part of its API that a library is sent to, over real HTTP on loopback.

As Immich does it: a file is told by its SHA-1, one that is there is a duplicate whatever its name,
and a checksum in the header is believed only for that question.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from uuid import UUID, uuid4

KEY = "a-key-of-alice-0123456789"
NEEDED = ("deviceAssetId", "deviceId", "fileCreatedAt", "fileModifiedAt")


@dataclass
class Asset:
    """A file that was taken. sidecar: its XMP, None without one."""

    id: str
    data: bytes
    name: str
    fields: dict[str, str]
    sidecar: bytes | None


@dataclass
class Immich:
    """What the server holds, and how it behaves. fail: statuses of the next answers; 0 for one
    as it should be. quota: bytes that may be taken in all, None for any. not_mine: files that the
    key's user may not put into albums."""

    keys: set[str] = field(default_factory=lambda: {KEY})
    assets: dict[str, Asset] = field(default_factory=dict)
    albums: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    fail: list[int] = field(default_factory=list)
    quota: int | None = None
    not_mine: set[str] = field(default_factory=set)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Immich

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _handle(self) -> None:
        state = self.state
        with state.lock:
            state.requests.append(f"{self.command} {self.path}")
            body = self._body()
            status = state.fail.pop(0) if state.fail else 0
            if status:
                self._answer(status, {"message": "as the test has it", "statusCode": status})
            elif self.headers.get("x-api-key") not in state.keys:
                self._answer(401, {"message": "Invalid API key", "statusCode": 401})
            else:
                self._answer(*self._route(body))

    do_GET = do_POST = do_PUT = _handle  # noqa: N815  # as the base class calls them

    def _route(self, body: bytes) -> tuple[int, object]:
        parts = self.path.strip("/").split("/")
        match (self.command, parts):
            case ("POST", ["api", "assets"]):
                return self._upload(body)
            case ("GET", ["api", "albums"]):
                return 200, list(self.state.albums.values())
            case ("POST", ["api", "albums"]):
                album = {"id": str(uuid4()), "albumName": json.loads(body)["albumName"]}
                self.state.albums[album["id"]] = {**album, "assets": []}
                return 201, album
            case ("PUT", ["api", "albums", album_id, "assets"]):
                if album_id not in self.state.albums:
                    return 400, {"message": "Not found or no album.update access"}
                ids = [str(UUID(asset)) for asset in json.loads(body)["ids"]]
                return 200, [self._into(album_id, one) for one in ids]
        return 404, {"message": "Cannot find it"}

    def _into(self, album_id: str, asset_id: str) -> dict[str, object]:
        held = self.state.albums[album_id]["assets"]
        if asset_id in held:
            return {"id": asset_id, "success": False, "error": "duplicate"}
        if asset_id in self.state.not_mine or asset_id not in self.state.assets:
            return {"id": asset_id, "success": False, "error": "no_permission"}
        held.append(asset_id)
        return {"id": asset_id, "success": True}

    def _upload(self, body: bytes) -> tuple[int, object]:
        sums = {hashlib.sha1(a.data).hexdigest(): a for a in self.state.assets.values()}  # noqa: S324
        known = sums.get(self.headers.get("x-immich-checksum", ""))
        if known is not None:
            return 200, {"id": known.id, "status": "duplicate"}
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        fields: dict[str, str] = {}
        files: dict[str, tuple[str, bytes]] = {}
        for part in message_from_bytes(head + body, policy=policy.HTTP).iter_parts():
            name = part.get_param("name", header="content-disposition")
            data = bytes(cast("bytes", part.get_payload(decode=True)))
            if part.get_filename() is None:
                fields[str(name)] = data.decode()
            else:
                files[str(name)] = (str(part.get_filename()), data)
        if "assetData" not in files or any(name not in fields for name in NEEDED):
            return 400, {"message": ["a field is missing"], "statusCode": 400}
        name, data = files["assetData"]
        known = sums.get(hashlib.sha1(data).hexdigest())  # noqa: S324
        if known is not None:
            return 200, {"id": known.id, "status": "duplicate"}
        if self.state.quota is not None:
            held = sum(len(asset.data) for asset in self.state.assets.values())
            if held + len(data) > self.state.quota:
                told = {"message": "Quota has been exceeded!", "error": "Bad Request"}
                return 400, {**told, "statusCode": 400}
        sidecar = files.get("sidecarData")
        asset = Asset(str(uuid4()), data, name, fields, sidecar[1] if sidecar else None)
        self.state.assets[asset.id] = asset
        return 201, {"id": asset.id, "status": "created"}


@contextmanager
def serving() -> Iterator[Immich]:
    """An Immich at an address of its own."""
    state = Immich()
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
