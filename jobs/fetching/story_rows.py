"""The stories of one item as rows: written from a list, and closed as their files are saved.

To be called in a transaction; closing them in one that is fenced by the item's claim.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from jobs.lines import resolved_kind
from jobs.models import Artifact, Item, Role, Story, StoryKind
from jobs.queue import claims
from jobs.queue.claims import Claim
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

    listed: the rows of its stories by TikTok's id. others: the item's other rows. unlisted:
    TikTok's id of a story among the others that an earlier attempt did not save -> the reason.
    """

    listed: Mapping[str, Story]
    others: Sequence[Story]
    unlisted: Mapping[str, StoriesError]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryEnd:
    """How a story ended. error: None for one that is whole. saved: some of its media is, or was,
    in the store."""

    story: Story
    error: StoriesError | None
    saved: bool


def first_list(item: Item, event: Listed) -> dict[str, Story]:
    """The rows of an item's first list by TikTok's id, to be written by `write_first_list`."""
    _note_list(item, event, {})
    return {
        story.id: _new_row(item, story, position)
        for position, story in enumerate(event.stories, start=1)
    }


def write_first_list(claim: Claim, item: Item, rows: Iterable[Story]) -> None:
    """Write an item's first list: its kind and author, what is left out, and the rows, which may
    have ended since. Raises ClaimLost."""
    _write_item(claim, item)
    Story.objects.bulk_create(rows)


def _note_list(item: Item, event: Listed, unlisted: Mapping[str, Story]) -> None:
    item.kind = resolved_kind(item.kind, event.stories)
    item.listed_at = timezone.now()
    item.left_out = _left_out(event, unlisted)


def _write_item(claim: Claim, item: Item) -> None:
    """Write what a list says of its item. The fence, and the lock that keeps a cancel out until the
    stories are there."""
    claims.write(
        claim,
        kind=item.kind,
        listed_at=item.listed_at,
        left_out=item.left_out,
        **author_fields(item),
    )


def author_fields(item: Item) -> dict[str, str]:
    """The columns of an item that say whose its stories are."""
    return {
        "author_id": item.author_id,
        "author_name": item.author_name,
        "author_nickname": item.author_nickname,
    }


def write_list(claim: Claim, item: Item, event: Listed, before: Iterable[Story]) -> ListedRows:
    """Write a list's stories, what it leaves out, and the item's kind and author. Raises ClaimLost.

    before: the item's rows, of earlier attempts and of an earlier list of this one. A story among
    them that is not listed any more is closed, unless it is saved.
    """
    known = {row.tiktok_id: row for row in before}
    handed_over = {story.id for story in event.stories}
    _note_list(item, event, {key: row for key, row in known.items() if key not in handed_over})
    _write_item(claim, item)
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
    return ListedRows(listed=listed, others=tuple(known.values()), unlisted=unlisted)


def close_stories(ends: Iterable[StoryEnd], unwritten: Container[Story] = ()) -> None:
    """Write the final states of stories; a statement for all that ended alike.

    unwritten: rows that are still to be written; they are given their states for that.
    """
    now = timezone.now()
    alike: dict[tuple[ItemState, str, str, bool], list[Story]] = defaultdict(list)
    for end in ends:
        state, code, detail = ItemState.DONE, "", ""
        if end.error is not None:
            state = ItemState.PARTIAL if end.saved else ItemState.FAILED
            code, detail = end.error.code, clean_text(end.error.detail, 500)
        alike[state, code, detail, end.saved].append(end.story)
    for (state, code, detail, saved), stories in alike.items():
        fields: dict[str, Any] = {"state": state, "error_code": code, "error_detail": detail}
        if saved:
            fields["captured_at"] = Coalesce("captured_at", Value(now))
        written = [story.pk for story in stories if story not in unwritten]
        if written:
            Story.objects.filter(pk__in=written).update(**fields)
        for story in stories:
            story.state, story.error_code, story.error_detail = state, code, detail
            if saved and story in unwritten:
                story.captured_at = now


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
        close_stories([StoryEnd(story=row, error=error, saved=saved)])
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
