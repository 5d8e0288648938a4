"""The stories of one item as rows: written from a list, and closed one by one.

To be called in a transaction that is fenced by the item's claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils import timezone

from jobs.lines import resolved_kind
from jobs.models import Artifact, Item, Role, Story, StoryKind
from jobs.states import ItemState
from jobs.text import clean_text
from stories import left_out, structures
from stories.errors import Gone, StoriesError, UpstreamDown
from stories.events import Listed
from stories.left_out import LeftOutReason

MAX_CAPTION: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRows:
    """The rows after a list was written.

    listed: the rows of its stories by TikTok's id. unlisted: TikTok's id of a story that an earlier
    attempt found and did not save, and that this list does not hand over -> the reason.
    """

    listed: Mapping[str, Story]
    unlisted: Mapping[str, StoriesError]


def write_list(item: Item, event: Listed) -> ListedRows:
    """Write a list's stories, what it leaves out, and the item's kind.

    A story an earlier attempt found and that is not listed any more is closed, unless it is saved.
    """
    known = {row.tiktok_id: row for row in Story.objects.filter(item=item)}
    position = max((row.position for row in known.values()), default=0)
    listed: dict[str, Story] = {}
    new: list[Story] = []
    for story in event.stories:
        row = known.pop(story.id, None)
        if row is None:
            position += 1
            row = _new_row(item, story, position)
            new.append(row)
        elif row.state != ItemState.DONE:
            row.state, row.error_code, row.error_detail = ItemState.QUEUED, "", ""
            row.save(update_fields=["state", "error_code", "error_detail"])
        listed[story.id] = row
    Story.objects.bulk_create(new)
    unlisted = {}
    for row in known.values():
        if row.state != ItemState.DONE:
            unlisted[row.tiktok_id] = _close_unlisted(row, event)
    item.kind = resolved_kind(item.kind, event.stories)
    item.listed_at = timezone.now()
    item.left_out = _left_out(event, known)
    item.save(update_fields=["kind", "listed_at", "left_out"])
    return ListedRows(listed=listed, unlisted=unlisted)


def close_story(story: Story, error: StoriesError | None, *, saved: bool) -> None:
    """Write the final state of a story. saved: some of its media is, or was, in the store."""
    story.state = ItemState.DONE
    story.error_code = story.error_detail = ""
    if error is not None:
        story.state = ItemState.PARTIAL if saved else ItemState.FAILED
        story.error_code = error.code
        story.error_detail = clean_text(error.detail, 500)
    if saved:
        story.captured_at = story.captured_at or timezone.now()
    story.save(update_fields=["state", "error_code", "error_detail", "captured_at"])


def _close_unlisted(row: Story, event: Listed) -> StoriesError:
    """Close a story that the list does not hand over; the reason it is missing.

    One that has failed keeps its own error, which says more than that it is not listed any more.
    """
    reason = event.left_out_ids.get(row.tiktok_id)
    error: StoriesError
    if reason is not None:
        error = left_out.error_for(reason, 1)
    elif left_out.INCOMPLETE & set(event.left_out):
        error = UpstreamDown("not in the part of the list that was given")
    else:
        error = Gone("not listed any more")
    if reason is not None or row.state == ItemState.QUEUED:
        saved = Artifact.objects.filter(story=row, role=Role.MEDIA).exists()
        close_story(row, error, saved=saved)
    return error


def _left_out(event: Listed, unlisted: Mapping[str, Story]) -> dict[LeftOutReason, int]:
    """What the list leaves out, without stories that have a row: it is saved, or says why not.

    unlisted: rows of stories that it does not hand over. Those TikTok counts without listing them
    may be the ones that are saved already.
    """
    counts = {str(reason): count for reason, count in event.left_out.items()}
    now = timezone.now()
    saved = sum(
        row.state == ItemState.DONE
        and row.is_story
        and row.leaves_at is not None
        and row.leaves_at > now
        and item_id not in event.left_out_ids
        for item_id, row in unlisted.items()
    )
    counts[LeftOutReason.HELD_BACK] = counts.get(LeftOutReason.HELD_BACK, 0) - saved
    for item_id, reason in event.left_out_ids.items():
        if item_id in unlisted:
            counts[reason] = counts.get(reason, 0) - 1
    return left_out.counted(counts)


def _new_row(item: Item, story: structures.Story, position: int) -> Story:
    return Story(
        item=item,
        owner_id=item.owner_id,
        tiktok_id=story.id,
        position=position,
        kind=StoryKind(story.kind.value),
        is_story=story.is_story,
        caption=clean_text(story.caption, MAX_CAPTION, multiline=True),
        source_url=story.source_url[:300],
        posted_at=story.posted_at,
        leaves_at=story.leaves_at,
        media_count=len(story.media),
    )
