"""The fingerprint of a job: equal for as long as everything its reader is shown is equal.

It is read in one small query, so a poll of an unchanged job loads nothing. Nobody has to remember
to mark a change: the database digests the very columns that a snapshot reads, and with them whether
a file is past its time. Read it before the data, never after: an answer may be newer than its
fingerprint, which costs one more poll, but one that is older would be served for ever.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import DateTimeField, UUIDField
from django.utils import timezone
from django.utils.translation import get_language

from jobs.ephemeral import progress
from jobs.ephemeral.progress import ItemProgress
from jobs.models import OPEN_PACKAGES
from jobs.queries import job_rows
from jobs.queries.job_rows import User
from jobs.states import OPEN, ItemState, job_state

SHAPE: Final = 8
"""Part of every entity tag. Raise it when pages or API show equal rows differently."""

_JOB: Final = (*job_rows.JOB, "bundle_id", "selection_id")
_PACKAGE: Final = (*job_rows.PACKAGE, "artifact_id")
# A line that went and came back as it was is another one: its attempt tells.
_LINE: Final = (*job_rows.LINE, "attempt")
_FILE: Final = (*job_rows.FILE, "story_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A job as one reader sees it, in digests.

    etag: a weak entity tag, quotes included, equal in every process while nothing changed for this
    reader. Times count as moments, not as seconds left, so a passing clock changes it only when a
    file's time is over.
    revision: changes with `etag`, and with the seconds left of lines that run; for kept answers.
    head: digest of the job's own row, its ZIPs and how much of one is packed, the states of its
    lines and its place in the queue.
    lines: item id → digest of the line's row, stories, files and, while it is open, progress.
    now: the moment at which files were held to be past their time or not.
    reports: id of an item or a package (text) → progress read with it; {} unless one is open.
    queue_position: as in Snapshot.
    """

    etag: str
    revision: str
    head: str
    lines: Mapping[UUID, str]
    now: datetime
    reports: Mapping[str, ItemProgress] = field(repr=False)
    queue_position: int | None


def take(job_id: UUID, user: User, now: datetime | None = None) -> Fingerprint | None:
    """The fingerprint of a job; None when this user has none of that id.

    One query, another one for a job that waits for its first turn, and one round trip to Redis
    while a line or a ZIP is open.
    """
    if not user.is_authenticated:
        return None
    now = now or timezone.now()
    arguments = {
        "job": UUIDField().get_db_prep_value(job_id, connection),
        "owner": user.pk,
        "now": DateTimeField().get_db_prep_value(now, connection),
    }
    texts: dict[Any, list[str]] = {}
    states: dict[Any, str] = {}
    owned = packing = False
    for kind, key, state, text in _rows(arguments):
        texts.setdefault(key, []).append(f"{kind}{text}")
        if kind == _KIND_LINE:
            states[key] = state
        owned = owned or kind == _KIND_JOB
        packing = packing or (kind == _KIND_PACKAGE and state in OPEN_PACKAGES)
    if not owned or not states:
        return None
    unfinished = {_uuid(key) for key, state in states.items() if state in OPEN}
    reports = progress.read(job_id) if unfinished or packing else {}
    position = None
    if job_state(states.values()) == ItemState.QUEUED:
        position = job_rows.turns_ahead(job_id, user, now) + 1
    return _combined(
        # The lines' ids, so that one that went is missed; their states are in the head's words.
        head=[*sorted(texts[arguments["job"]]), *sorted(f"{i} {s}" for i, s in states.items())],
        lines={_uuid(key): texts[key] for key in states},
        unfinished=unfinished,
        reports=reports,
        now=now,
        queue_position=position,
    )


def _combined(
    *,
    head: Sequence[str],
    lines: Mapping[UUID, Sequence[str]],
    unfinished: Collection[UUID],
    reports: Mapping[str, ItemProgress],
    now: datetime,
    queue_position: int | None,
) -> Fingerprint:
    reader = f"{SHAPE} {get_language()}"
    shown = {item_id: _shown(reports.get(str(item_id))) for item_id in lines}
    # Of a line that is settled a report says nothing that a page shows, and it is not read any more
    # once no line is open: else all of them would look changed then.
    line_digests = {
        item_id: _digest([reader, shown[item_id] if item_id in unfinished else "", *sorted(texts)])
        for item_id, texts in lines.items()
    }
    of_lines = {str(item_id) for item_id in lines}
    packed = sorted(
        f"{package_id} {report.percent}"
        for package_id, report in reports.items()
        if package_id not in of_lines
    )
    head_digest = _digest([reader, str(queue_position), *head, *packed])
    reported = sorted(f"{item_id} {text}" for item_id, text in shown.items())
    whole = _digest([head_digest, *sorted(line_digests.values()), *reported])
    seconds_left = (
        f"{item_id} {math.ceil(report.eta_s)}"
        for item_id, report in sorted(reports.items())
        if report.eta_s is not None
    )
    return Fingerprint(
        etag=f'W/"{whole}"',
        revision=_digest([whole, *seconds_left]),
        head=head_digest,
        lines=line_digests,
        now=now,
        reports=reports,
        queue_position=queue_position,
    )


