"""Loading a job into a `Snapshot`: what the page, its fragment and the API read.

Rows come from a few plain queries (`jobs.queries.job_rows`), progress from one look into Redis.
What Redis has forgotten is rebuilt from the rows, so a snapshot is never blank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils import timezone

from jobs.ephemeral import progress
from jobs.ephemeral.progress import ItemProgress
from jobs.errors import Internal
from jobs.files import bundles
from jobs.models import OPEN_PACKAGES, PackageState, Role
from jobs.prepared import Row
from jobs.queries import fingerprint as fingerprints
from jobs.queries import job_rows
from jobs.queries.fingerprint import Fingerprint
from jobs.queries.job_rows import User
from jobs.queries.job_view import ErrorView, FileView, ItemView, JobPhase, ProgressView, Snapshot
from jobs.queries.line_views import Contents, Groups, file_view, grouped, item_views
from jobs.states import OPEN, ItemState, job_state

_LIVELIEST_FIRST: Final = (
    "saving", "checking", "packing", "found", "looking_up", "queued", "waiting",
)  # fmt: skip
"""A job is in the first of these phases that one of its open lines is in."""


def load_snapshot(
    job_id: UUID, user: User, *, fingerprint: Fingerprint | None = None
) -> Snapshot | None:
    """The job, or None when this user has none of that id.

    Four queries. fingerprint: one taken just before; without it, it is taken here.
    """
    taken = fingerprint or fingerprints.take(job_id, user)
    snapshots = taken and _load([job_id], user, now=taken.now, reports=taken.reports)
    if not taken or not snapshots:
        return None
    position = None
    if snapshots[0].state == ItemState.QUEUED:
        position = taken.queue_position or job_rows.turns_ahead(job_id, user, taken.now) + 1
    return replace(snapshots[0], etag=taken.etag, queue_position=position)


def load_snapshots(job_ids: Sequence[UUID], user: User) -> list[Snapshot]:
    """Jobs by id in the order given, those of other users left out. Four queries for all.

    They have neither an entity tag nor a place in the queue, which only a job loaded alone has.
    """
    return _load(job_ids, user, now=timezone.now())


def _load(
    job_ids: Sequence[UUID],
    user: User,
    *,
    now: datetime,
    reports: Mapping[str, ItemProgress] | None = None,
) -> list[Snapshot]:
    """Snapshots of the user's jobs. reports: item id (text) → progress; None to read it now.

    One query more where the last bundle of a job was packed for another language's spreadsheets.
    """
    # Lines first: what is read later may be newer, and a line is settled after all it brings. So
    # a job that seems to be settled has everything, and one that lacks something is polled again.
    lines = grouped(job_rows.lines(job_ids, user))
    owned = list(lines)
    if not owned:
        return []
    jobs = {row[0]: row for row in job_rows.jobs(owned, user)}
    stories = grouped(job_rows.stories(owned))
    files = grouped(job_rows.files(owned))
    packages = _bundles(jobs)
    if reports is None:
        reports = _reports(lines)
    return [
        _job(
            jobs[job_id],
            Contents(lines[job_id], stories, files),
            packages.get(job_id),
            reports,
            now,
        )
        for job_id in job_ids
        if job_id in jobs
    ]


def _reports(lines: Groups) -> Mapping[str, ItemProgress]:
    """Item id (text) → progress, of the jobs with an open line; one round trip to Redis."""
    state = 1 + job_rows.LINE.index("state")
    unfinished = [
        job_id for job_id, rows in lines.items() if any(row[state] in OPEN for row in rows)
    ]
    if len(unfinished) > 1:
        return progress.read_many(unfinished)
    return progress.read(unfinished[0]) if unfinished else {}


@dataclass(frozen=True, slots=True)
class _Package:
    """A package's columns and those of its file, all None where there is no package."""

    id: UUID | None
    state: str | None
    error_code: str | None
    language: str
    file: Row


_NO_PACKAGE: Final = _Package(None, None, "", "", (None,) * len(job_rows.FILE))


def _package_row(columns: Row) -> _Package:
    package_id, state, error_code, language = columns[: len(job_rows.PACKAGE)]
    return _Package(package_id, state, error_code, language, columns[len(job_rows.PACKAGE) :])


def _last_packages(job: Row) -> tuple[_Package, _Package]:
    """The bundle and the selection that were asked for last, of a row of `job_rows.jobs`."""
    begin = len(job_rows.JOB)
    middle = begin + job_rows.PACKAGE_WIDTH
    return _package_row(job[begin:middle]), _package_row(job[middle:])


def _bundles(jobs: Mapping[UUID, Row]) -> dict[UUID, _Package]:
    """Job id → the last package of all its files for this reader's spreadsheets, if there is one.

    A job keeps one for each kind of spreadsheet, and its row knows the one asked for last.
    """
    packages: dict[UUID, _Package] = {}
    asked_by_others = []
    for job_id, row in jobs.items():
        last, _ = _last_packages(row)
        if last.id is None:
            continue
        if bundles.opens_for_reader(last.language):
            packages[job_id] = last
        else:
            asked_by_others.append(job_id)
    if asked_by_others:
        for job_id, *columns in job_rows.bundles(asked_by_others):
            package = _package_row(tuple(columns))
            if bundles.opens_for_reader(package.language):
                packages[job_id] = package
    return packages


