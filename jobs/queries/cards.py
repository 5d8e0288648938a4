"""Job cards: a user's jobs for lists, and what the home page recognizes from the last day."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, overload

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs.ephemeral import progress
from jobs.ephemeral.progress import ItemProgress
from jobs.errors import is_skipped, retry_may_help, state_label
from jobs.files.bundles import PACKED_ROLES, Amount, amount_of, copy_key
from jobs.left_out import total
from jobs.models import Artifact, Item, Job, Role, Story
from jobs.queries import lists
from jobs.queries.avatars import avatar_address
from jobs.queries.empty_lines import empty_reason
from jobs.queries.line_views import share
from jobs.queries.looks import CLEANED, SKIPPED, LookCount, look_counts
from jobs.queries.titles import display_name, note_as_title
from jobs.queue.resubmission import is_refetchable, with_refetch_facts
from jobs.states import OPEN, ItemState, job_state
from stories.left_out import stored

MAX_THUMBNAILS: Final = 1
MAX_RECENT_TARGETS: Final = 50

_MAX_NAMES: Final = 3
_DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCard:
    """One job in a list.

    names: of the accounts or links its lines are about, at most three; more_names: how many others.
    title: `note_as_title`, "" for none, so that the names are the title.
    look_counts: looks of lines and how many have each, most first; empty when all lines agree.
    files, size_bytes: how much Save hands over (`bundles.Amount`), as on the job's page.
    thumbnails: ids of posters of stories that are here.
    look: the state; `skipped` where all lines are, `cleaned` once its files are deleted.
    state_label: words for that.
    left_out: stories that the lists of settled lines leave out, at least.
    retryable: failed or partial lines a retry may help. cleaned_up: it saved files, all are gone.
    refetchable: lines of a settled job that may be fetched again as a new one.
    avatar: the address of the picture of the first author that has one, "" without. leaves_at: when
    the first of its stories that are still on TikTok leaves it, None without one. percent: how much
    of an open job's work is done, 0 to 99; None once it is settled. from_watch: a watch found it.
    """

    id: uuid.UUID
    names: tuple[str, ...]
    more_names: int
    title: str
    note: str
    state: ItemState
    look: str
    state_label: str
    look_counts: tuple[LookCount, ...]
    created_at: datetime
    files: int
    size_bytes: int
    thumbnails: tuple[uuid.UUID, ...]
    left_out: int
    retryable: int
    cleaned_up: bool
    refetchable: int
    avatar: str
    leaves_at: datetime | None
    percent: int | None
    from_watch: bool = False

    @property
    def initial(self) -> str:
        """The letter that stands for the first name where there is no picture; "#" for a link."""
        name = self.names[0] if self.names else ""
        return name[1:2].upper() if name.startswith("@") else "#"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentTarget:
    """A line of the last day whose files are here, or on their way.

    key: its `stories.Target.key`, which the home page's script computes for what is being typed.
    asked_at: when the line was submitted. open: it is not settled yet.
    """

    key: str
    name: str
    job_id: uuid.UUID
    asked_at: datetime
    open: bool


def recent_targets(
    user: AbstractBaseUser | AnonymousUser, now: datetime | None = None
) -> list[RecentTarget]:
    """Targets this user submitted in the last day and still has, newest first, each once."""
    now = now or timezone.now()
    files = Artifact.objects.present(now).filter(item=OuterRef("pk"), role=Role.MEDIA)
    items = (
        Item.objects.visible_to(user)
        .filter(Q(state__in=OPEN) | Exists(files), created_at__gt=now - _DAY)
        .exclude(key="")
        .order_by("-created_at")[:MAX_RECENT_TARGETS]
    )
    latest: dict[str, RecentTarget] = {}
    for item in items:
        latest.setdefault(
            item.key,
            RecentTarget(
                key=item.key,
                name=_name(item),
                job_id=item.job_id,
                asked_at=item.created_at,
                open=item.state in OPEN,
            ),
        )
    return list(latest.values())


class FoundJobs(Sequence[Job]):
    """Jobs by their ids, in that order; a slice costs one query, however many were found."""

    def __init__(self, ids: Sequence[uuid.UUID]) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> Job: ...
    @overload
    def __getitem__(self, index: slice) -> list[Job]: ...
    def __getitem__(self, index: int | slice) -> Job | list[Job]:
        if isinstance(index, int):
            return Job.objects.get(pk=self._ids[index])
        jobs = Job.objects.in_bulk(self._ids[index])
        # A job that was erased meanwhile is found no more.
        return [jobs[job_id] for job_id in self._ids[index] if job_id in jobs]


def search_jobs(
    user: AbstractBaseUser | AnonymousUser,
    words: str = "",
    state: ItemState | None = None,
    *,
    from_watch: bool = False,
) -> QuerySet[Job] | FoundJobs:
    """This user's jobs, newest first. words: only jobs that mention them in the note, a line, an
    account's name or a caption. state: only jobs in that state. from_watch: only what watches
    found."""
    jobs: QuerySet[Job] = Job.objects.visible_to(user).order_by("-created_at", "-id")
    if from_watch:
        jobs = jobs.filter(from_watch=True)
    if state:
        jobs = lists.in_state(jobs, state)
    words = words.strip().removeprefix("@")
    if not words:
        return jobs
    # Looked for once, and not again to count them. Each table is read for itself: joined, all
    # five columns were compared for each story.
    named = (
        Q(line__icontains=words)
        | Q(author_name__icontains=words)
        | Q(author_nickname__icontains=words)
    )
    items, stories = Item.objects.visible_to(user), Story.objects.visible_to(user)
    told = stories.filter(caption__icontains=words).order_by().values("item")
    mentions = (
        Q(note__icontains=words)
        | Q(pk__in=items.filter(named).order_by().values("job"))
        | Q(pk__in=Item.objects.filter(pk__in=told).order_by().values("job"))
    )
    return FoundJobs(list(jobs.filter(mentions).values_list("pk", flat=True)))


class _SavedFile(NamedTuple):
    """What a card asks of a file that can be downloaded."""

    role: str
    size_bytes: int


def job_cards(jobs: Iterable[Job]) -> list[JobCard]:
    """The jobs as cards, in four queries however many they are, and a look into Redis where one is
    not settled."""
    jobs = list(jobs)
    now = timezone.now()
    items: dict[uuid.UUID, list[Any]] = defaultdict(list)
    lines = with_refetch_facts(Item.objects.filter(job__in=jobs), now)
    # The digest is joined, and never the bytes of a picture.
    lines = lines.annotate(picture_digest=F("author_picture__digest"))
    for item in lines.order_by("job_id", "position"):
        items[item.job_id].append(item)
    saved: dict[uuid.UUID, dict[Any, _SavedFile]] = defaultdict(dict)
    posters: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    present = Artifact.objects.present(now).filter(job__in=jobs)
    present = present.filter(role__in=(*PACKED_ROLES, Role.POSTER))
    rows = present.order_by("story__posted_at").values_list(
        "job_id", "role", "id", "size_bytes", "story__tiktok_id", "position", "sha256"
    )
    for job_id, role, artifact_id, size_bytes, tiktok_id, position, sha256 in rows:
        if role == Role.POSTER:
            posters[job_id].append(artifact_id)
        else:
            key = copy_key(tiktok_id, role, position, sha256)
            saved[job_id].setdefault(key, _SavedFile(role, size_bytes))
    leaving = dict(
        Story.objects.filter(item__job__in=jobs, leaves_at__gt=now)
        .order_by()
        .values_list("item__job")
        .annotate(Min("leaves_at"))
    )
    unsettled = [job.id for job in jobs if any(item.state in OPEN for item in items[job.id])]
    reports = progress.read_many(unsettled)
    return [
        _card(
            job,
            items[job.id],
            amount_of(list(saved[job.id].values())),
            posters[job.id],
            leaves_at=leaving.get(job.id),
            reports=reports,
        )
        for job in jobs
    ]


def _percent(items: Sequence[Item], reports: Mapping[str, ItemProgress]) -> int:
    """How much of the work of these lines is done, every line counting alike, at most 99."""
    shares = [
        share(ItemState(item.state), (), reports.get(str(item.pk)), item.asked_at) for item in items
    ]
    return min(99, int(100 * sum(shares) / len(shares)))


def _card(
    job: Job,
    items: Sequence[Any],
    amount: Amount,
    posters: Sequence[uuid.UUID],
    *,
    leaves_at: datetime | None,
    reports: Mapping[str, ItemProgress],
) -> JobCard:
    """The card of a job. items: the job's, annotated by `job_cards`. amount: of what is here."""
    names = list(dict.fromkeys(_name(item) for item in items))
    state = job_state(item.state for item in items) if items else ItemState.EMPTY
    settled = state not in OPEN
    reason = empty_reason((item.state, item.error_code) for item in items)
    cleaned_up = settled and not amount.files and any(item.saved for item in items)
    skipped = bool(items) and all(is_skipped(item.state, item.error_code) for item in items)
    look, label = str(state), state_label(state, reason)
    if cleaned_up:
        look, label = CLEANED, _("deleted")
    elif skipped and not amount.files:
        look, label = SKIPPED, _("skipped")
    return JobCard(
        id=job.id,
        names=tuple(names[:_MAX_NAMES]),
        more_names=max(0, len(names) - _MAX_NAMES),
        title=note_as_title(job.note, from_watch=job.from_watch),
        note=job.note,
        state=state,
        look=look,
        state_label=label,
        look_counts=look_counts((item.state, item.error_code) for item in items),
        created_at=job.created_at,
        files=amount.files,
        size_bytes=amount.size_bytes,
        thumbnails=tuple(posters[:MAX_THUMBNAILS]),
        left_out=left_out_of(items),
        retryable=sum(retry_may_help(item.state, item.error_code) for item in items),
        cleaned_up=cleaned_up,
        refetchable=sum(is_refetchable(item) for item in items) if settled else 0,
        avatar=next(filter(None, (avatar_address(i.pk, i.picture_digest) for i in items)), ""),
        leaves_at=leaves_at,
        percent=None if settled else _percent(items, reports),
        from_watch=job.from_watch,
    )


def left_out_of(items: Iterable[Item]) -> int:
    """The number of stories that the lists of a job's settled lines leave out, at least."""
    return total(
        (_account(item) or item.line, stored(item.left_out))
        for item in items
        if item.state not in OPEN
    )


def _account(item: Item) -> str:
    """The name of its account, or the requested one until it is known; "" for neither."""
    name: str = item.author_name or (item.target or {}).get("name") or ""
    return name


def _name(item: Item) -> str:
    return display_name(_account(item), item.line)