def _uuid(key: Any) -> UUID:
    """An id as databases return it: SQLite as text."""
    return key if isinstance(key, UUID) else UUID(key)


def _shown(report: ItemProgress | None) -> str:
    """What is shown of a report. Its seconds left count down by themselves, so they are not in."""
    return repr(report and replace(report, eta_s=None, started_at=None, worker=""))


def _digest(texts: Iterable[str]) -> str:
    digest = blake2b(digest_size=16)
    for text in texts:
        part = text.encode(errors="replace")
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


# --- the query ------------------------------------------------------------------------------------

# ruff: noqa: S608  # the names of our own tables and columns; every value is a parameter

_KIND_JOB, _KIND_PACKAGE, _KIND_LINE = 0, 1, 2
"""Of the parts of the statement, in their order."""


def _rows(arguments: Mapping[str, Any]) -> list[tuple[int, Any, str, str]]:
    """Rows of (part, id of line or job, state of a line or ZIP, columns as JSON arrays)."""
    sql, places = _statement(connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(sql, [arguments[place] for place in places])
        rows: list[tuple[int, Any, str, str]] = cursor.fetchall()
    return rows


@cache
def _statement(vendor: str) -> tuple[str, tuple[str, ...]]:
    """The SQL of `_rows`, and the name of the argument for each of its placeholders.

    One statement sees one moment of the database. It is written by hand: the two databases name
    three functions differently, and the ORM has no word for any of them.
    """
    if vendor == "postgresql":
        array, joined = "json_build_array({})::text", "string_agg(digested, chr(10) ORDER BY id)"
    else:  # SQLite joins in the order of the rows it is given
        array, joined = "json_array({})", "group_concat(digested, char(10))"

    def columns(table: str, names: Sequence[str], *more: str) -> str:
        """A row's columns as the text of a JSON array, in which no two rows look alike."""
        return array.format(", ".join([*(f'{table}."{name}"' for name in names), *more]))

    is_over = "removed_at IS NULL AND expires_at <= %s"
    job = f"SELECT 0, id, '', {columns('jobs_job', _JOB)} FROM jobs_job"  # nosec B608  # names of ours alone
    package = f"SELECT 1, job_id, state, {columns('jobs_package', _PACKAGE)} FROM jobs_package"  # nosec B608  # names of ours alone
    picture = f'jobs_authorpicture."{job_rows.PICTURE}"'
    line = (
        f"SELECT 2, id, state, {columns('jobs_item', _LINE, picture)} FROM jobs_item"  # nosec B608  # names of ours alone
        " LEFT JOIN jobs_authorpicture ON jobs_authorpicture.item_id = id"
    )
    story = (
        "SELECT item_id AS line, jobs_story.id AS id,"  # nosec B608  # names of ours alone
        f" {columns('jobs_story', job_rows.STORY)} AS digested FROM jobs_story"
        " JOIN jobs_item ON jobs_item.id = item_id WHERE jobs_item.job_id = %s"
    )
    file = (
        "SELECT COALESCE(item_id, job_id) AS line, id,"  # nosec B608  # names of ours alone
        f" {columns('jobs_artifact', _FILE, is_over)} AS digested FROM jobs_artifact"
        " WHERE job_id = %s"
    )
    parts = (
        f"{job} WHERE id = %s AND owner_id = %s AND erased_at IS NULL",
        f"{package} WHERE job_id = %s",
        # Not by owner as well, or SQLite may go through all they have: the job's row says whose.
        f"{line} WHERE job_id = %s",
        f"SELECT 3, line, '', {joined} FROM ({story} ORDER BY line, id) AS stories GROUP BY line",  # nosec B608  # names of ours alone
        f"SELECT 4, line, '', {joined} FROM ({file} ORDER BY line, id) AS files GROUP BY line",  # nosec B608  # names of ours alone
    )
    places = ("job", "owner", "job", "job", "job", "now", "job")
    return " UNION ALL ".join(parts), places
