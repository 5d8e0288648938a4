"""The events of one harvest, in the order they happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stories.errors import StoriesError
from stories.left_out import LeftOutReason
from stories.structures import Author, Story, Verified

Role = Literal["media", "poster", "converted", "audio_track", "attached_song"]

SOUND_MISSING = "sound_missing"
"""The label of a video without the sound that it has at TikTok: it is worth another attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The account is known."""

    author: Author


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarReady:
    """The author's picture has arrived; at any time, at most once.

    picture: a small square JPEG made here (stories/media/avatars.py), a few kilobytes.
    """

    picture: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The stories are known, oldest first.

    left_out: reason -> number of stories that the list names or promises and that are not among
    these; empty only for a complete list. left_out_ids: item id -> that reason, where there is one.
    details: reason -> what is wrong with the first of them, where more can be said.
    """

    author: Author
    stories: tuple[Story, ...]
    left_out: Mapping[LeftOutReason, int] = field(default_factory=dict)
    left_out_ids: Mapping[str, LeftOutReason] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferring:
    """A file is being transferred; at most a few of these per second and file.

    bytes_total: None where no size is known.
    """

    story_id: str
    position: int
    bytes_done: int
    bytes_total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """A file was transferred and is being verified."""

    story_id: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReady:
    """A file is complete and verified, under `key` in the workspace.

    position: of the media item it is, or is derived from. sha256: hex. labels: for the person who
    gets it ("hevc", "no_sound", "sound_missing"), and the role of a file that is no media itself.
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
    """A media item of a story could not be saved; the others go on."""

    story_id: str
    position: int
    error: StoriesError


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryFinished:
    """The last event of a story.

    saved, expected: numbers of media items, those that an earlier attempt saved included. error:
    of the first media item that failed. lacks: why a sound is missing that was asked for, or that
    belongs to one of the saved; the story is not complete without it.
    """

    story_id: str
    saved: int
    expected: int
    error: StoriesError | None = None
    lacks: StoriesError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A trouble that fails nothing: a derived file that nobody asked for was not made, say."""

    message: str
    story_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownHosts:
    """Files are on hosts that are on no list of ours. hosts: their plain DNS names."""

    hosts: tuple[str, ...]


Event = (
    Resolved
    | AvatarReady
    | Listed
    | Transferring
    | Checking
    | FileReady
    | MediaFailed
    | StoryFinished
    | Warned
    | UnknownHosts
)
