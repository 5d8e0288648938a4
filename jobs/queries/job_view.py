"""Frozen views of one job as it stands at one moment: its lines, stories, files and progress.

`jobs.queries.snapshot` loads them; page, fragment and API read nothing else.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from django.utils import timezone
from django.utils.translation import get_language

from jobs.errors import BY_CODE, Internal, place, words
from jobs.models import Role
from jobs.states import OPEN, ItemState

SHAPE: Final = 1
"""Part of every entity tag. Raise it when pages or API show equal rows differently."""

JobPhase = Literal[
    "queued", "waiting", "looking_up", "found", "saving", "checking", "packing", "ready"
]

_DETAIL_SHOWN: Final = frozenset({"unsupported_link", "upstream_changed", "batch_too_long"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """Why something failed or waits. retry_at: when it is tried again, by itself."""

    code: str
    detail: str = ""
    retry_at: datetime | None = None

    @property
    def message(self) -> str:
        """What happened, in the reader's language; with the place or id where that helps."""
        said, _ = words(self.code)
        telling = self.code in _DETAIL_SHOWN or self.code == Internal.code
        return f"{said} ({place(self.detail)})" if telling and self.detail else said

    @property
    def hint(self) -> str:
        """What to try, in the reader's language."""
        return words(self.code)[1]

    @property
    def retryable(self) -> bool:
        """May the same succeed later?"""
        return BY_CODE.get(self.code, Internal).retryable

    def retry_after_s(self, now: datetime | None = None) -> int | None:
        """Whole seconds until retry_at, never below 0."""
        if self.retry_at is None:
            return None
        return max(0, math.ceil((self.retry_at - (now or timezone.now())).total_seconds()))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileView:
    """A file, or where one was. removed_at: when it was cleaned up; None while it can be taken.

    labels: what to know about it (`hevc`, `poster`, …), its role included where that is one.
    """

    id: UUID
    role: Role
    position: int
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    width: int | None
    height: int | None
    duration_s: float | None
    has_audio: bool
    checked: bool
    labels: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    removed_at: datetime | None

    @property
    def present(self) -> bool:
        """It can be taken."""
        return self.removed_at is None

    @property
    def is_video(self) -> bool:
        """It plays."""
        return self.content_type.startswith("video/")

    @property
    def is_picture(self) -> bool:
        """It shows."""
        return self.content_type.startswith("image/")


@dataclass(frozen=True, slots=True, kw_only=True)
class TileView:
    """One picture or video of a story with all that was made from it; a square of the grid.

    media, poster: present or removed; None while not saved. extras: other present files.
    """

    position: int
    media: FileView | None
    poster: FileView | None
    extras: tuple[FileView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryView:
    """One story. files: the newest of each kind and place, removed ones too; zip likewise.

    saved: how many of its media_count pictures or videos were saved, whether still here or not.
    """

    id: UUID
    tiktok_id: str
    kind: str
    is_story: bool
    posted_at: datetime
    leaves_at: datetime | None
    caption: str
    source_url: str
    media_count: int
    state: ItemState
    error: ErrorView | None
    files: tuple[FileView, ...]
    zip: FileView | None
    saved: int

    @property
    def present(self) -> tuple[FileView, ...]:
        """The files that can be taken."""
        return tuple(file for file in self.files if file.present)

    @property
    def missing(self) -> tuple[int, ...]:
        """Positions that were never saved."""
        have = {file.position for file in self.files if file.role == Role.MEDIA}
        return tuple(place for place in range(1, self.media_count + 1) if place not in have)

    @property
    def tiles(self) -> tuple[TileView, ...]:
        """One for each of its media, in order, saved or not."""
        return tuple(self._tile(position) for position in range(1, self.media_count + 1))

    def _tile(self, position: int) -> TileView:
        here = [file for file in self.files if file.position == position]
        by_role = {file.role: file for file in here}
        return TileView(
            position=position,
            media=by_role.get(Role.MEDIA),
            poster=by_role.get(Role.POSTER),
            extras=tuple(
                file for file in here if file.present and file.role not in {Role.MEDIA, Role.POSTER}
            ),
        )

    @property
    def songs(self) -> tuple[FileView, ...]:
        """Present files that belong to no single picture: the attached song."""
        return tuple(file for file in self.files if file.position == 0 and file.present)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorView:
    """Who it is, once known."""

    id: str
    name: str
    nickname: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressView:
    """How far. files_*: media files, not extras. bytes_total: as far as known.

    eta_s: seconds left, None while nothing is known; it ages by itself and is no change.
    """

    phase: JobPhase
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    eta_s: int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """One line. name: the author's, or the one that was asked for; "" when neither is known.

    found: stories listed; None before the list is here.
    """

    id: UUID
    position: int
    line: str
    kind: str
    name: str
    state: ItemState
    error: ErrorView | None
    author: AuthorView | None
    stories: tuple[StoryView, ...]
    progress: ProgressView
    found: int | None

    @property
    def open(self) -> bool:
        """Not settled yet."""
        return self.state in OPEN

    @property
    def waiting(self) -> bool:
        """Queued because something did not work yet; `error` says what and until when."""
        return self.state == ItemState.QUEUED and self.error is not None

    @property
    def retryable(self) -> bool:
        """Settled short of what was asked, and another try may help."""
        short = self.state in {ItemState.FAILED, ItemState.PARTIAL}
        return short and (self.error is None or self.error.retryable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A job and everything in it.

    files_expire_at: when the first of its files goes. bundle: its ZIP while that can be taken.
    selection: likewise, of the files chosen last. packing: one of the two is on its way.
    bundle_error, selection_error: why it did not come about.
    place: 1 = next in the queue; None once something has started. A guess when people share.
    refused_until, refused_code: lines wait because TikTok turns this server away.
    """

    id: UUID
    state: ItemState
    note: str
    prefer: str
    posts: bool
    audio: str
    created_at: datetime
    settled_at: datetime | None
    files_expire_at: datetime | None
    progress: ProgressView
    items: tuple[ItemView, ...]
    bundle: FileView | None
    bundle_error: ErrorView | None
    selection: FileView | None
    selection_error: ErrorView | None
    packing: bool
    place: int | None
    refused_until: datetime | None
    refused_code: str

    @property
    def settled(self) -> bool:
        """Nothing will change by itself but the clocks: polling can stop."""
        return self.state not in OPEN and not self.packing

    @property
    def retryable(self) -> int:
        """How many lines another try may help."""
        return sum(item.retryable for item in self.items)

    @property
    def stories(self) -> tuple[StoryView, ...]:
        """Every story of every line."""
        return tuple(story for item in self.items for story in item.stories)

    @property
    def present(self) -> tuple[FileView, ...]:
        """Every file of a story that can be taken, posters and ZIPs left out."""
        return tuple(
            file for story in self.stories for file in story.present if file.role != Role.POSTER
        )

    @property
    def counts(self) -> dict[str, int]:
        """How many lines are in each state that occurs."""
        states = [str(item.state) for item in self.items]
        return {state: states.count(state) for state in dict.fromkeys(states)}

    @property
    def etag(self) -> str:
        """An entity tag, equal while nothing changed for this reader.

        Times count as they are, not as what is left of them, and so do not change by passing.
        """
        content = f"{SHAPE} {get_language()} {self!r}".encode(errors="replace")
        return f'W/"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
