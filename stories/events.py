"""What happens while one target is harvested, in the order it happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from stories.errors import StoriesError
from stories.structures import Author, Story, Verified

Role = Literal["media", "poster", "converted", "audio_track", "attached_song"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """We know who it is."""

    author: Author


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """We know what there is, oldest first. dropped: reason -> how many were left out."""

    author: Author
    stories: tuple[Story, ...]
    dropped: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferring:
    """A file is arriving; at most a few of these per second and file."""

    story_id: str
    position: int
    bytes_done: int
    bytes_total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """A file is here and is being opened."""

    story_id: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReady:
    """A file is complete and checked, under `key` in the workspace.

    position: of the media it belongs to; the poster and audio track carry their source's.
    """

    story_id: str
    position: int
    role: Role
    key: str
    size_bytes: int
    sha256: str
    verified: Verified
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFailed:
    """One media item of a story could not be had; the others go on."""

    story_id: str
    position: int
    error: StoriesError


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryFinished:
    """Nothing more comes for this story. saved: media, those of an earlier attempt included."""

    story_id: str
    saved: int
    expected: int
    error: StoriesError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Worth a log line, no more: an extra that could not be made, an odd answer."""

    message: str
    story_id: str | None = None


Event = (
    Resolved | Listed | Transferring | Checking | FileReady | MediaFailed | StoryFinished | Warned
)
