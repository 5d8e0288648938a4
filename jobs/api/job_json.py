"""A job as the JSON that `jobs.api.schemas.JobOut` describes, written without validating it again.

The shapes are public and stand in the schemas; a test reads what is written here with them.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from django.urls import get_script_prefix, reverse

from jobs.queries.job_view import ErrorView, FileView, ItemView, Snapshot, StoryView

LineText = Callable[[ItemView, Callable[[], bytes]], bytes]
"""Gives a line's JSON: what was kept of it, or what the second argument makes of it now."""


def encoded_job(job: Snapshot, line_text: LineText | None = None) -> bytes:
    """A JobOut. line_text: where the JSON of lines is kept; None: of none."""
    if line_text is None:
        return _encoded(_job(job))
    path = _files_path(get_script_prefix())
    lines = [line_text(item, partial(_encoded_item, item, path)) for item in job.items]
    around = _encoded(_job(replace(job, items=())))
    # Within a text its quotes would be escaped, so it stands here once.
    return around.replace(b'"items":[]', b'"items":[%s]' % b",".join(lines), 1)


def encoded_list(jobs: Iterable[Snapshot], next_cursor: str | None) -> bytes:
    """A JobList. next_cursor: of the page after this one; None at the end."""
    return _encoded({"jobs": [_job(job) for job in jobs], "next": next_cursor})


def counts_down(item: ItemView) -> bool:
    """Whether its JSON says how many seconds are left until a retry, so that it soon is wrong."""
    return any(
        error is not None and error.retry_at is not None
        for error in (item.error, *(story.error for story in item.stories))
    )


def _encoded(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


@functools.cache
def _files_path(prefix: str) -> str:
    """The path before a file's id, looked up once per script prefix: a job may have 1000 files."""
    return reverse("api:file", args=["-"]).removesuffix("-")


def _time(moment: datetime) -> str:
    """RFC 3339 in UTC, as `2026-11-20T14:03:00Z`."""
    return moment.isoformat().replace("+00:00", "Z")


def _time_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else _time(moment)


def _error(error: ErrorView | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "retryable": error.retryable,
        "retry_after_s": error.retry_after_s(),
    }


def _file(file: FileView, path: str) -> dict[str, Any]:
    file_id = str(file.id)
    return {
        "id": file_id,
        "name": file.name,
        "content_type": file.content_type,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "width": file.width,
        "height": file.height,
        "duration_s": file.duration_s,
        "has_audio": file.has_audio,
        "checked": file.checked,
        "labels": file.labels,
        "url": path + file_id,
        "expires_at": _time(file.expires_at),
    }


def _story(story: StoryView, path: str) -> dict[str, Any]:
    zipped = story.zip
    return {
        "id": str(story.id),
        "kind": story.kind,
        "posted_at": _time(story.posted_at),
        "leaves_tiktok_at": _time_or_none(story.leaves_at),
        "caption": story.caption,
        "source_url": story.source_url,
        "state": story.state.value,
        "error": _error(story.error),
        "files": [_file(file, path) for file in story.files if file.removed_at is None],
        "zip": _file(zipped, path) if zipped and zipped.present else None,
        "damaged": len(story.damaged),
    }


def _item(item: ItemView, path: str) -> dict[str, Any]:
    author = item.author
    return {
        "id": str(item.id),
        "line": item.line,
        "kind": item.kind,
        "state": item.state.value,
        "error": _error(item.error),
        "author": author and {"id": author.id, "name": author.name, "nickname": author.nickname},
        "stories": [_story(story, path) for story in item.stories],
        "left_out": [entry.as_dict() for entry in item.left_out],
    }


def _encoded_item(item: ItemView, path: str) -> bytes:
    return _encoded(_item(item, path))


def _job(job: Snapshot) -> dict[str, Any]:
    path = _files_path(get_script_prefix())
    progress = job.progress
    return {
        "id": str(job.id),
        "state": job.state.value,
        "note": job.note,
        "created_at": _time(job.created_at),
        "settled_at": _time_or_none(job.settled_at),
        "files_expire_at": _time_or_none(job.files_expire_at),
        "progress": {
            "phase": progress.phase,
            "files_done": progress.files_done,
            "files_total": progress.files_total,
            "bytes_done": progress.bytes_done,
            "bytes_total": progress.bytes_total,
            "eta_s": progress.eta_s,
        },
        "items": [_item(item, path) for item in job.items],
        "bundle": _file(job.bundle, path) if job.bundle else None,
        "from_watch": job.from_watch,
    }
