"""Immich's API, as far as a library is sent to it: one file at a time, and the album it goes into.

The address is the admin's, and may be one of the local network; what a member gives is a key alone.
httpx is loaded when something is sent, and not before.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self, TypeVar
from uuid import UUID

from django.conf import settings

if TYPE_CHECKING:
    import httpx

DEVICE: Final = "storykeep"
CONNECT_S: Final = 10.0
ANSWER_S: Final = 120.0
"""Seconds Immich may take: it reads and hashes a file before it answers."""
BODY_S: Final = 30.0
"""Seconds an answer may take once it has begun."""
MOST_ANSWER_BYTES: Final = 16 * 1024 * 1024
MOST_WORDS_BYTES: Final = 4096
"""Of an answer that says no."""
SLOWEST_BYTES_PER_S: Final = 64 * 1024
"""A file that is sent more slowly than this, beyond ANSWER_S, is not sent on."""
PULSE_S: Final = 0.25
CLOSE_S: Final = 1.0
_GOOD: Final = frozenset({200, 201})
_NO_ROOM: Final = b"quota has been exceeded"
"""It has no status of its own for this. Where it says it in other words, it is NotNow."""

T = TypeVar("T")


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


class NotNow(ImmichError):
    """It takes nothing of this member now, or it does not take this file: it says 400 to both."""

    code = "not_now"


class NoRoom(NotNow):
    """The member's quota there is used up."""

    code = "no_room"


class NotInAlbum(ImmichError):
    """It does not put this file into this album, though the album is there."""


class NotThere(ImmichError):
    """There is no such thing at this address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file to be sent. at: when it was posted, aware. sha1: in hex. key: names it for good.

    file: read on another thread.
    """

    key: str
    name: str
    content_type: str
    file: BinaryIO
    size_bytes: int
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

    Questions run on a thread of their own, so that one can be ended at any moment, whatever the
    server does. url: its address, without a path. pulse: called about four times a second while
    something is asked; whatever it raises ends the question.
    """

    def __init__(self, url: str, key: str, pulse: Callable[[], None]) -> None:
        self._url, self._key, self._pulse = url, key, pulse
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="immich", daemon=True)
        self._client: httpx.AsyncClient

    def __enter__(self) -> Self:
        import httpx

        from stories.http.tls import client_context

        bundle = settings.STORYKEEP.ca_bundle
        self._client = httpx.AsyncClient(
            base_url=f"{self._url}/api",
            headers={"x-api-key": self._key, "accept": "application/json"},
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            trust_env=False,
            follow_redirects=False,
            verify=client_context(str(bundle) if bundle else None),
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        closing = asyncio.run_coroutine_threadsafe(self._client.aclose(), self._loop)
        with suppress(Exception):
            closing.result(CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S)
        if not self._thread.is_alive():  # one that hangs in a disk ends by itself
            self._loop.close()

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
            longest_s=ANSWER_S + upload.size_bytes / SLOWEST_BYTES_PER_S,
        )  # fmt: skip
        status = answer.get("status") if isinstance(answer, dict) else None
        if not isinstance(status, str) or status not in {"created", "duplicate", "replaced"}:
            raise ImmichError("no status")
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
        answer = self._ask("PUT", f"/albums/{album_id}/assets", json={"ids": [asset_id]})
        match answer:
            case [{"success": True}] | [{"error": "duplicate"}]:
                return
            case [{"error": error}]:
                raise NotInAlbum(str(error)[:32])
        raise ImmichError("no answer for the file")

    def _ask(
        self, method: str, path: str, *, longest_s: float | None = None, **options: Any
    ) -> Any:
        """The JSON of an answer. longest_s: seconds until the question is ended, ANSWER_S by
        default. Raises ImmichError, and what the pulse and the file that is sent raise."""
        import httpx

        try:
            status, body = self._within(
                ANSWER_S if longest_s is None else longest_s,
                self._exchange(method, path, **options),
            )
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unreachable(type(error).__name__) from error
        if status in {401, 403}:
            raise KeyNotTaken(str(status))
        if status in {408, 429} or status >= 500:
            raise Unreachable(str(status))
        if status == 404:
            raise NotThere(str(status))
        if status == 400 and _NO_ROOM in body.lower():
            raise NoRoom(str(status))
        if status in {400, 422}:
            raise NotNow(str(status))
        if status in {413, 415}:
            raise NotTaken(str(status))
        if status not in _GOOD:  # a sign-in in front of it, perhaps: nothing to give up for
            raise ImmichError(str(status))
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise ImmichError("no JSON") from None

    def _within(self, longest_s: float, question: Coroutine[Any, Any, T]) -> T:
        """What a question brings. Raises Unreachable when its time is over."""
        ended = threading.Event()

        async def ask() -> T:
            try:
                return await question
            finally:
                ended.set()

        end = time.monotonic() + longest_s
        asked = asyncio.run_coroutine_threadsafe(ask(), self._loop)
        try:
            self._pulse()
            while time.monotonic() < end:
                if wait([asked], timeout=PULSE_S).done:
                    return asked.result()
                self._pulse()
        finally:
            if not asked.done():
                asked.cancel()
                ended.wait(CLOSE_S)  # before the file that is sent is closed
        raise Unreachable("too slow")

    async def _exchange(self, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        """Status and body of an answer; of one that says no, the status is enough, or its first
        words."""
        async with self._client.stream(method, path, **options) as response:
            is_good = response.status_code in _GOOD
            body = b""
            if is_good or response.status_code == 400:
                async with asyncio.timeout(BODY_S):
                    async for chunk in response.aiter_bytes():
                        body += chunk
                        if len(body) > MOST_ANSWER_BYTES:
                            raise ImmichError("too long")
                        if not is_good and len(body) > MOST_WORDS_BYTES:
                            break
            return response.status_code, body


def _id_of(answer: Mapping[str, Any]) -> str:
    """The id in an answer, as it is put into addresses. Raises ImmichError for anything else."""
    try:
        return str(UUID(answer["id"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ImmichError("no id") from None


@contextmanager
def connected(key: str, pulse: Callable[[], None]) -> Iterator[Immich]:
    """The server the admin set, asked with a key. pulse: as `Immich` has it."""
    with Immich(settings.STORYKEEP.immich_url or "", key, pulse) as immich:
        yield immich
