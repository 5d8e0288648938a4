"""A user's jobs as lists: newest first, each with a title, its counts and a few pictures."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from jobs.errors import BY_CODE
from jobs.models import Artifact, Item, Job, Role
from jobs.queries import lists
from jobs.queries.titles import display_name
from jobs.queue import resubmission
from jobs.states import OPEN, ItemState, job_state

PEEK = 2
KNOWN = 50
"""At most so many earlier lines travel along with the home page."""

_NAMES = 3
_DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One job in a list.

    names: whom its lines are about, at most three; more: how many others.
    tally: how many lines ended how, most first, where they did not all end alike.
    files: media files still on disk; peek: ids of some of their pictures.
    retryable: failed lines that another try may help. cleaned_up: it saved files, none is here.
    again: lines of a settled job that were cancelled or cleaned up and can be asked for once more.
    """

    id: uuid.UUID
    names: tuple[str, ...]
    more: int
    note: str
    state: ItemState
    tally: tuple[tuple[ItemState, int], ...]
    created_at: datetime
    files: int
    peek: tuple[uuid.UUID, ...]
    retryable: int
    cleaned_up: bool
    again: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A line whose files are here, or on their way: to be told before it is sent once more.

    key: as `stories.Target.key`, which the home page's script computes for what is being typed.
    """

    key: str
    name: str
    job_id: uuid.UUID
    asked_at: datetime
    open: bool


def known(user: AbstractBaseUser | AnonymousUser, now: datetime | None = None) -> list[Known]:
    """What this user asked for in the last day and still has, the latest of each."""
    now = now or timezone.now()
    files = Artifact.objects.present(now).filter(item=OuterRef("pk"), role=Role.MEDIA)
    items = (
        Item.objects.visible_to(user)
        .filter(Q(state__in=OPEN) | Exists(files), created_at__gt=now - _DAY)
        .exclude(key="")
        .order_by("-created_at")[:KNOWN]
    )
    latest: dict[str, Known] = {}
    for item in items:
        latest.setdefault(
            item.key,
            Known(
                key=item.key,
                name=_name(item),
                job_id=item.job_id,
                asked_at=item.created_at,
                open=item.state in OPEN,
            ),
        )
    return list(latest.values())


def find(
    user: AbstractBaseUser | AnonymousUser, words: str = "", state: ItemState | None = None
) -> QuerySet[Job]:
    """This user's jobs, newest first; with `words`, those that mention them; with `state`, so."""
    jobs: QuerySet[Job] = Job.objects.visible_to(user).order_by("-created_at", "-id")
    if state:
        jobs = lists.in_state(jobs, state)
    words = words.strip().removeprefix("@")
    if words:
        said = (
            Q(note__icontains=words)
            | Q(items__line__icontains=words)
            | Q(items__author_name__icontains=words)
            | Q(items__author_nickname__icontains=words)
            | Q(items__stories__caption__icontains=words)
        )
        jobs = jobs.filter(pk__in=Job.objects.visible_to(user).filter(said).values("pk"))
    return jobs


def _name(item: Item) -> str:
    return display_name(item.author_name or item.target.get("name") or "", item.line)


def cards(jobs: Iterable[Job]) -> list[Card]:
    """The jobs as cards, in three queries however many they are."""
    jobs = list(jobs)
    items: dict[uuid.UUID, list[Item]] = defaultdict(list)
    saved: set[uuid.UUID] = set()
    wanting: Counter[uuid.UUID] = Counter()
    lines = Item.objects.filter(job__in=jobs).annotate(
        saved=resubmission.saved(), wanting=resubmission.wanting(timezone.now())
    )
    item: Any  # with what was annotated, which no type knows
    for item in lines.order_by("job_id", "position"):
        items[item.job_id].append(item)
        wanting[item.job_id] += item.wanting
        if item.saved:
            saved.add(item.job_id)
    present = Artifact.objects.present().filter(job__in=jobs)
    files: dict[uuid.UUID, int] = defaultdict(int)
    pictures: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    wanted = present.filter(role__in=(Role.MEDIA, Role.POSTER)).order_by("story__posted_at")
    for job_id, role, artifact_id in wanted.values_list("job_id", "role", "id"):
        if role == Role.MEDIA:
            files[job_id] += 1
        else:
            pictures[job_id].append(artifact_id)
    return [
        _card(
            job,
            items[job.id],
            files[job.id],
            pictures[job.id],
            saved=job.id in saved,
            wanting=wanting[job.id],
        )
        for job in jobs
    ]


def _card(
    job: Job,
    items: Sequence[Item],
    files: int,
    pictures: Sequence[uuid.UUID],
    *,
    saved: bool,
    wanting: int,
) -> Card:
    names = list(dict.fromkeys(_name(item) for item in items))
    tally = Counter(ItemState(item.state) for item in items).most_common()
    state = job_state(item.state for item in items) if items else ItemState.EMPTY
    return Card(
        id=job.id,
        names=tuple(names[:_NAMES]),
        more=max(0, len(names) - _NAMES),
        note=job.note,
        state=state,
        tally=tuple(tally) if len(tally) > 1 else (),
        created_at=job.created_at,
        files=files,
        peek=tuple(pictures[:PEEK]),
        retryable=sum(
            item.state in (ItemState.FAILED, ItemState.PARTIAL)
            and item.error_code in BY_CODE
            and BY_CODE[item.error_code].retryable
            for item in items
        ),
        cleaned_up=state not in OPEN and saved and not files,
        again=0 if state in OPEN else wanting,
    )
