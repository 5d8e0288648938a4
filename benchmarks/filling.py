"""Filling a database: many jobs, lines, stories and files as rows, without a byte on the disk.

    owners = make_owners(21)
    fill(owners, jobs=20_000)                      # settled jobs with their stories and files
    fill_queue(owners, lines=10_000)               # lines that wait for a worker
    big = fill_job(owners[0], lines=50, stories=100)

Rows look like those the worker writes; all are made in bulk, some ten thousand a second.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, TypeVar

from django.contrib.auth.models import User
from django.db import models, transaction
from django.utils import timezone

from jobs.models import Artifact, Item, ItemKind, Job, Role, Story, StoryKind
from jobs.states import ItemState

Row = TypeVar("Row", bound=models.Model)

BATCH: Final = 2000
ROLES: Final = (Role.MEDIA, Role.POSTER)
"""The files of one story."""
STATES: Final = (
    *(ItemState.DONE,) * 14,
    *(ItemState.EMPTY,) * 3,
    ItemState.PARTIAL,
    ItemState.FAILED,
    ItemState.CANCELLED,
)
"""The states settled lines take in turn."""
_SAVING: Final = frozenset({ItemState.DONE, ItemState.PARTIAL})


def make_owners(count: int, *, prefix: str = "person") -> list[User]:
    """So many users, who cannot sign in; those that exist by that name are used again."""
    names = [f"{prefix}{number}" for number in range(1, count + 1)]
    User.objects.bulk_create(
        [User(username=name, password="!") for name in names],  # noqa: S106  # no password at all
        ignore_conflicts=True,
    )
    return list(User.objects.filter(username__in=names).order_by("pk"))


def fill(
    owners: Sequence[User],
    *,
    jobs: int,
    lines: int = 1,
    stories: int = 3,
    present: float = 1.0,
    until: datetime | None = None,
    every: timedelta = timedelta(minutes=2),
) -> None:
    """Settled jobs of these owners in turn, oldest first, as rows only.

    lines: of each job; their states come from STATES in turn. stories: of each line that saved
    something, each with one file of each of ROLES. present: the share of jobs, the newest ones,
    whose files are still there. until: when the last job was sent, default now; every: time between
    two.
    """
    last = until or timezone.now()
    gone_before = jobs - round(jobs * present)
    made = 0

    def rows() -> Iterator[tuple[list[Item], list[Story], list[Artifact], Job]]:
        nonlocal made
        for number in range(jobs):
            at = last - every * (jobs - 1 - number)
            yield _settled_job(
                owners[number % len(owners)],
                at,
                states=[STATES[(made + line) % len(STATES)] for line in range(lines)],
                stories=stories,
                removed_at=at + timedelta(hours=2) if number < gone_before else None,
            )
            made += lines

    _save(rows())


def fill_queue(
    owners: Sequence[User], *, lines: int, lines_per_job: int = 50, asked_at: datetime | None = None
) -> None:
    """Queued lines of these owners, spread evenly, in jobs of `lines_per_job` lines.

    asked_at: when the last job was sent, default now; each job a second after the one before.
    """
    last = asked_at or timezone.now()
    sizes = [lines_per_job] * (lines // lines_per_job)
    if lines % lines_per_job:
        sizes.append(lines % lines_per_job)

    def rows() -> Iterator[tuple[list[Item], list[Story], list[Artifact], Job]]:
        for number, size in enumerate(sizes):
            at = last - timedelta(seconds=len(sizes) - 1 - number)
            job = Job(owner=owners[number % len(owners)], created_at=at)
            yield [_item(job, place, ItemState.QUEUED, at) for place in range(size)], [], [], job

    _save(rows())


def fill_job(owner: User, *, lines: int = 50, stories: int = 100) -> Job:
    """One settled job of that owner with `lines` times `stories` stories, all files present."""
    rows = _settled_job(
        owner,
        timezone.now(),
        states=[ItemState.DONE] * lines,
        stories=stories,
        removed_at=None,
    )
    _save(iter([rows]))
    return rows[3]


def _settled_job(
    owner: User,
    at: datetime,
    *,
    states: Sequence[ItemState],
    stories: int,
    removed_at: datetime | None,
) -> tuple[list[Item], list[Story], list[Artifact], Job]:
    job = Job(owner=owner, created_at=at, settled_at=at + timedelta(seconds=9), note="")
    items = [_item(job, place, state, at) for place, state in enumerate(states)]
    made_stories: list[Story] = []
    files: list[Artifact] = []
    for item in items:
        if item.state in _SAVING:
            for place in range(stories):
                story = _story(item, place, at)
                made_stories.append(story)
                files += [_file(job, story, role, at, removed_at) for role in ROLES]
    return items, made_stories, files, job


def _item(job: Job, place: int, state: ItemState, at: datetime) -> Item:
    name = f"corner.bakery{uuid.uuid4().int % 5000}"
    settled = state not in (ItemState.QUEUED, ItemState.RUNNING)
    return Item(
        job=job,
        owner_id=job.owner_id,
        position=place + 1,
        line=f"@{name}",
        kind=ItemKind.USER,
        target={"kind": "user", "name": name},
        key=f"user:{name}",
        state=state,
        attempt=int(settled),
        tries=int(settled),
        created_at=at,
        asked_at=at,
        claimed_at=at + timedelta(seconds=1) if settled else None,
        settled_at=at + timedelta(seconds=9) if settled else None,
        error_code="gone" if state in (ItemState.FAILED, ItemState.PARTIAL) else "",
        author_name=name if state in _SAVING else "",
        author_nickname="Corner Bakery" if state in _SAVING else "",
    )


def _story(item: Item, place: int, at: datetime) -> Story:
    posted_at = at - timedelta(hours=3) + timedelta(minutes=place % 170)
    return Story(
        item=item,
        owner_id=item.owner_id,
        tiktok_id=str(uuid.uuid4().int % 10**19),
        position=place + 1,
        kind=StoryKind.VIDEO,
        state=ItemState.DONE,
        caption="Fresh bread every morning, and a little something for the afternoon. #bakery",
        source_url=f"https://www.tiktok.com/@{item.author_name}/video/{place}",
        posted_at=posted_at,
        leaves_at=posted_at + timedelta(hours=24),
        captured_at=at + timedelta(seconds=5),
    )


def _file(
    job: Job, story: Story, role: Role, at: datetime, removed_at: datetime | None
) -> Artifact:
    poster = role == Role.POSTER
    suffix = "poster.jpg" if poster else "mp4"
    return Artifact(
        owner_id=job.owner_id,
        job=job,
        item_id=story.item_id,
        story=story,
        role=role,
        position=1,
        name=f"{story.tiktok_id}.{suffix}",
        content_type="image/jpeg" if poster else "video/mp4",
        size_bytes=20_000 if poster else 1_000_000,
        sha256="0" * 64,
        width=1080,
        height=1920,
        checked=True,
        created_at=at + timedelta(seconds=6),
        expires_at=removed_at or timezone.now() + timedelta(days=365),
        removed_at=removed_at,
    )


def _save(rows: Iterator[tuple[list[Item], list[Story], list[Artifact], Job]]) -> None:
    """Write rows job by job, some thousand of each table at a time."""
    while chunk := list(islice(rows, BATCH)):
        with transaction.atomic():
            _create(Job, [job for *_, job in chunk])
            _create(Item, [item for items, *_ in chunk for item in items])
            _create(Story, [story for _, stories, *_ in chunk for story in stories])
            _create(Artifact, [file for _, _, files, _ in chunk for file in files])


def _create(model: type[Row], rows: list[Row]) -> None:
    for start in range(0, len(rows), BATCH):
        model._default_manager.bulk_create(rows[start : start + BATCH])  # noqa: SLF001  # public by name
