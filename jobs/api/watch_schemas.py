"""The shapes of watches that the API takes and gives; public, as those of jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, model_validator

from jobs.api.schemas import NOTE_LENGTH, ErrorOut, Text
from jobs.models import Watch, WatchState
from jobs.queries.job_view import ErrorView
from jobs.watching.coverage import Gap

Seconds = Annotated[int, Field(ge=1, le=86400, strict=True)]
Note = Annotated[Text, Field(max_length=NOTE_LENGTH)]


def _named(text: str | None) -> str | None:
    return text or None


class WatchIn(BaseModel):
    """`line`, a name or link as in a job, or `name`, with or without "@"."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "harbour.bakery", "every_s": 21600}]},
    )

    line: Annotated[Text | None, AfterValidator(_named)] = None
    name: Annotated[Text | None, AfterValidator(_named)] = None
    every_s: Seconds | None = Field(None, description="Seconds between two looks.")
    note: Note = ""
    notify: StrictBool = True

    @model_validator(mode="after")
    def _has_line_or_name(self) -> Self:
        if (self.line is None) == (self.name is None):
            raise ValueError("give either line or name")
        return self

    def asked(self) -> str:
        """What names the account."""
        return self.line or f"@{(self.name or '').removeprefix('@')}"


class WatchPatch(BaseModel):
    """What to change. `renew`: let it go on for another 30 days; so does any change but a pause."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"note": "For the exhibition in spring"}]}
    )

    every_s: Seconds | None = None
    note: Note | None = None
    notify: StrictBool | None = None
    state: Literal["paused", "active"] | None = None
    renew: StrictBool = False


class WatchedAuthorOut(BaseModel):
    """The account that is watched. id: null until the first look has told it."""

    id: str | None
    name: str
    nickname: str


class WatchOut(BaseModel):
    """An account that is watched.

    state: `checking` until the first look, then `active`, `paused` or `ended`. author: its id is
    null until the first look. next_at: null while it is not looked at. covered_until: every story
    that stayed its full day was seen up to then. renew_by: it ends then unless it is renewed.
    error: why the last look brought less than everything, or why it ended.
    """

    id: UUID
    author: WatchedAuthorOut
    every_s: int
    state: WatchState
    next_at: datetime | None
    looked_at: datetime | None
    covered_until: datetime | None
    renew_by: datetime
    note: str
    notify: bool
    error: ErrorOut | None

    @classmethod
    def of(cls, watch: Watch) -> WatchOut:
        """The watch as JSON; `account` is read with it."""
        account = watch.account
        error = ErrorView(code=watch.error_code) if watch.error_code else None
        return cls(
            id=watch.pk,
            author=WatchedAuthorOut(
                id=(watch.name and account.tiktok_id) or None,
                name=watch.known_name,
                nickname=watch.nickname,
            ),
            every_s=watch.every_s,
            state=WatchState(watch.state),
            next_at=watch.next_at,
            looked_at=watch.looked_at,
            covered_until=watch.covered_until,
            renew_by=watch.renew_by,
            note=watch.note,
            notify=watch.notify,
            error=ErrorOut.from_view(error) if error else None,
        )


class WatchList(BaseModel):
    """One page of watches, newest first. next: the `cursor` of the next one; null at the end."""

    watches: list[WatchOut]
    next: str | None


class GapOut(BaseModel):
    """A time that is not covered. ends_at: null while it goes on."""

    begins_at: datetime
    ends_at: datetime | None

    @classmethod
    def of(cls, gap: Gap) -> GapOut:
        """The gap as JSON."""
        return cls(begins_at=gap.begins_at, ends_at=gap.ends_at)


class GapList(BaseModel):
    """The gaps of the last 30 days, newest first."""

    gaps: list[GapOut]
