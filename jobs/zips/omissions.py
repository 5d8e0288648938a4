"""What a job asked for and its bundle cannot hold: rows of the manifest without a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from jobs.models import DAMAGED, Artifact, Item, Job, Role, Story
from jobs.states import OPEN, ItemState
from jobs.zips.archive import Omission
from stories.left_out import LeftOutReason, stored

PROFILE: Final = "https://www.tiktok.com/@"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedStory:
    """A story of a line. missing: how many of its pictures and videos were not saved.

    whole: saved with everything that belongs to it. reason: the code of its error, "" for none.
    """

    story_id: str
    kind: str
    source_url: str
    posted_at: datetime
    author_name: str
    author_nickname: str
    missing: int
    whole: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedLine:
    """A settled line. text: as pasted. author_name: as asked for until it is known, "" for none."""

    text: str
    author_name: str
    author_nickname: str
    left_out: Mapping[LeftOutReason, int]
    stories: Sequence[ListedStory]


def omissions(lines: Sequence[ListedLine], note: str = "") -> list[Omission]:
    """What the lists of the lines leave out, then media of their stories that never arrived.

    Two lines can ask for one account, by its name and by a link to it: what both leave out counts
    once, the larger number of it, and what came by one of them is not missing. note: the job's.
    """
    return [*_left_out(lines, note), *_missing(lines, note)]


def _left_out(lines: Iterable[ListedLine], note: str) -> Iterable[Omission]:
    rows: dict[tuple[str, str], Omission] = {}
    for line in lines:
        name = line.author_name
        for reason, count in line.left_out.items():
            known = rows.get((name or line.text, reason))
            if known is None or known.count < count:
                rows[name or line.text, reason] = Omission(
                    what="left_out",
                    author_name=name,
                    author_nickname=line.author_nickname,
                    source_url=f"{PROFILE}{name}" if name else "",
                    count=count,
                    reason=reason,
                    note=note,
                )
    return rows.values()


def _missing(lines: Iterable[ListedLine], note: str) -> Iterable[Omission]:
    stories = [story for line in lines for story in line.stories]
    whole = {story.story_id for story in stories if story.whole}
    rows: dict[str, Omission] = {}
    for story in stories:
        known = rows.get(story.story_id)
        if story.story_id in whole or not story.missing:
            continue
        if known is None or story.missing < known.count:
            rows[story.story_id] = Omission(
                what="missing",
                author_name=story.author_name,
                author_nickname=story.author_nickname,
                source_url=story.source_url,
                count=story.missing,
                reason=story.reason,
                story_id=story.story_id,
                kind=story.kind,
                posted_at=story.posted_at,
                note=note,
            )
    return rows.values()


def omissions_of(job: Job) -> list[Omission]:
    """`omissions` of a job's settled lines. Three queries.

    A picture that came by one line of two is in the ZIP, though the other line misses it.
    """
    items = list(Item.objects.filter(job=job).exclude(state__in=OPEN).order_by("position"))
    by_id = {item.pk: item for item in items}
    stories: dict[UUID, list[ListedStory]] = {item.pk: [] for item in items}
    saved: dict[str, set[int]] = defaultdict(set)
    damaged: set[UUID | None] = set()
    files = Artifact.objects.filter(job=job, role=Role.MEDIA, story__isnull=False)
    for row in files.values_list("story", "story__tiktok_id", "position", "labels"):
        story_pk, tiktok_id, position, labels = row
        if DAMAGED in labels:
            damaged.add(story_pk)
        else:
            saved[tiktok_id].add(position)
    rows = Story.objects.filter(item__job=job).exclude(item__state__in=OPEN)
    for story in rows.order_by("position"):
        if (item := by_id.get(story.item_id)) is None:
            continue  # settled between the two queries
        stories[item.pk].append(
            ListedStory(
                story_id=story.tiktok_id,
                kind=story.kind,
                source_url=story.source_url,
                posted_at=story.posted_at,
                author_name=item.author_name,
                author_nickname=item.author_nickname,
                missing=len(set(range(1, story.media_count + 1)) - saved[story.tiktok_id]),
                whole=story.state == ItemState.DONE and story.pk not in damaged,
                reason=story.error_code or (DAMAGED if story.pk in damaged else ""),
            )
        )
    lines = [
        ListedLine(
            text=item.line,
            author_name=item.author_name or (item.target or {}).get("name") or "",
            author_nickname=item.author_nickname,
            left_out=stored(item.left_out),
            stories=stories[item.pk],
        )
        for item in items
    ]
    return omissions(lines, job.note)


def damaged_among(job: Job, chosen: Sequence[str]) -> list[Omission]:
    """Those of some files of a job that were given up as damaged, by story. One query.

    chosen: artifact ids.
    """
    rows = Artifact.objects.filter(
        pk__in=chosen, job=job, story__isnull=False, removed_at__isnull=False
    )
    counts: dict[Story, int] = defaultdict(int)
    for file in rows.select_related("story__item").order_by("story__posted_at", "position"):
        if DAMAGED in file.labels and file.story is not None:
            counts[file.story] += 1
    return [_damaged_of(story, count, job.note) for story, count in counts.items()]


def _damaged_of(story: Story, count: int, note: str) -> Omission:
    return Omission(
        what="missing",
        author_name=story.item.author_name,
        author_nickname=story.item.author_nickname,
        source_url=story.source_url,
        count=count,
        reason=DAMAGED,
        story_id=story.tiktok_id,
        kind=story.kind,
        posted_at=story.posted_at,
        note=note,
    )
