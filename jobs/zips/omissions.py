"""What a job asked for and its bundle cannot hold: rows of the manifest without a file."""

from __future__ import annotations

from typing import Final

from django.db.models import Count, Q

from jobs.models import Item, Job, Role, Story
from jobs.states import OPEN, ItemState
from jobs.zips.archive import Omission
from stories.left_out import stored

PROFILE: Final = "https://www.tiktok.com/@"


def omissions_of(job: Job) -> list[Omission]:
    """What the lists of the job's lines leave out, and media of its stories that never arrived.

    What came by another line of the job is not missing. Three queries.
    """
    return [*_left_out(job), *_missing(job)]


def _left_out(job: Job) -> list[Omission]:
    # Two lines can ask for one account: by its name, and by a link to it.
    found: dict[tuple[str, str], Omission] = {}
    items = Item.objects.filter(job=job).exclude(state__in=OPEN).exclude(left_out={})
    for item in items.order_by("position"):
        name = item.author_name or item.target.get("name") or ""
        for reason, count in stored(item.left_out).items():
            omission = found.get((name or item.line, reason))
            if omission is None or omission.count < count:
                found[name or item.line, reason] = Omission(
                    what="left_out",
                    author_name=name,
                    author_nickname=item.author_nickname,
                    source_url=f"{PROFILE}{name}" if name else "",
                    count=count,
                    reason=reason,
                    note=job.note,
                )
    return list(found.values())


def _missing(job: Job) -> list[Omission]:
    """Pictures and videos that were never saved, by story."""
    stories = Story.objects.filter(item__job=job).exclude(item__state__in=OPEN)
    whole = set(stories.filter(state=ItemState.DONE).values_list("tiktok_id", flat=True))
    saved = Count("artifacts__position", filter=Q(artifacts__role=Role.MEDIA), distinct=True)
    rows = stories.exclude(tiktok_id__in=whole).annotate(saved=saved).select_related("item")
    omissions: dict[str, Omission] = {}
    for story in rows.order_by("item__position", "position"):
        missing = story.media_count - story.saved
        known = omissions.get(story.tiktok_id)
        if missing > 0 and (known is None or missing < known.count):
            omissions[story.tiktok_id] = Omission(
                what="missing",
                author_name=story.item.author_name,
                author_nickname=story.item.author_nickname,
                source_url=story.source_url,
                count=missing,
                reason=story.error_code,
                story_id=story.tiktok_id,
                kind=story.kind,
                posted_at=story.posted_at,
                note=job.note,
            )
    return list(omissions.values())
