"""The shapes the API takes and gives; public, so a change here is a breaking change."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, model_validator

from jobs.lines import Line
from jobs.models import Audio, ItemKind, Prefer, StoryKind
from jobs.queries.job_view import (
    ErrorView,
    JobPhase,
)
from jobs.queue.submission import Options
from jobs.states import ItemState
from stories.errors import NotUnderstood
from stories.left_out import LeftOutReason
from stories.targets import find_lines

NOTE_LENGTH = 500
LABELS = (
    "hevc",
    "odd_format",
    "no_sound",
    "sound_missing",
    "watermarked",
    "joined",
    "retagged",
    "converted",
    "audio_track",
    "attached_song",
    "poster",
)
"""Every label a file may have."""


def _storable(text: str) -> str:
    """The text as every database takes it: whole characters, a mark in the place of each NUL.

    Left out, it would make one name of what stood before and behind it.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("half of a character is no text") from error
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


Text = Annotated[str, AfterValidator(_storable)]


# --- what comes in ------------------------------------------------------------------------------


class OptionsIn(BaseModel):
    """What to save and how; the same for every line."""

    model_config = ConfigDict(extra="forbid")

    prefer: Literal["compatible", "highest"] = "compatible"
    posts: StrictBool = Field(False, description="Save ordinary posts, too.")
    audio: Literal["none", "m4a", "mp3"] = "none"

    def options(self) -> Options:
        """The options for `submission.submit`."""
        return Options(prefer=Prefer(self.prefer), posts=self.posts, audio=Audio(self.audio))


class JobIn(BaseModel):
    """`lines`, one name or link each, or `text` as pasted from anywhere."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"lines": ["@harbour.bakery"]}]}
    )

    lines: list[Text] | None = None
    text: Text | None = None
    note: Annotated[str, Field(max_length=NOTE_LENGTH), AfterValidator(_storable)] = ""
    options: OptionsIn = OptionsIn(posts=False)

    @model_validator(mode="after")
    def _has_lines_or_text(self) -> Self:
        if (self.lines is None) == (self.text is None):
            raise ValueError("give either lines or text")
        return self

    def all_lines(self) -> list[str]:
        """The lines to submit; `text` is searched for them as a whole."""
        if self.text is not None:
            return find_lines(self.text)
        return [line for line in self.lines or () if line.strip()]


# --- what goes out; `jobs.api.job_json` writes a job ----------------------------------------------


class ErrorOut(BaseModel):
    """Why something failed or waits. docs/errors.md explains every code."""

    code: str
    message: str
    hint: str
    retryable: bool
    retry_after_s: int | None

    @classmethod
    def from_view(cls, error: ErrorView) -> ErrorOut:
        """The error as JSON."""
        return cls(
            code=error.code,
            message=error.message,
            hint=error.hint,
            retryable=error.retryable,
            retry_after_s=error.retry_after_s(),
        )


class ErrorBody(BaseModel):
    """What every answer of 400 and above holds."""

    error: ErrorOut


class RefusedLineOut(BaseModel):
    """A line that cannot be saved, and why."""

    line: str
    error: ErrorOut

    @classmethod
    def of(cls, line: Line) -> RefusedLineOut:
        """The verdict on a refused line as JSON."""
        error = line.error or NotUnderstood()
        view = ErrorView(code=error.code, detail=error.detail)
        return cls(line=line.text, error=ErrorOut.from_view(view))


class SubmitErrorBody(ErrorBody):
    """A refused submission. lines: when none can be saved, the first ones, each with its error."""

    lines: list[RefusedLineOut] = []


class FileOut(BaseModel):
    """A file that can be taken until expires_at. url: a path on this host.

    checked: damage inside would have shown; false where the format hides it, so that the file is
    known to open and no more. labels: `hevc` and `odd_format` do not play everywhere; `no_sound` is
    a video without a sound track, and with `sound_missing` there is one at TikTok that did not
    arrive; `joined` had picture and sound in two files, `retagged` had a
    name in it that players do not know: of both, the coded bytes are TikTok's own.
    """

    id: UUID
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    width: int | None
    height: int | None
    duration_s: float | None
    has_audio: bool
    checked: bool
    labels: Annotated[list[str], Field(json_schema_extra={"items": {"enum": list(LABELS)}})]
    url: str
    expires_at: datetime


class StoryOut(BaseModel):
    """One story. files: those that can be taken right now. damaged: pictures and videos that were
    saved, and given up because the disk had not kept them as they were."""

    id: UUID
    kind: StoryKind
    posted_at: datetime
    leaves_tiktok_at: datetime | None
    caption: str
    source_url: str
    state: ItemState
    error: ErrorOut | None
    files: list[FileOut]
    zip: FileOut | None
    damaged: int


class AuthorOut(BaseModel):
    """An account on TikTok. Its id never changes; its name can."""

    id: str
    name: str
    nickname: str


class LeftOutOut(BaseModel):
    """Stories that an account's list names or promises and that could not be saved.

    code: the error code this reason means. count: at least so many.
    """

    reason: LeftOutReason
    count: int
    code: str
    message: str


class ItemOut(BaseModel):
    """One line of a job. Queued with an error: it waits, and `retry_after_s` says how long.

    left_out: what an account's list names or promises beyond `stories`; such a line is `partial` or
    `failed`, never `done` or `empty`. Empty for a link to a single story.
    """

    id: UUID
    line: str
    kind: ItemKind
    state: ItemState
    error: ErrorOut | None
    author: AuthorOut | None
    stories: list[StoryOut]
    left_out: list[LeftOutOut]


class ProgressOut(BaseModel):
    """How far a job is. files_*: media files, extras not counted."""

    phase: JobPhase
    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    eta_s: int | None


class JobOut(BaseModel):
    """One submission and everything in it. from_watch: nobody sent it, a watch found it."""

    id: UUID
    state: ItemState
    note: str
    created_at: datetime
    settled_at: datetime | None
    files_expire_at: datetime | None
    progress: ProgressOut
    items: list[ItemOut]
    bundle: FileOut | None
    from_watch: bool


class JobList(BaseModel):
    """One page of jobs, newest first. next: the `cursor` of the next one; null at the end."""

    jobs: list[JobOut]
    next: str | None


class UserOut(BaseModel):
    """Who the token belongs to."""

    name: str


class QuotaOut(BaseModel):
    """What this user may use; null = no limit."""

    active_items: int | None
    items_per_day: int | None
    stored_bytes: int | None


class UsageOut(BaseModel):
    """What this user uses.

    items_per_day: of today, in UTC; refused lines are not counted. stored_bytes: of all files;
    previews (label `poster`) may go beyond the limit.
    """

    active_items: int
    items_per_day: int
    stored_bytes: int


class MeOut(BaseModel):
    """The user, their limits, and what they use of them."""

    user: UserOut
    quota: QuotaOut
    usage: UsageOut