def _job(
    row: Row,
    contents: Contents,
    last_bundle: _Package | None,
    reports: Mapping[str, ItemProgress],
    now: datetime,
) -> Snapshot:
    (
        job_id, note, prefer, posts, audio, created_at, settled_at, from_watch,
    ) = row[: len(job_rows.JOB)]  # fmt: skip
    items = item_views(contents, reports, now)
    state = job_state(item.state for item in items)
    bundle, bundle_error, packing_bundle = _package(last_bundle or _NO_PACKAGE, now)
    _, last_selection = _last_packages(row)
    selection, selection_error, packing_selection = _package(last_selection, now)
    if bundle and last_bundle and not _serves(bundle, last_bundle.language, contents):
        bundle = None
    packing = packing_bundle or packing_selection
    packed = [
        reports.get(str(package.id))
        for package in (last_bundle or _NO_PACKAGE, last_selection)
        if package.state in OPEN_PACKAGES
    ]
    refusals = [
        (item.error.retry_at, item.error.code)
        for item in items
        if item.waiting and item.error and item.error.retry_at and item.error.is_refusal
    ]
    refused_until, refused_code = min(refusals, default=(None, ""))
    return Snapshot(
        id=job_id,
        state=state,
        note=note,
        prefer=prefer,
        posts=posts,
        audio=audio,
        created_at=created_at,
        settled_at=settled_at if state not in OPEN else None,
        files_expire_at=min(
            (
                file.expires_at
                for item in items
                for story in item.stories
                for file in story.files
                if file.removed_at is None and file.role != Role.POSTER
            ),
            default=None,
        ),
        progress=_job_progress(state, items, packing=packing),
        items=items,
        bundle=bundle,
        bundle_error=bundle_error,
        selection=selection,
        selection_error=selection_error,
        packing=packing,
        packed_percent=next((report.percent for report in packed if report), None),
        queue_position=None,
        refused_until=refused_until,
        refused_code=refused_code,
        from_watch=from_watch,
    )


def _package(package: _Package, now: datetime) -> tuple[FileView | None, ErrorView | None, bool]:
    """A package's ZIP while it can be downloaded, why it failed, and whether it is being packed."""
    has_file = package.state == PackageState.DONE and package.file[0] is not None
    file = file_view(package.file, now) if has_file else None
    return (
        file if file and file.present else None,
        ErrorView(code=package.error_code or Internal.code)
        if package.state == PackageState.FAILED
        else None,
        package.state in OPEN_PACKAGES,
    )


def _serves(bundle: FileView, language: str, contents: Contents) -> bool:
    """`bundles.serves` of a job's rows; where it is False, `jobs.zips.packing` packs another."""
    role, created_at = (1 + job_rows.FILE.index(name) for name in ("role", "created_at"))
    settled_at = 1 + job_rows.LINE.index("settled_at")
    return bundles.serves(
        bundle.created_at,
        language,
        saved=(
            file[created_at]
            for file in contents.files_of_lines()
            if file[role] in bundles.PACKED_ROLES
        ),
        settled=(line[settled_at] for line in contents.lines),
    )


def _job_progress(state: ItemState, items: Sequence[ItemView], *, packing: bool) -> ProgressView:
    open_phases = {item.progress.phase for item in items if item.open}
    liveliest = next((phase for phase in _LIVELIEST_FIRST if phase in open_phases), None)
    phase: JobPhase = liveliest or ("packing" if packing else "ready")
    return ProgressView(
        phase=phase,
        files_done=sum(item.progress.files_done for item in items),
        files_total=sum(item.progress.files_total for item in items),
        bytes_done=sum(item.progress.bytes_done for item in items),
        bytes_total=sum(item.progress.bytes_total for item in items),
        eta_s=_eta_s(items) if state == ItemState.RUNNING else None,
        share=sum(item.progress.share for item in items) / len(items) if items else 1.0,
    )


def _eta_s(items: Sequence[ItemView]) -> int | None:
    """Seconds until the last open line is settled; None while that cannot be told.

    A line that has not begun is expected to take as long as the settled ones did. When TikTok will
    let a waiting one go on, nobody knows.
    """
    running = [item.progress for item in items if item.state == ItemState.RUNNING]
    queued = sum(item.state == ItemState.QUEUED for item in items)
    if not running or any(item.waiting for item in items):
        return None
    slowest = max((line.eta_s for line in running if line.eta_s is not None), default=None)
    took = [line.took_s for item in items if (line := item.progress).took_s is not None]
    if not took:
        return None if queued else slowest
    ahead = sum(1 - line.share for line in running) + queued
    usual_s = sum(filter(None, took)) / len(took)
    return max(slowest or 0, math.ceil(usual_s * ahead / len(running)))
