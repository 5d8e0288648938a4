"""Serving saved files over HTTP: ranges, caching, file names, and how many downloads at once."""

from __future__ import annotations

import re
import resource
import threading
import unicodedata
import weakref
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO, Final, Protocol
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import DatabaseError
from django.db.models import F
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.http import http_date, parse_http_date, parse_http_date_safe

from jobs.errors import Damaged, Expired, TooManyDownloads
from jobs.files import collection, damage, disk, redirects, store, times
from jobs.files.stores import length
from jobs.models import DAMAGED, Artifact, Role

BLOCK_BYTES: Final = 64 * 1024
BUSY_RETRY_S: Final = 5
SMALL_BYTES: Final = 256 * 1024
MAX_DOWNLOADS: Final = 4096
"""Downloads under way at once, where there are descriptors for as many."""
LEAST_RATE: Final = 16 * 1024
"""Bytes a second: a download that is taken more slowly may have to make room for others'."""
PACE: Final = "storykeep.pace"
"""Where our web server says how fast an answer is taken (`webapp.server.pace`)."""

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)
_INLINE = re.compile(r"(video|audio|image)/(?!svg)[a-z0-9.+-]+", re.ASCII)
# Opened in a tab of its own, the file is shown by the browser and may do nothing else. Without our
# origin Chromium's player may not fetch the video it shows; no script runs there in any case.
INLINE_POLICY = (
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; "
    "sandbox allow-same-origin"
)


class _FileWindow:
    """A part of an open file, from where it stands; a server that knows the length may send it by
    its descriptor."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._left = file, length

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(chunk)
        return chunk

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(BLOCK_BYTES):
            yield chunk


def downloads_at_once() -> int:
    """How many downloads this process has descriptors for: a quarter of them.

    A download holds one for its file beside its connection's, and no thread: a household with two
    hundred phones on slow lines is served, and nobody's can keep others from opening a file. Out of
    a bucket it holds a thread while it lasts: half of them are left to everything else, and where
    these places are short the slowest download makes room.
    """
    if store.is_remote():
        return max(2, int(settings.STORYKEEP.web_threads) // 2)
    descriptors, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return MAX_DOWNLOADS
    return max(2, min(MAX_DOWNLOADS, descriptors // 4))


class Pace(Protocol):
    """How fast a download is taken for which the web server waits. rate: bytes a second; None while
    it is not known, or while something else is waited for."""

    @property
    def rate(self) -> float | None: ...

    def give_up(self) -> None:
        """End the download."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A download under way. pace: of one that holds a thread of a server that tells."""

    user_id: object
    pace: Pace | None

    @property
    def slow_rate(self) -> float | None:
        """Its bytes a second, where they are fewer than others can be asked to wait for."""
        rate = self.pace.rate if self.pace else None
        return None if rate is None or rate >= LEAST_RATE else rate


