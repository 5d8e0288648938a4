"""The report of a run for scripts, and the words of its errors for the command line."""

from __future__ import annotations

import math
from typing import Any

from django.utils.translation import gettext as _

from jobs import left_out, text
from jobs.errors import Cancelled, Internal, StorageUnavailable, refused_link
from jobs.left_out import LeftOut
from jobs.standalone.output_folder import FolderFull
from jobs.standalone.results import LineResult, RunResult, SavedFile, StoryResult
from jobs.zips.archive import moment, permalink
from stories.errors import (
    ClockWrong,
    NotAStory,
    Refusal,
    RegionLocked,
    StoriesError,
    TooLarge,
    UnknownAnswer,
    UnsupportedLink,
    UpstreamChanged,
    UpstreamDown,
)
from stories.left_out import ERRORS

_WITH_DETAIL = (UnknownAnswer, UpstreamChanged, Internal, FolderFull)
"""Errors whose detail says where, which helps who runs the command."""


def error_words(error: StoriesError) -> tuple[str, str]:
    """Message and hint of an error, "" for no hint, in the active language."""
    detail = error.detail if isinstance(error, _WITH_DETAIL) else ""
    message, hint = _(error.message), _(error.hint) if error.hint else ""
    # The words of pages speak of buttons, of copies that expire, and of a queue that tries again.
    if isinstance(error, UnsupportedLink):
        message = refused_link(error.detail) or message
    elif isinstance(error, UpstreamDown):
        hint = _("Try again. If it stays, check the connection.")
    elif isinstance(error, Refusal):
        hint = _("Try again later. If it lasts for hours, another network or proxy helps.")
    elif isinstance(error, NotAStory):
        hint = _("Add --posts to save it anyway.")
    elif isinstance(error, Cancelled):
        message = _("Interrupted. What was finished stays.")
    elif isinstance(error, UpstreamChanged):
        hint = _report_hint(detail)
    elif isinstance(error, Internal):
        hint = _("Try again; if it stays, report it with the id in brackets.")
    elif isinstance(error, RegionLocked):
        hint = _("A proxy in another region helps (STORYKEEP_PROXY).")
    elif isinstance(error, ClockWrong):
        hint = _("Have it set over the network (NTP).")
    elif isinstance(error, StorageUnavailable):
        message = _("The files cannot be written.")
        hint = _("Is the disk read-only, full, or not mounted?")
    elif isinstance(error, TooLarge):
        message = _("This is larger than the limit for a file.")
        hint = _("STORYKEEP_FILE_MAX raises it.")
    return _with_detail(message, detail), hint


def left_out_words(entry: LeftOut, detail: str = "") -> tuple[str, str]:
    """Sentence and hint of what a list leaves out, in the active language.

    detail: what is wrong with the first of these stories.
    """
    if issubclass(ERRORS[entry.reason], UpstreamChanged):
        return _with_detail(entry.message, detail), _report_hint(detail)
    return entry.message, entry.hint


def line_words(line: LineResult) -> tuple[str, str]:
    """Message and hint of a line's error, in the active language; "" for none.

    An error that stands for what the line's list leaves out has the words of that.
    """
    if line.error is None:
        return "", ""
    story_codes = {story.error.code for story in line.stories if story.error}
    cause = left_out.cause_of(line.error.code, left_out.entries(line.left_out), story_codes)
    if cause is not None:
        return left_out_words(cause, line.details.get(cause.reason, ""))
    return error_words(line.error)


def _report_hint(detail: str) -> str:
    # Nobody else runs this, and there are no admin pages that would hold the detail.
    return _("Report this with the detail in brackets.") if detail else _("Report this.")


def _with_detail(message: str, detail: str) -> str:
    cleaned = text.clean_text(detail, 300)
    return f"{message} ({cleaned})" if cleaned else message


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
        "error": _error(line.error, line_words(line)) if line.error else None,
        "author": author and {"id": author.id, "name": author.name, "nickname": author.nickname},
        "stories": [_story(story) for story in line.stories],
        "left_out": [entry.as_dict() for entry in left_out.entries(line.left_out)],
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
        "error": _error(result.error, error_words(result.error)) if result.error else None,
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


def _error(error: StoriesError, words: tuple[str, str]) -> dict[str, Any]:
    message, hint = words
    wait_s = error.retry_after_s
    return {
        "code": error.code,
        "message": message,
        "hint": hint,
        "retryable": error.retryable,
        "retry_after_s": None if wait_s is None else max(0, math.ceil(wait_s)),
    }
