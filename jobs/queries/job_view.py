"""Frozen views of one job as it stands at one moment: its lines, stories, files and progress.

`jobs.queries.snapshot` loads them; page, fragment and API read nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from django.utils import timezone

from jobs.errors import (
    BUG_CODES,
    BY_CODE,
    Cancelled,
    Internal,
    is_refusal,
    message_and_hint,
    retry_may_help,
)
from jobs.left_out import LeftOut, total
from jobs.models import DAMAGED, Role
from jobs.queries.empty_lines import empty_reason
from jobs.queries.looks import look
from jobs.states import OPEN, ItemState

JobPhase = Literal[
    "queued", "waiting", "looking_up", "found", "saving", "checking", "packing", "ready"
]

_TECHNICAL: Final = frozenset({"unknown_answer", "upstream_changed", "batch_too_long"})
"""Codes whose detail says where it went wrong, for whoever can mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """The error of a line, story or package.

    retry_at: when it is tried again automatically. left_out: what a line's list leaves out, where
    the error stands for that.
    """

    code: str
    detail: str = ""
    retry_at: datetime | None = None
    left_out: LeftOut | None = None

    @property
    def message(self) -> str:
        """What went wrong, in the reader's language.

        The sentence of `left_out`; else the code's, and `technical` or `bug_id` in brackets.
        """
        beside = self.technical or self.bug_id
        return f"{self.sentence} ({beside})" if beside else self.sentence

    @property
    def sentence(self) -> str:
        """The message without anything that only whoever can mend it understands."""
        if self.left_out is not None:
            return self.left_out.message
        return message_and_hint(self.code, self.detail)[0]

    @property
    def technical(self) -> str:
        """A path, a host or a code of TikTok's, for whoever can mend it; "" for none."""
        return self.detail if self.code in _TECHNICAL and self.left_out is None else ""

    @property
    def bug_id(self) -> str:
        """The id of a bug of ours, for its reader to quote; "" for any other error."""
        return self.detail if self.code in BUG_CODES else ""

    @property
    def hint(self) -> str:
        """The hint in the reader's language: what to try; "" for none."""
        if self.left_out is not None:
            return self.left_out.hint
        return message_and_hint(self.code)[1]

    @property
    def retryable(self) -> bool:
        """True for an error after which an unchanged request may succeed later."""
        return BY_CODE.get(self.code, Internal).retryable

    @property
    def is_refusal(self) -> bool:
        """True when TikTok turns this server away."""
        return is_refusal(self.code)

    @property
    def is_cancelled(self) -> bool:
        """True when it was cancelled on request, as its state says, too."""
        return self.code == Cancelled.code

    def retry_after_s(self, now: datetime | None = None) -> int | None:
        """Whole seconds until retry_at, at least 0; None when no retry is planned."""
        if self.retry_at is None:
            return None
        return max(0, math.ceil((self.retry_at - (now or timezone.now())).total_seconds()))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileView:
    """A saved file, or the row of one that was deleted.

    removed_at: when it was deleted or expired; None while it can be downloaded.
    position: of its media within the story, from 1; 0 for files of no single media.
    labels: `hevc`, `no_sound`, …, and the role of files made from others.
    collected_at: when its owner had it, where it is kept until then (jobs/files/collection.py).
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
    collected_at: datetime | None = None

    @property
    def present(self) -> bool:
        """True while it can be downloaded."""
        return self.removed_at is None

    @property
    def damaged(self) -> bool:
        """True for one that was given up because the disk had not kept it as it was saved."""
        return self.removed_at is not None and DAMAGED in self.labels

    @property
    def is_video(self) -> bool:
        """True for a video."""
        return self.content_type.startswith("video/")

    @property
    def is_picture(self) -> bool:
        """True for an image."""
        return self.content_type.startswith("image/")


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaView:
    """One picture or video of a story. position: from 1.

    file, poster: present or removed; None when never saved.
    """

    position: int
    file: FileView | None
    poster: FileView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryView:
    """One story or post.

    files: the newest of each role and position, removed ones too, without the ZIP.
    zip: the newest ZIP of a carousel, perhaps removed.
    leaves_at: when it leaves TikTok; None for posts, which stay.
    media_count: pictures or videos it has; saved: how many of those were ever saved.
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
        """The files that can be downloaded."""
        return tuple(file for file in self.files if file.present)

    @property
    def missing(self) -> tuple[int, ...]:
        """Positions of media that were never saved."""
        saved = {file.position for file in self.files if file.role == Role.MEDIA}
        positions = range(1, self.media_count + 1)
        return tuple(position for position in positions if position not in saved)

    @property
    def damaged(self) -> tuple[int, ...]:
        """Positions of media that were saved and given up as damaged."""
        return tuple(
            file.position for file in self.files if file.role == Role.MEDIA and file.damaged
        )

    @property
    def media(self) -> tuple[MediaView, ...]:
        """Its pictures and videos in order, saved or not."""
        return tuple(self._media_at(position) for position in range(1, self.media_count + 1))

    def _media_at(self, position: int) -> MediaView:
        by_role = {file.role: file for file in self.files if file.position == position}
        return MediaView(
            position=position, file=by_role.get(Role.MEDIA), poster=by_role.get(Role.POSTER)
        )

    def is_on_tiktok(self, now: datetime) -> bool:
        """True while TikTok should still serve it under `source_url`."""
        return bool(self.source_url) and (self.leaves_at is None or self.leaves_at > now)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorView:
    """The account behind a line, once looked up. id: TikTok's, which never changes.

    avatar: address of its picture, which was saved with the line; "" when there is none.
    """

    id: str
    name: str
    nickname: str
    avatar: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressView:
    """The progress of a line or job. files_*: media files, extras not counted.

    bytes_total: the sum of the sizes known so far. eta_s: seconds left, None while unknown; it
    counts down by itself, so the entity tag leaves it out. share: how much of its work is done, 0
    to 1, and 1 only once it is settled; it grows and never falls until a retry begins it anew.
    took_s: seconds from the beginning of a settled line's last attempt to its end, where known.
    """

    phase: JobPhase
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    eta_s: int | None = None
    share: float = 0.0
    took_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """One line of a job.

    name: the author's name, or the requested one until it is known; "" when there is neither.
    found: how many stories TikTok lists; None until it was asked.
    error: why it failed or waits; None while it runs.
    left_out: what the last list of the account names or promises and does not hand over; empty
    when that list was complete, before there is one, and for a single link.
    refetch_of: id of the earlier line whose rest it fetches, if any.
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
    left_out: tuple[LeftOut, ...] = ()
    refetch_of: UUID | None = None

    @property
    def open(self) -> bool:
        """True until it is settled."""
        return self.state in OPEN

    @property
    def look(self) -> str:
        """Its state as pages show it: `skipped` where only what was pasted is at fault."""
        return look(self.state, self.error.code if self.error else "")

    @property
    def waiting(self) -> bool:
        """True when it is queued for another attempt; `error` says why and until when."""
        return self.state == ItemState.QUEUED and self.error is not None

    @property
    def retryable(self) -> bool:
        """True when it failed, or saved a part, and a retry may help."""
        return retry_may_help(self.state, self.error.code if self.error else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A job and everything in it at one moment.

    files_expire_at: when the first of its files is deleted, posters aside.
    bundle: the ZIP of all files while it can be downloaded; selection: of the files chosen last.
    bundle_error, selection_error: why that ZIP failed. packing: one of the two is being packed;
    packed_percent: how much of it, 0 to 99, None until its worker has said so.
    queue_position: 1 = next; None once a line has started. A guess when several people wait.
    refused_until, refused_code: set while lines wait because TikTok turns this server away.
    from_watch: nobody sent it; a watch found something new.
    etag: its fingerprint's (`jobs.queries.fingerprint`); "" in a list, as queue_position is None.
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
    queue_position: int | None
    refused_until: datetime | None
    refused_code: str
    from_watch: bool = False
    etag: str = ""
    packed_percent: int | None = None

    @property
    def settled(self) -> bool:
        """True when nothing but clocks will change by itself: polling can stop."""
        return self.state not in OPEN and not self.packing

    @property
    def waits_for_owner(self) -> bool:
        """True while files are kept because their owner has not collected them."""
        return self.from_watch and any(file.collected_at is None for file in self.present)

    @property
    def retryable(self) -> int:
        """The number of lines a retry may help."""
        return sum(item.retryable for item in self.items)

    @property
    def left_out(self) -> int:
        """The number of stories that the lists of its settled lines leave out, at least."""
        return total(
            (item.name or item.line, {entry.reason: entry.count for entry in item.left_out})
            for item in self.items
            if not item.open
        )

    @property
    def empty_reason(self) -> str:
        """The code of why there was nothing to save, where that holds for every line; else ""."""
        codes = ((item.state, item.error.code if item.error else "") for item in self.items)
        return empty_reason(codes)

    @property
    def stories(self) -> tuple[StoryView, ...]:
        """Every story of every line; one that came by two lines is there twice."""
        return tuple(story for item in self.items for story in item.stories)

    @property
    def present(self) -> tuple[FileView, ...]:
        """Every file of a story that can be downloaded, posters and ZIPs left out."""
        return tuple(
            file for story in self.stories for file in story.present if file.role != Role.POSTER
        )