class DownloadSlots:
    """Counts downloads under way in this process, in all and per user, who may have half of all.

    When all are taken, a slow one that holds a thread gives way: of whoever has most, and more than
    who asks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: set[Place] = set()
        self._taken: Counter[object] = Counter()

    def take(self, user_id: object, pace: Pace | None = None) -> Place:
        """Count one more download. Raises TooManyDownloads."""
        most = downloads_at_once()
        place = Place(user_id, pace)
        with self._lock:
            if self._taken[user_id] >= most // 2 or (
                len(self._places) >= most and not self._give_up_slowest(self._taken[user_id])
            ):
                raise TooManyDownloads(retry_after_s=BUSY_RETRY_S)
            self._places.add(place)
            self._taken[user_id] += 1
        return place

    def _give_up_slowest(self, own: int) -> bool:
        """End a download of somebody who has more of them than `own`; whether there was one."""
        slow = [
            (-self._taken[place.user_id], rate, index, place)
            for index, place in enumerate(self._places)
            if self._taken[place.user_id] > own and (rate := place.slow_rate) is not None
        ]
        if not slow:
            return False
        *_order, place = min(slow)
        self._remove(place)
        if place.pace:
            place.pace.give_up()
        return True

    def give_back(self, place: Place) -> None:
        """Count one download less. Twice is harmless."""
        with self._lock:
            if place in self._places:
                self._remove(place)

    def _remove(self, place: Place) -> None:
        self._places.remove(place)
        self._taken[place.user_id] -= 1
        if self._taken[place.user_id] <= 0:
            del self._taken[place.user_id]

    def total(self) -> int:
        """The number of downloads under way."""
        with self._lock:
            return len(self._places)


slots = DownloadSlots()


class _ArtifactResponse(FileResponse):
    """A file or a part of it, with the headers we give it and none guessed."""

    block_size = BLOCK_BYTES
    _release: weakref.finalize[..., Any] | None = None

    def set_headers(self, filelike: Any) -> None:
        """Set nothing: the row knows type, name and length better than the file does."""

    def occupy_slot(self, place: Place, file: BinaryIO) -> None:
        """Give the slot back, once: when the response is closed, or dropped without having been."""
        self._release = weakref.finalize(self, _release_slot, place, file)

    def close(self) -> None:
        super().close()
        if self._release is not None:
            self._release()


def _release_slot(place: Place, file: BinaryIO) -> None:
    file.close()
    slots.give_back(place)


def file_response(
    request: HttpRequest,
    user: AbstractBaseUser | AnonymousUser,
    artifact_id: UUID,
    *,
    inline: bool = False,
) -> HttpResponseBase:
    """The response to a GET or HEAD for one of a user's files.

    inline: for viewing rather than saving, where the type allows it. A file in a bucket may be
    answered with its address there (`redirects`). Raises Http404 for a file that
    is not this user's, Expired for one that is gone, Damaged for one that the disk has not kept
    whole, StorageUnavailable, TooManyDownloads.
    """
    rows = Artifact.objects.visible_to(user).select_related("story")
    artifact = rows.annotate(from_watch=F("job__from_watch")).filter(pk=artifact_id).first()
    if artifact is None:
        raise Http404
    now = timezone.now()
    if artifact.removed_at or artifact.expires_at <= now:
        raise Damaged if DAMAGED in artifact.labels else Expired
    headers = _headers(artifact, now, inline=inline)
    refused = _failed_condition(request, headers)
    if refused is not None:
        return _empty_response(refused, headers)
    if not inline and redirects.is_wanted(request) and _is_whole_in_bucket(artifact):
        leads_there = redirects.redirect(artifact, disposition=headers["Content-Disposition"])
        if leads_there is not None:
            return leads_there
    with disk.translate_disk_errors():
        file = _open_whole(artifact)
    try:
        return _serve(request, artifact, file, headers, collects=not inline)
    except BaseException:
        file.close()
        raise


def _is_whole_in_bucket(artifact: Artifact) -> bool:
    """Whether a file has the length it was saved with. Raises StorageUnavailable."""
    with disk.translate_disk_errors():
        return store.size(artifact.pk) == artifact.size_bytes


def _open_whole(artifact: Artifact) -> BinaryIO:
    """The file, of the length it was saved with. Raises Expired, Damaged and OSError."""
    with suppress(FileNotFoundError):
        file = store.open_artifact(artifact.pk)
        if length(file) == artifact.size_bytes:
            return file
        file.close()
    if not Artifact.objects.filter(pk=artifact.pk, removed_at=None).exists():
        raise Expired("deleted this moment")
    with suppress(DatabaseError):  # the sweep gives it up, then
        damage.give_up([artifact])
    raise Damaged


def _serve(
    request: HttpRequest,
    artifact: Artifact,
    file: BinaryIO,
    headers: dict[str, str],
    *,
    collects: bool,
) -> HttpResponseBase:
    """collects: it is saved, not looked at."""
    size = artifact.size_bytes
    asked = _requested_range(request, headers["ETag"], headers["Last-Modified"], size)
    if asked == UNSATISFIABLE:
        file.close()
        return _empty_response(416, headers | {"Content-Range": f"bytes */{size}"})
    start, end = asked or (0, size - 1)
    length_bytes = end - start + 1
    headers["Content-Length"] = str(length_bytes)
    if _is_head(request):
        file.close()
        return HttpResponse(headers=headers)
    place = None
    if artifact.role != Role.POSTER or size > SMALL_BYTES:
        # Only who holds a thread is asked to make room for others.
        pace = request.META.get(PACE) if store.is_remote() else None
        place = slots.take(artifact.owner_id, pace)
    try:
        if asked is None:
            response = _ArtifactResponse(file, headers=headers)
        else:
            file.seek(start)
            window = _FileWindow(file, length_bytes)
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
            response = _ArtifactResponse(window, status=206, headers=headers)
    except BaseException:
        if place:
            slots.give_back(place)
        raise
    if place:
        response.occupy_slot(place, file)
    # All of it, or the rest of a download that broke off. One byte from the end is not a file.
    resumed = start > 0 and "If-Range" in request.headers
    if collects and end == size - 1 and (start == 0 or resumed):
        _collect_when_sent(request, artifact)
    return response


def _collect_when_sent(request: HttpRequest, artifact: Artifact) -> None:
    """Have a file that is kept until then noted as collected, where the server tells its end."""
    pace = request.META.get(PACE)
    if pace is not None and collection.waits(artifact, from_watch=vars(artifact)["from_watch"]):
        pace.when_sent = partial(collection.note_downloaded, artifact)


def _is_head(request: HttpRequest) -> bool:
    # As it arrived: to views every HEAD looks like a GET (webapp/middleware.py).
    return bool(request.META["REQUEST_METHOD"] == "HEAD")


UNSATISFIABLE: Final = (-1, -1)


def _requested_range(
    request: HttpRequest, etag: str, last_modified: str, size: int
) -> tuple[int, int] | None:
    """First and last byte requested; None for the whole file; UNSATISFIABLE past its end.

    Several ranges, reversed ones and other units are answered with the whole file, as RFC 9110
    allows.
    """
    if _is_head(request):
        return None
    match = _ONE_RANGE.fullmatch(request.headers.get("Range", "").strip())
    if not match or not any(match.groups()):
        return None
    # The date is as good as the tag: at this address there never is another file.
    if request.headers.get("If-Range", etag).strip() not in {etag, last_modified}:
        return None
    first, last = match.groups()
    if not first:
        length = int(last)
        return (max(size - length, 0), size - 1) if length and size else UNSATISFIABLE
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        return UNSATISFIABLE
    return start, min(int(last), size - 1) if last else size - 1


def _failed_condition(request: HttpRequest, headers: dict[str, str]) -> int | None:
    """304 or 412 where the request's conditions say so (RFC 9110, section 13.2.2); else None."""
    etag, modified = headers["ETag"], parse_http_date(headers["Last-Modified"])
    sent = request.headers
    unmodified = _no_later(modified, sent.get("If-Unmodified-Since", ""))
    if "If-Match" in sent:
        unmodified = _etag_matches(sent["If-Match"], etag, weak=False)
    if unmodified is False:
        return 412
    if "If-None-Match" in sent:
        return 304 if _etag_matches(sent["If-None-Match"], etag, weak=True) else None
    return 304 if _no_later(modified, sent.get("If-Modified-Since", "")) else None


