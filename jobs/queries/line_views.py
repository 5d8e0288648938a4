"""A line's views, made of its rows and of the progress reported of it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from jobs import left_out
from jobs.ephemeral.progress import ALL_SAVED, ItemProgress, share_of
from jobs.models import Role
from jobs.prepared import Row
from jobs.queries.avatars import avatar_address
from jobs.queries.job_view import (
    AuthorView,
    ErrorView,
    FileView,
    ItemView,
    JobPhase,
    ProgressView,
    StoryView,
)
from jobs.states import OPEN, ItemState
from stories.left_out import stored

_LABEL_ROLES: Final = frozenset({Role.CONVERTED, Role.AUDIO_TRACK, Role.ATTACHED_SONG, Role.POSTER})
_ROLES: Final[Mapping[str, Role]] = {role.value: role for role in Role}
_STATES: Final[Mapping[str, ItemState]] = {state.value: state for state in ItemState}

Groups = Mapping[UUID, list[Row]]
"""Rows by their first column, an id."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Rows of one job: its lines; stories by line and files by story, of other jobs as well."""

    lines: Sequence[Row]
    stories: Groups
    files: Groups

    def files_of_lines(self) -> Iterable[Row]:
        """The file rows of these lines' stories."""
        return (
            file
            for line in self.lines
            for story in self.stories.get(line[1], ())
            for file in self.files.get(story[1], ())
        )


def grouped(rows: Iterable[Row]) -> Groups:
    """The rows by their first column, each group in the order of the rows."""
    groups: dict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)
    return dict(groups)


@lru_cache(maxsize=256)
def _labels(text: str, role: Role) -> tuple[str, ...]:
    """The labels of a file, from their JSON, with its role where that is one."""
    labels: list[str] = json.loads(text)
    if role in _LABEL_ROLES and role.value not in labels:
        labels.append(role.value)
    return tuple(labels)


def file_view(columns: Row, now: datetime) -> FileView:
    """A file as its `job_rows.FILE` columns have it; one past its time counts as removed."""
    (
        file_id, role_name, position, name, content_type, size_bytes, sha256, width, height,
        duration_s, has_audio, checked, labels, created_at, expires_at, removed_at, collected_at,
    ) = columns  # fmt: skip
    role = _ROLES[role_name]
    if removed_at is None and expires_at <= now:
        removed_at = expires_at  # the sweep is on its way
    return FileView(
        id=file_id,
        role=role,
        position=position,
        name=name,
        content_type=content_type,
        size_bytes=size_bytes,
        sha256=sha256,
        width=width,
        height=height,
        duration_s=duration_s,
        has_audio=has_audio,
        checked=checked,
        labels=_labels(labels, role),
        created_at=created_at,
        expires_at=expires_at,
        removed_at=removed_at,
        collected_at=collected_at,
    )


def _newest(files: Iterable[FileView]) -> list[FileView]:
    """One file per role and position: the present one, else the latest of the removed ones."""
    newest: dict[tuple[Role, int], FileView] = {}
    for file in files:
        other = newest.get((file.role, file.position))
        if other is None or (file.present, file.created_at) >= (other.present, other.created_at):
            newest[file.role, file.position] = file
    return list(newest.values())


def _error(code: str, detail: str, retry_at: datetime | None = None) -> ErrorView | None:
    return ErrorView(code=code, detail=detail, retry_at=retry_at) if code else None


def _story(row: Row, file_rows: Sequence[Row], now: datetime) -> StoryView:
    (
        _, story_id, tiktok_id, kind, is_story, posted_at, leaves_at, caption, source_url,
        media_count, state, error_code, error_detail,
    ) = row  # fmt: skip
    newest = _newest(file_view(file[1:], now) for file in file_rows)
    files = tuple(file for file in newest if file.role != Role.ZIP)
    return StoryView(
        id=story_id,
        tiktok_id=tiktok_id,
        kind=kind,
        is_story=is_story,
        posted_at=posted_at,
        leaves_at=leaves_at,
        caption=caption,
        source_url=source_url,
        media_count=media_count,
        state=_STATES[state],
        error=_error(error_code, error_detail),
        files=files,
        zip=next((file for file in newest if file.role == Role.ZIP), None),
        saved=sum(file.role == Role.MEDIA for file in files),
    )


def item_views(
    contents: Contents, reports: Mapping[str, ItemProgress], now: datetime
) -> tuple[ItemView, ...]:
    """The lines with their stories and files. reports: item id (text) → progress."""
    return tuple(
        _item(
            row,
            tuple(
                _story(story, contents.files.get(story[1], ()), now)
                for story in contents.stories.get(row[1], ())
            ),
            reports.get(str(row[1])),
        )
        for row in contents.lines
    )


