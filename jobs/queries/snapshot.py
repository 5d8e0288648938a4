"""Loading a job into a `Snapshot`: what the page, its fragment and the API read.

Rows come from one flattened query, progress from one look into Redis. What Redis has forgotten is
rebuilt from the rows, so a snapshot is never blank.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Count, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from jobs import left_out
from jobs.ephemeral import progress
from jobs.ephemeral.progress import ItemProgress
from jobs.errors import Internal
from jobs.files import bundles
from jobs.models import OPEN_PACKAGES, Item, Package, PackageState, Role
from jobs.queries.job_view import (
    AuthorView,
    ErrorView,
    FileView,
    ItemView,
    JobPhase,
    ProgressView,
    Snapshot,
    StoryView,
)
from jobs.states import OPEN, ItemState, job_state
from stories.left_out import stored

User = AbstractBaseUser | AnonymousUser

_LIVELIEST_FIRST: Final = (
    "saving", "checking", "packing", "found", "looking_up", "queued", "waiting",
)  # fmt: skip
"""A job is in the first of these phases that one of its open lines is in."""

_FILE: Final = (
    "id", "role", "position", "name", "content_type", "size_bytes", "sha256", "width", "height",
    "duration_s", "has_audio", "checked", "labels", "created_at", "expires_at", "removed_at",
)  # fmt: skip
_STORY: Final = (
    "id", "tiktok_id", "kind", "is_story", "posted_at", "leaves_at", "caption", "source_url",
    "media_count", "state", "error_code", "error_detail",
)  # fmt: skip
_ITEM: Final = (
    "id", "position", "line", "kind", "target", "state", "not_before", "error_code",
    "error_detail", "settled_at", "left_out", "refetch_of", "author_id", "author_name",
    "author_nickname",
)  # fmt: skip
_JOB: Final = ("id", "note", "prefer", "posts", "audio", "created_at", "settled_at")
_PACKAGE: Final = ("id", "state", "error_code", "language")
_PACKAGE_COLUMNS: Final = (*_PACKAGE, *(f"artifact__{name}" for name in _FILE))

_COLUMNS: Final = (
    *_ITEM,
    *(f"job__{name}" for name in _JOB),
    *(f"job__bundle__{name}" for name in _PACKAGE_COLUMNS),
    *(f"job__selection__{name}" for name in _PACKAGE_COLUMNS),
    *(f"stories__{name}" for name in _STORY),
    *(f"stories__artifacts__{name}" for name in _FILE),
)

_LABEL_ROLES: Final = frozenset({Role.CONVERTED, Role.AUDIO_TRACK, Role.ATTACHED_SONG, Role.POSTER})

Row = Mapping[str, Any]

_NO_PACKAGE: Final[Row] = {"state": None, "error_code": ""}


def load_snapshot(job_id: UUID, user: User) -> Snapshot | None:
    """The job, or None when this user has none of that id. One query, one round trip to Redis."""
    snapshots = load_snapshots([job_id], user)
    return snapshots[0] if snapshots else None


def load_snapshots(job_ids: Sequence[UUID], user: User) -> list[Snapshot]:
    """Jobs by id in the order given, those of other users left out. One query for all.

    A second one where the last bundle of a job was packed for another language's spreadsheets.
    """
    now = timezone.now()
    rows = (
        Item.objects.visible_to(user)
        .filter(job_id__in=job_ids)
        .order_by(
            "job_id",
            "position",
            "stories__posted_at",
            "stories__tiktok_id",
            "stories__id",
            "stories__artifacts__position",
            "stories__artifacts__created_at",
        )
    )
    if len(job_ids) == 1:
        rows = rows.annotate(ahead=_ahead_of(job_ids[0], user, now))
        columns: tuple[str, ...] = (*_COLUMNS, "ahead")
    else:
        columns = _COLUMNS
    by_job = {
        job_id: list(group)
        for job_id, group in groupby(rows.values(*columns), key=lambda row: row["job__id"])
    }
    packages = _bundle_packages(by_job)
    return [
        _job(by_job[job_id], packages.get(job_id), now) for job_id in job_ids if job_id in by_job
    ]


def _bundle_packages(by_job: Mapping[UUID, Sequence[Row]]) -> dict[UUID, Row]:
    """Job id → the last package of all its files for this reader's spreadsheets, if there is one.

    A job keeps one for each kind of spreadsheet, and its row knows the one asked for last.
    """
    packages: dict[UUID, Row] = {}
    asked_by_others = []
    for job_id, rows in by_job.items():
        last = {name: rows[0][f"job__bundle__{name}"] for name in _PACKAGE_COLUMNS}
        if last["id"] is None:
            continue
        if bundles.opens_for_reader(last["language"]):
            packages[job_id] = last
        else:
            asked_by_others.append(job_id)
    if asked_by_others:
        others = Package.objects.filter(job_id__in=asked_by_others, selection=[])
        for row in others.order_by("created_at").values("job_id", *_PACKAGE_COLUMNS):
            if bundles.opens_for_reader(row["language"]):
                packages[row["job_id"]] = row
    return packages


def _ahead_of(job_id: UUID, user: User, now: datetime) -> Coalesce:
    """The number of turns before this job's first queued line, as an SQL expression.

    One for each other person who has waited longer, and one for each earlier line of the user.
    """
    first = Item.objects.filter(job_id=job_id, state=ItemState.QUEUED).order_by("asked_at")
    earlier = (
        Item.objects.due(now)
        .filter(asked_at__lt=Subquery(first.values("asked_at")[:1]))
        .exclude(job_id=job_id)
        .order_by()
        .values("state")
        .annotate(
            ahead=Count("owner_id", distinct=True, filter=~Q(owner_id=user.pk))
            + Count("pk", filter=Q(owner_id=user.pk))
        )
        .values("ahead")
    )
    return Coalesce(Subquery(earlier), 0)


def _file(row: Row, prefix: str, now: datetime) -> FileView | None:
    if row[f"{prefix}id"] is None:
        return None
    values = {name: row[f"{prefix}{name}"] for name in _FILE}
    role = values["role"] = Role(values["role"])
    labels = list(values["labels"])
    if role in _LABEL_ROLES and role.value not in labels:
        labels.append(role.value)
    values["labels"] = tuple(labels)
    if values["removed_at"] is None and values["expires_at"] <= now:
        values["removed_at"] = values["expires_at"]  # the sweep is on its way
    return FileView(**values)


def _newest(files: Iterable[FileView]) -> Iterator[FileView]:
    """One file per role and position: the present one, else the latest of the removed ones."""
    newest: dict[tuple[Role, int], FileView] = {}
    for file in files:
        other = newest.get((file.role, file.position))
        if other is None or (file.present, file.created_at) >= (other.present, other.created_at):
            newest[file.role, file.position] = file
    yield from newest.values()


def _error(row: Row, prefix: str = "", retry_at: datetime | None = None) -> ErrorView | None:
    code = row[f"{prefix}error_code"]
    if not code:
        return None
    return ErrorView(code=code, detail=row[f"{prefix}error_detail"], retry_at=retry_at)


def _story(rows: Sequence[Row], now: datetime) -> StoryView:
    first = rows[0]
    saved = (_file(row, "stories__artifacts__", now) for row in rows)
    newest = list(_newest(file for file in saved if file))
    files = tuple(file for file in newest if file.role != Role.ZIP)
    return StoryView(
        id=first["stories__id"],
        tiktok_id=first["stories__tiktok_id"],
        kind=first["stories__kind"],
        is_story=first["stories__is_story"],
        posted_at=first["stories__posted_at"],
        leaves_at=first["stories__leaves_at"],
        caption=first["stories__caption"],
        source_url=first["stories__source_url"],
        media_count=first["stories__media_count"],
        state=ItemState(first["stories__state"]),
        error=_error(first, "stories__"),
        files=files,
        zip=next((file for file in newest if file.role == Role.ZIP), None),
        saved=sum(file.role == Role.MEDIA for file in files),
    )


def _item(rows: Sequence[Row], reported: ItemProgress | None, now: datetime) -> ItemView:
    first = rows[0]
    state = ItemState(first["state"])
    stories = tuple(
        _story(list(group), now)
        for story_id, group in groupby(rows, key=lambda row: row["stories__id"])
        if story_id is not None
    )
    author = (
        AuthorView(
            id=first["author_id"], name=first["author_name"], nickname=first["author_nickname"]
        )
        if first["author_name"]
        else None
    )
    waits_until = first["not_before"] if state == ItemState.QUEUED else None
    leaves_out = left_out.entries(stored(first["left_out"]))
    error = None if state == ItemState.RUNNING else _error(first, retry_at=waits_until)
    if error is not None:
        story_codes = {story.error.code for story in stories if story.error}
        cause = left_out.cause_of(error.code, leaves_out, story_codes)
        error = replace(error, left_out=cause)
    listed = author is not None and (bool(stories) or state not in OPEN)
    return ItemView(
        id=first["id"],
        position=first["position"],
        line=first["line"],
        kind=first["kind"],
        name=first["author_name"] or (first["target"] or {}).get("name") or "",
        state=state,
        error=error,
        author=author,
        stories=stories,
        progress=_item_progress(state, error, stories, reported),
        found=_found(reported, len(stories) if listed else None),
        left_out=leaves_out,
        refetch_of=first["refetch_of"],
    )


def _found(reported: ItemProgress | None, stories: int | None) -> int | None:
    if reported is not None and reported.found is not None:
        return reported.found
    return stories


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


def _job(rows: Sequence[Row], package: Row | None, now: datetime) -> Snapshot:
    first = rows[0]
    job_id: UUID = first["job__id"]
    running = any(row["state"] == ItemState.RUNNING for row in rows)
    reports = progress.read(job_id) if running else {}
    items = tuple(
        _item(list(group), reports.get(str(item_id)), now)
        for item_id, group in groupby(rows, key=lambda row: row["id"])
    )
    state = job_state(item.state for item in items)
    bundle, bundle_error, packing_bundle = _package(package or _NO_PACKAGE, "", now)
    selection, selection_error, packing_selection = _package(first, "job__selection__", now)
    if bundle and package and not _serves(bundle, package["language"], rows):
        bundle = None
    packing = packing_bundle or packing_selection
    present = [file for item in items for story in item.stories for file in story.present]
    refusals = [
        (item.error.retry_at, item.error.code)
        for item in items
        if item.waiting and item.error and item.error.retry_at and item.error.is_refusal
    ]
    refused_until, refused_code = min(refusals, default=(None, ""))
    return Snapshot(
        id=job_id,
        state=state,
        note=first["job__note"],
        prefer=first["job__prefer"],
        posts=first["job__posts"],
        audio=first["job__audio"],
        created_at=first["job__created_at"],
        settled_at=first["job__settled_at"] if state not in OPEN else None,
        files_expire_at=min(
            (file.expires_at for file in present if file.role != Role.POSTER), default=None
        ),
        progress=_job_progress(state, items, packing=packing),
        items=items,
        bundle=bundle,
        bundle_error=bundle_error,
        selection=selection,
        selection_error=selection_error,
        packing=packing,
        queue_position=first.get("ahead", 0) + 1 if state == ItemState.QUEUED else None,
        refused_until=refused_until,
        refused_code=refused_code,
    )


def _package(
    row: Row, prefix: str, now: datetime
) -> tuple[FileView | None, ErrorView | None, bool]:
    """A package's ZIP while it can be downloaded, why it failed, and whether it is being packed."""
    state = row[f"{prefix}state"]
    file = _file(row, f"{prefix}artifact__", now) if state == PackageState.DONE else None
    code = row[f"{prefix}error_code"] or Internal.code
    return (
        file if file and file.present else None,
        ErrorView(code=code) if state == PackageState.FAILED else None,
        state in OPEN_PACKAGES,
    )


def _serves(bundle: FileView, language: str, rows: Sequence[Row]) -> bool:
    """`bundles.serves` of a job's rows; where it is False, `jobs.zips.packing` packs another."""
    return bundles.serves(
        bundle.created_at,
        language,
        saved=(
            row["stories__artifacts__created_at"]
            for row in rows
            if row["stories__artifacts__role"] in bundles.PACKED_ROLES
        ),
        settled=(row["settled_at"] for row in rows),
    )


def _job_progress(state: ItemState, items: Sequence[ItemView], *, packing: bool) -> ProgressView:
    open_phases = {item.progress.phase for item in items if item.open}
    liveliest = next((phase for phase in _LIVELIEST_FIRST if phase in open_phases), None)
    phase: JobPhase = liveliest or ("packing" if packing else "ready")
    etas = [item.progress.eta_s for item in items if item.progress.eta_s is not None]
    return ProgressView(
        phase=phase,
        files_done=sum(item.progress.files_done for item in items),
        files_total=sum(item.progress.files_total for item in items),
        bytes_done=sum(item.progress.bytes_done for item in items),
        bytes_total=sum(item.progress.bytes_total for item in items),
        eta_s=max(etas, default=None) if state == ItemState.RUNNING else None,
    )