def _no_later(modified: int, header: str) -> bool | None:
    """Whether a date is at or before the one in a header; None when that holds no date."""
    since = parse_http_date_safe(header)
    return None if since is None else modified <= since


def _etag_matches(header: str, etag: str, *, weak: bool) -> bool:
    tags = {tag.strip() for tag in header.split(",")}
    if weak:
        tags = {tag.removeprefix("W/") for tag in tags}
    return etag in tags or "*" in tags


def _last_modified(artifact: Artifact) -> datetime:
    """When the story was posted; of a ZIP of several stories, when it was packed."""
    posted_at = artifact.story.posted_at if artifact.story else artifact.created_at
    return times.file_time(posted_at, artifact.created_at)


def _headers(artifact: Artifact, now: datetime, *, inline: bool) -> dict[str, str]:
    shown = inline and bool(_INLINE.fullmatch(artifact.content_type))
    left_s = int((artifact.expires_at - now).total_seconds())
    # A picture of the grid is asked for again with every look at the page; it may rest in the
    # visitor's own browser for a while. The rest is asked after each time, at the price of a 304.
    fresh = f"max-age={max(0, min(600, left_s))}" if artifact.role == Role.POSTER else "no-cache"
    return {
        "Repr-Digest": repr_digest(artifact.sha256),
        "Content-Type": artifact.content_type,
        "Content-Disposition": disposition(artifact.name, attachment=not shown),
        "ETag": f'"{artifact.pk}"',
        "Last-Modified": http_date(_last_modified(artifact).timestamp()),
        "Accept-Ranges": "bytes",
        "Cache-Control": f"private, {fresh}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": INLINE_POLICY,
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def _empty_response(status: int, headers: dict[str, str]) -> HttpResponse:
    """A response with headers about the file and no body."""
    response = HttpResponse(status=status, headers=headers)
    for name in ("Content-Type", "Content-Disposition", "Repr-Digest"):
        del response.headers[name]
    return response


def repr_digest(sha256: str) -> str:
    """A Repr-Digest header: of the whole file, also beside a part of it (RFC 9530).

    sha256: in hex.
    """
    return f"sha-256=:{b64encode(bytes.fromhex(sha256)).decode()}:"


def disposition(name: str, *, attachment: bool) -> str:
    """A Content-Disposition header with both forms of a name: `filename` in ASCII, `filename*` in
    UTF-8 (RFC 6266)."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^ !#-$&-\[\]-~]", "_", folded) if folded.strip(" ._") else "download"
    kind = "attachment" if attachment else "inline"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
