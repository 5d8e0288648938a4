"""Immich's API, as far as a library is sent to it: one file at a time, and the album it goes into.

The address is the admin's, and may be one of the local network; what a member gives is a key alone.
httpx is loaded when something is sent, and not before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self
from uuid import UUID

from django.conf import settings

if TYPE_CHECKING:
    import httpx

DEVICE: Final = "storykeep"
CONNECT_S: Final = 10.0
ANSWER_S: Final = 120.0
"""Seconds Immich may be silent: it reads and hashes a file before it answers."""
MOST_ANSWER_BYTES: Final = 16 * 1024 * 1024


class ImmichError(Exception):
    """Immich took nothing. code: why, as `library_words.WORDS` has it."""

    code = "immich_failed"


class Unreachable(ImmichError):
    """It does not answer, or is not well: later, perhaps."""

    code = "unreachable"


class KeyNotTaken(ImmichError):
    """It does not know the key, or the key may not do this."""

    code = "key_refused"


class NotTaken(ImmichError):
    """It does not take this file, whoever sends it."""

    code = "not_taken"


class NotThere(ImmichError):
    """There is no such thing at this address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file to be sent. at: when it was posted, aware. sha1: in hex. key: names it for good."""

    key: str
    name: str
    content_type: str
    file: BinaryIO
    sidecar: bytes
    at: datetime
    sha1: str


@dataclass(frozen=True, slots=True)
class Asset:
    """A file at Immich. is_duplicate: it was there already."""

    id: str
    is_duplicate: bool


class Immich:
    """An Immich server, asked with one member's key. A context manager; for one thread.

    url: its address, without a path.
    """

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key
        self._client: httpx.Client

    def __enter__(self) -> Self:
        import httpx

        from stories.http.tls import client_context

        bundle = settings.STORYKEEP.ca_bundle
        self._client = httpx.Client(
            base_url=f"{self._url}/api",
            headers={"x-api-key": self._key, "accept": "application/json"},
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            trust_env=False,
            follow_redirects=False,
            verify=client_context(str(bundle) if bundle else None),
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def upload(self, upload: Upload) -> Asset:
        """Send a file; one that Immich has already counts as sent. The file is read piece by piece.

        Raises ImmichError.
        """
        at = upload.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = {
            "deviceAssetId": upload.key,
            "deviceId": DEVICE,
            "fileCreatedAt": at,
            "fileModifiedAt": at,
            "filename": upload.name,
        }
        files = {
            "assetData": (upload.name, upload.file, upload.content_type),
            "sidecarData": (f"{upload.name}.xmp", upload.sidecar, "application/xml"),
        }
        answer = self._ask(
            "POST", "/assets", data=fields, files=files,
            headers={"x-immich-checksum": upload.sha1},
        )  # fmt: skip
        status = answer.get("status") if isinstance(answer, dict) else None
        if status not in {"created", "duplicate", "replaced"}:
            raise ImmichError
        return Asset(_id_of(answer), is_duplicate=status == "duplicate")

    def album(self, name: str) -> str:
        """The id of the album of this name, made when there is none. Raises ImmichError."""
        albums = self._ask("GET", "/albums")
        if not isinstance(albums, list):
            raise ImmichError
        for album in albums:
            if isinstance(album, dict) and album.get("albumName") == name:
                return _id_of(album)
        return _id_of(self._ask("POST", "/albums", json={"albumName": name}))

    def add_to_album(self, album_id: str, asset_id: str) -> None:
        """Put a file into an album; in it already is as good. Raises ImmichError."""
        self._ask("PUT", f"/albums/{album_id}/assets", json={"ids": [asset_id]})

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        import httpx

        try:
            with self._client.stream(method, path, **options) as response:
                status = response.status_code
                body = _limited(response)
        except httpx.HTTPError as error:
            raise Unreachable(type(error).__name__) from error
        if status in {401, 403}:
            raise KeyNotTaken(str(status))
        if status in {408, 429} or status >= 500:
            raise Unreachable(str(status))
        if status == 404:
            raise NotThere(str(status))
        if status in {400, 413, 415, 422}:
            raise NotTaken(str(status))
        if status not in {200, 201}:  # a sign-in in front of it, perhaps: nothing to give up for
            raise ImmichError(str(status))
        try:
            return json.loads(body)
        except ValueError:
            raise ImmichError("no JSON") from None


def _limited(response: httpx.Response) -> bytes:
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MOST_ANSWER_BYTES:
            raise ImmichError("too long")
    return body


def _id_of(answer: Mapping[str, Any]) -> str:
    """The id in an answer, as it is put into addresses. Raises ImmichError for anything else."""
    try:
        return str(UUID(answer["id"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ImmichError("no id") from None


@contextmanager
def connected(key: str) -> Iterator[Immich]:
    """The server the admin set, asked with a key."""
    with Immich(settings.STORYKEEP.immich_url or "", key) as immich:
        yield immich
