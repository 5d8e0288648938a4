"""The queries behind a snapshot: rows of jobs and of their lines, stories and files, as tuples.

Each is one plain query for any number of jobs, so it costs what the rows it returns cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Final, cast
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import (
    Count,
    Q,
    QuerySet,
    Subquery,
    TextField,
)
from django.db.models.functions import Cast

from jobs.models import Artifact, Item, Job, Package, Story
from jobs.prepared import PreparedQuery, Row, id_slot, ids_slot, number_slot, padded, time_slot
from jobs.states import ItemState

User = AbstractBaseUser | AnonymousUser

FILE: Final = (
    "id", "role", "position", "name", "content_type", "size_bytes", "sha256", "width", "height",
    "duration_s", "has_audio", "checked", "labels", "created_at", "expires_at", "removed_at",
    "collected_at",
)  # fmt: skip
"""Columns of a file, wherever one is part of a row; `labels` as JSON text."""
STORY: Final = (
    "id", "tiktok_id", "kind", "is_story", "posted_at", "leaves_at", "caption", "source_url",
    "media_count", "state", "error_code", "error_detail",
)  # fmt: skip
"""Columns of a story, which its item's id goes before."""
LINE: Final = (
    "id", "position", "line", "kind", "target", "state", "not_before", "error_code",
    "error_detail", "asked_at", "settled_at", "left_out", "refetch_of", "author_id",
    "author_name", "author_nickname",
)  # fmt: skip
"""Columns of a line, which its job's id goes before and PICTURE after."""
PICTURE: Final = "digest"
"""The column of an author's picture that is read with a line; the bytes never are."""
JOB: Final = (
    "id", "note", "prefer", "posts", "audio", "created_at", "settled_at", "from_watch",
)  # fmt: skip
PACKAGE: Final = ("id", "state", "error_code", "language")
"""Columns of a package, which those of its file come after."""
PACKAGE_WIDTH: Final = len(PACKAGE) + len(FILE)


def _file_columns(prefix: str = "") -> list[str | Cast]:
    """FILE behind a relation; `prefix` ends in two underscores."""
    return [
        Cast(f"{prefix}{name}", TextField()) if name == "labels" else f"{prefix}{name}"
        for name in FILE
    ]


def _package_columns(prefix: str = "") -> list[str | Cast]:
    return [*(f"{prefix}{name}" for name in PACKAGE), *_file_columns(f"{prefix}artifact__")]


def _owner() -> AbstractBaseUser:
    """A stand-in for the user whose key is a query's first argument."""
    return cast("AbstractBaseUser", SimpleNamespace(pk=number_slot(0), is_authenticated=1))


def _lines(arguments: int) -> QuerySet[Item, Row]:
    items = Item.objects.visible_to(_owner()).filter(job_id__in=ids_slot(1, arguments - 1))
    return items.order_by("job_id", "position").values_list(
        "job_id", *LINE, f"author_picture__{PICTURE}"
    )


def _jobs(arguments: int) -> QuerySet[Job, Row]:
    jobs = Job.objects.visible_to(_owner()).filter(id__in=ids_slot(1, arguments - 1))
    return jobs.values_list(*JOB, *_package_columns("bundle__"), *_package_columns("selection__"))


def _bundles(arguments: int) -> QuerySet[Package, Row]:
    packages = Package.objects.filter(job_id__in=ids_slot(0, arguments), selection=[])
    return packages.order_by("created_at").values_list("job_id", *_package_columns())


def _stories(arguments: int) -> QuerySet[Story, Row]:
    stories = Story.objects.filter(item__job_id__in=ids_slot(0, arguments))
    return stories.order_by("posted_at", "tiktok_id", "id").values_list("item_id", *STORY)


def _files(arguments: int) -> QuerySet[Artifact, Row]:
    files = Artifact.objects.filter(job_id__in=ids_slot(0, arguments), story__isnull=False)
    return files.order_by("position", "created_at", "id").values_list("story_id", *_file_columns())


def _turns_ahead(arguments: int) -> QuerySet[Item, Row]:
    owner, job, now = number_slot(0), id_slot(1), time_slot(2)
    first = Item.objects.filter(job_id=job, state=ItemState.QUEUED).order_by("asked_at")
    return (
        Item.objects.due(now)
        .filter(asked_at__lt=Subquery(first.values("asked_at")[:1]))
        .exclude(job_id=job)
        .order_by()
        .values("state")
        .annotate(
            ahead=Count("owner_id", distinct=True, filter=~Q(owner_id=owner))
            + Count("pk", filter=Q(owner_id=owner))
        )
        .values_list("ahead")
    )


_LINES: Final = PreparedQuery(_lines)
_JOBS: Final = PreparedQuery(_jobs)
_BUNDLES: Final = PreparedQuery(_bundles)
_STORIES: Final = PreparedQuery(_stories)
_FILES: Final = PreparedQuery(_files)
_TURNS_AHEAD: Final = PreparedQuery(_turns_ahead)


def lines(job_ids: Sequence[UUID], user: User) -> list[Row]:
    """`job_id`, LINE and PICTURE (None without one) of each line of those of the jobs that are this
    user's, in their order."""
    return _LINES.rows(user.pk, *padded(job_ids)) if user.is_authenticated and job_ids else []


def jobs(job_ids: Sequence[UUID], user: User) -> list[Row]:
    """JOB of those of the jobs that are this user's, its last bundle's and its selection's columns.

    Both as PACKAGE and FILE, all None where there is none.
    """
    return _JOBS.rows(user.pk, *padded(job_ids)) if user.is_authenticated and job_ids else []


def bundles(job_ids: Sequence[UUID]) -> list[Row]:
    """`job_id`, PACKAGE and FILE of each package of all files of the jobs, newest last."""
    return _BUNDLES.rows(*padded(job_ids))


def stories(job_ids: Sequence[UUID]) -> list[Row]:
    """`item_id` and STORY of each story of the jobs, by the time it was posted."""
    return _STORIES.rows(*padded(job_ids))


def files(job_ids: Sequence[UUID]) -> list[Row]:
    """`story_id` and FILE of each file of the jobs' stories, removed ones too, by position."""
    return _FILES.rows(*padded(job_ids))


def turns_ahead(job_id: UUID, user: User, now: datetime) -> int:
    """The number of turns before a job's first queued line.

    One for each other person who has waited longer, and one for each earlier line of the user.
    """
    rows = _TURNS_AHEAD.rows(user.pk, job_id, now)
    return int(rows[0][0]) if rows else 0
