"""The report of a run for scripts, and the words of its errors for the command line."""

from __future__ import annotations

import math
from typing import Any

from django.utils.translation import gettext as _

from jobs import left_out, text
from jobs.errors import Cancelled, Internal
from jobs.standalone.output_folder import FolderFull
from jobs.standalone.results import LineResult, RunResult, SavedFile, StoryResult
from jobs.zips.archive import moment, permalink
from stories.errors import (
    NotAStory,
    Refusal,
    StoriesError,
    UnknownAnswer,
    UnsupportedLink,
    UpstreamChanged,
    UpstreamDown,
)
from stories.left_out import ERRORS

_WITH_DETAIL = (UnsupportedLink, UnknownAnswer, UpstreamChanged, Internal, FolderFull)
"""Errors whose detail says where, which helps who runs the command."""


def error_words(error: StoriesError) -> tuple[str, str]:
    """Message and hint of an error, "" for no hint, in the active language."""
    detail = text.clean_text(error.detail, 300) if isinstance(error, _WITH_DETAIL) else ""
    message, hint = _(error.message), _(error.hint) if error.hint else ""
    # The words of pages speak of buttons, of copies that expire, and of a queue that tries again.
    if isinstance(error, UpstreamDown):
        hint = _("Try again; check the connection if it stays.")
    elif isinstance(error, Refusal):
        hint = _("Try again later. If it lasts for hours, another network or proxy helps.")
    elif isinstance(error, NotAStory):
        hint = _("Add --posts to save it all the same.")
    elif isinstance(error, Cancelled):
        message = _("Interrupted. What was finished stays.")
    return f"{message} ({detail})" if detail else message, hint


def as_dict(result: RunResult) -> dict[str, Any]:
    """A run for JSON: the API's shape of a job, as far as a run has its fields."""
    return {
        "state": result.state.value,
        "items": [_line(line) for line in result.lines],
        "bundle": _file(result.bundle) if result.bundle else None,
    }


def _line(line: LineResult) -> dict[str, Any]:
    author = line.author
    return {
        "line": line.line.text,
        "kind": line.kind.value,
        "state": line.state.value,
        "error": _error(line.error),
        "author": author and {"id": author.id, "name": author.name, "nickname": author.nickname},
        "stories": [_story(story) for story in line.stories],
        "left_out": [
            {
                "reason": reason.value,
                "count": count,
                "code": ERRORS[reason].code,
                "message": left_out.sentence(reason, count),
            }
            for reason, count in line.left_out.items()
        ],
    }


def _story(result: StoryResult) -> dict[str, Any]:
    story = result.story
    return {
        "id": story.id,
        "kind": story.kind.value,
        "posted_at": moment(story.posted_at),
        "leaves_tiktok_at": moment(story.leaves_at),
        "caption": story.caption,
        "source_url": permalink(story.source_url),
        "state": result.state.value,
        "error": _error(result.error),
        "files": [_file(file) for file in result.files],
    }


def _file(file: SavedFile) -> dict[str, Any]:
    facts = file.facts
    return {
        "name": file.name,
        "content_type": facts.content_type,
        "size_bytes": facts.size_bytes,
        "sha256": facts.sha256,
        "width": facts.width,
        "height": facts.height,
        "duration_s": facts.duration_s,
        "has_audio": file.has_audio,
        "checked": file.checked,
        "labels": list(facts.labels),
        "path": str(file.path.absolute()) if file.path else None,
    }


def _error(error: StoriesError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    message, hint = error_words(error)
    wait_s = error.retry_after_s
    return {
        "code": error.code,
        "message": message,
        "hint": hint,
        "retryable": error.retryable,
        "retry_after_s": None if wait_s is None else max(0, math.ceil(wait_s)),
    }