def _item(row: Row, stories: tuple[StoryView, ...], reported: ItemProgress | None) -> ItemView:
    (
        _, item_id, position, line, kind, target, state_name, not_before, error_code, error_detail,
        asked_at, settled_at, left_out_counts, refetch_of, author_id, author_name, author_nickname,
        author_picture,
    ) = row  # fmt: skip
    state = _STATES[state_name]
    author = (
        AuthorView(
            id=author_id,
            name=author_name,
            nickname=author_nickname,
            avatar=avatar_address(item_id, author_picture),
        )
        if author_name
        else None
    )
    waits_until = not_before if state == ItemState.QUEUED else None
    leaves_out = left_out.entries(stored(left_out_counts))
    error = None
    if state != ItemState.RUNNING:
        error = _error(error_code, error_detail, waits_until)
    if error is not None:
        story_codes = {story.error.code for story in stories if story.error}
        cause = left_out.cause_of(error.code, leaves_out, story_codes)
        error = replace(error, left_out=cause)
    listed = author is not None and (bool(stories) or state not in OPEN)
    return ItemView(
        id=item_id,
        position=position,
        line=line,
        kind=kind,
        name=author_name or (target or {}).get("name") or "",
        state=state,
        error=error,
        author=author,
        stories=stories,
        progress=replace(
            _item_progress(state, error, stories, reported),
            share=share(state, stories, reported, asked_at),
            took_s=_took_s(reported, asked_at, settled_at),
        ),
        found=_found(reported, len(stories) if listed else None),
        left_out=leaves_out,
        refetch_of=refetch_of,
    )


def _found(reported: ItemProgress | None, stories: int | None) -> int | None:
    if reported is not None and reported.found is not None:
        return reported.found
    return stories


def share(
    state: ItemState,
    stories: Sequence[StoryView],
    reported: ItemProgress | None,
    asked_at: datetime,
) -> float:
    """How much of a line's work is done, 0 to 1; 1 only once it is settled.

    What its attempts reported never falls. Where Redis has lost that, a running line's rows tell;
    one that is queued counts as not begun.
    """
    if state not in OPEN:
        return 1.0
    of_before = reported is not None and reported.asked_at not in {None, asked_at}
    if reported is not None and not of_before and reported.share > 0:
        return min(reported.share, ALL_SAVED)
    if state != ItemState.RUNNING:
        return 0.0
    if of_before or not stories:
        return share_of("looking_up", 0.0)
    total = sum(story.media_count for story in stories)
    done = sum(story.saved for story in stories)
    return share_of("saving", done / total if total else 0.0)


def _took_s(
    reported: ItemProgress | None, asked_at: datetime, settled_at: datetime | None
) -> float | None:
    """Seconds a settled line's last attempt took; None where that is not known."""
    if reported is None or reported.started_at is None or settled_at is None:
        return None
    took_s = (settled_at - reported.started_at).total_seconds()
    return took_s if took_s > 0 and reported.asked_at == asked_at else None


def _item_progress(
    state: ItemState,
    error: ErrorView | None,
    stories: Sequence[StoryView],
    reported: ItemProgress | None,
) -> ProgressView:
    """The progress the worker reported to Redis, and no less than what the rows hold."""
    media = [file for story in stories for file in story.files if file.role == Role.MEDIA]
    done, done_bytes = len(media), sum(file.size_bytes for file in media)
    total = sum(story.media_count for story in stories)
    if state == ItemState.QUEUED:
        phase: JobPhase = "waiting" if error else "queued"
    elif state != ItemState.RUNNING:
        phase = "ready"
    elif not stories:
        phase = "looking_up"
    else:
        phase = "saving"
    if reported is None or state != ItemState.RUNNING:
        return ProgressView(
            phase=phase,
            files_done=done,
            files_total=total,
            bytes_done=done_bytes,
            bytes_total=done_bytes,
        )
    bytes_done = max(done_bytes, reported.bytes_done)
    return ProgressView(
        # A worker that just began has reported no more than "queued"; the row knows better.
        phase=phase if reported.phase in {"queued", "waiting"} else reported.phase,
        files_done=max(done, reported.files_done),
        files_total=max(total, reported.files_total),
        bytes_done=bytes_done,
        bytes_total=max(bytes_done, reported.bytes_total),
        eta_s=None if reported.eta_s is None else math.ceil(reported.eta_s),
    )
