"""Turns the events of one claimed item into rows, files and progress, fenced by its claim."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from jobs.ephemeral import media_hosts
from jobs.ephemeral.progress import Reporter
from jobs.errors import DiskFault, error_to_name
from jobs.fetching import author_pictures
from jobs.fetching.file_rows import FileRows
from jobs.fetching.pending_list import PendingList
from jobs.fetching.saved_media import MediaKey
from jobs.fetching.story_rows import StoryEnd, close_stories, write_list
from jobs.files import deletion, store
from jobs.files.workspace import Workspace
from jobs.models import Artifact, Item, Role, Story, StoryKind
from jobs.queue.backoff import release_queue
from jobs.queue.claims import Claim, fenced
from jobs.queue.dispatch import dispatch
from jobs.queue.settling import Outcome
from jobs.states import SAVED, ItemState
from jobs.upstream import breaker
from jobs.zips.builder import build_carousel
from jobs.zips.contents import any_removed
from stories import renditions, structures
from stories.errors import Gone, MediaUnavailable, StoriesError
from stories.events import (
    AvatarReady,
    Checking,
    Event,
    FileReady,
    Listed,
    MediaFailed,
    Resolved,
    StoryFinished,
    Transferring,
    UnknownHosts,
    Warned,
)
from stories.left_out import errors_for, stored

logger = logging.getLogger(__name__)

SAVE_AFTER_S: Final = 0.8
"""A verified file, or the end of a story, waits at most this long for others to be recorded with
it; a transaction for each would cost more than fetching them."""
SAVE_TOGETHER: Final = 32
SAVE_PICTURE_AFTER_S: Final = 2.0
"""The author's picture waits so long for a file that it shares a transaction with."""


def record_answer() -> None:
    """TikTok gave a real answer: when that closes the breaker, items that wait for it go on."""
    if breaker.record_answer():
        released = release_queue()
        logger.info("TikTok answers again, %d items go on", released)
        dispatch()


class Recorder:
    """Records one attempt at an item, event by event.

    has_past: an earlier attempt found stories. have: media that need not be fetched. wrote_at: when
    the claim last let a write through, on the monotonic clock.
    """

    def __init__(self, claim: Claim, item: Item, workspace: Workspace) -> None:
        self._claim, self._item, self._workspace = claim, item, workspace
        self._files = FileRows(claim, item, workspace)
        self._stories: dict[str, Story] = {}
        self._list = PendingList(claim, item)
        self._failed: dict[str, StoriesError] = {}
        self._spared: Counter[str] = Counter()
        self._lacks: dict[str, StoriesError] = {}
        self._listed: frozenset[str] = frozenset()
        self._details: Mapping[str, str] = {}
        self._ready: list[FileReady] = []
        self._zips: dict[UUID, _Packed] = {}
        self._ended: list[StoryFinished] = []
        self._author_picture: bytes | None = None
        self._pictured_at = 0.0
        self._waiting_since: float | None = None
        self._other_rows: Sequence[Story] = ()
        self.wrote_at = float("-inf")
        if claim.attempt > 1:
            self._other_rows = list(Story.objects.filter(item=item))
            self._files.load()
        self.has_past = bool(self._other_rows)
        self.progress = Reporter(
            item.job_id, item.pk, asked_at=item.asked_at, is_first=claim.attempt == 1
        )

    @property
    def have(self) -> frozenset[MediaKey]:
        """Media that is saved, or was deleted on purpose."""
        return frozenset(self._files.saved_bytes)

    @property
    def underived(self) -> Sequence[tuple[Artifact, Set[Role]]]:
        """Saved media, and the roles of the files that are still to be made of each."""
        return self._files.underived

    def reload(self) -> None:
        """Take into account what another item's files brought, or what was made of saved ones."""
        self._files.load()

    def record(self, event: Event | None) -> None:
        """Record one event, and save files that have waited long enough.

        None is a tick without an event. Raises ClaimLost, DiskFull.
        """
        match event:
            case None:
                self._list.write_author()
                self.progress.tick()
            case Resolved():
                self._list.name_author(event.author)
            case AvatarReady():
                self._author_picture, self._pictured_at = event.picture, time.monotonic()
            case Listed():
                self._record_list(event)
            case Transferring():
                file = (event.story_id, event.position)
                self.progress.arriving(file, event.bytes_done, event.bytes_total)
            case Checking():
                self.progress.checking()
            case FileReady():
                self._ready.append(event)
            case MediaFailed():
                self._record_failure(event)
            case StoryFinished():
                self._finish_story(event)
            case UnknownHosts() | Warned():
                self._note(event)
        if self._is_due():
            self.save()

    def _note(self, event: UnknownHosts | Warned) -> None:
        if isinstance(event, UnknownHosts):
            media_hosts.record(event.hosts)
            logger.info("item %s: unknown hosts: %s", self._item.pk, ", ".join(event.hosts))
        else:
            logger.info("item %s: story %s: %s", self._item.pk, event.story_id, event.message)

    def _is_due(self) -> bool:
        """Whether what waits to be recorded has waited long enough, or is enough."""
        now = time.monotonic()
        if not (self._ready or self._ended or self._list.waits):
            return bool(self._author_picture) and now - self._pictured_at >= SAVE_PICTURE_AFTER_S
        if self._waiting_since is None:
            self._waiting_since = now
        return len(self._ready) >= SAVE_TOGETHER or now - self._waiting_since >= SAVE_AFTER_S

    def save(self) -> None:
        """Record the first list, the files that are ready, the stories that ended and the author's
        picture, in one transaction.

        Raises ClaimLost, DiskFull.
        """
        ready, ended, zips = self._ready, self._ended, self._zips
        picture, self._author_picture = self._author_picture, None
        self._ready, self._ended, self._zips, self._waiting_since = [], [], {}, None
        if not (ready or ended or picture or self._list.waits):
            self._list.write_author()
            return

        def close(lost: Set[str]) -> None:
            if picture:
                author_pictures.save(self._item.pk, picture)
            self._close_stories([event for event in ended if event.story_id not in lost])
            self._list.write()

        moved = [packed.artifact for packed in zips.values()]
        # Before there is a list, files are made of what an earlier attempt saved.
        stories = {row.tiktok_id: row for row in self._other_rows} | self._stories
        written = self._files.save(ready, stories, close, self._list.note_written, moved=moved)
        self.wrote_at = time.monotonic()
        _drop_stale_zips([zips[row.pk] for row in written if row.pk in zips])
        for event in ready:
            file = (event.story_id, event.position)
            if event.role == "media" and file in self._files.refused:
                self.progress.file_failed(file)
            elif event.role == "media":
                self.progress.file_done(file, event.size_bytes)

    def outcome(self) -> Outcome:
        """The outcome of all the item's stories, those of earlier attempts included.

        DONE and EMPTY say that the list was complete and nothing of it is missing, nor of the
        stories that were asked for by their ids.
        """
        rows = (*self._stories.values(), *self._other_rows)
        states = [ItemState(story.state) for story in rows]
        left_out = errors_for(stored(self._item.left_out), self._details)
        gone = set() if left_out else _unlisted_ids(self._item, rows)
        if all(state == ItemState.DONE for state in states) and not left_out and not gone:
            return Outcome(ItemState.DONE if states else ItemState.EMPTY)
        error = error_to_name([*self._failed.values(), *left_out]) or Gone("not listed any more")
        return Outcome(ItemState.PARTIAL if SAVED & set(states) else ItemState.FAILED, error)

    # --- author and list ------------------------------------------------------------------------

    def _record_list(self, event: Listed) -> None:
        record_answer()
        self._list.name_author(event.author)
        left_out = ", ".join(f"{count} {reason}" for reason, count in event.left_out.items())
        logger.info(
            "item %s: %d stories%s",
            self._item.pk, len(event.stories), f"; left out: {left_out}" if left_out else "",
        )  # fmt: skip
        self._listed = frozenset(story.id for story in event.stories)
        self._details = event.details
        before = (*self._stories.values(), *self._other_rows)
        if before:
            self._rewrite_list(event, before)
        else:
            self._stories = self._list.begin(event)
            self._waiting_since = time.monotonic()
        self._expect(event.stories)

    def _rewrite_list(self, event: Listed, before: Sequence[Story]) -> None:
        if self._list.waits:
            self.save()
        with transaction.atomic():
            rows = write_list(self._claim, self._item, event, before)
        self.wrote_at = time.monotonic()
        self._stories, self._other_rows = dict(rows.listed), rows.others
        self._failed = dict(rows.unlisted)

    def _expect(self, stories: Iterable[structures.Story]) -> None:
        """Tell the progress how much is to come."""
        expected, already = {}, {}
        for story in stories:
            for media in story.media:
                file = (story.id, media.position)
                if file in self._files.saved_bytes:
                    already[file] = self._files.saved_bytes[file]
                else:
                    ranked = renditions.rank(media)
                    expected[file] = (ranked[0].variant.size_bytes or 0) if ranked else 0
        self.progress.found(len(self._listed), expected, already)

    # --- media and the end of a story -----------------------------------------------------------

    def _record_failure(self, event: MediaFailed) -> None:
        if isinstance(event.error, DiskFault):
            raise event.error  # nothing else can be saved either: the line waits
        file = (event.story_id, event.position)
        self.progress.file_failed(file)
        self._spared[event.story_id] += file in self._files.incomplete
        if file in self._files.without_sound:
            self._lacks.setdefault(event.story_id, event.error)
        logger.info(
            "item %s: media %d of story %s: %s %s",
            self._item.pk, event.position, event.story_id, event.error.code, event.error.detail,
        )  # fmt: skip

    def _finish_story(self, event: StoryFinished) -> None:
        story = self._stories[event.story_id]
        if story.kind == StoryKind.CAROUSEL:
            self.save()  # which of its pictures there is room for
            packed = self._pack(story)
            if packed is not None:
                self._zips[packed.artifact.pk] = packed
        self._ended.append(event)

    def _close_stories(self, ended: Iterable[StoryFinished]) -> None:
        """Write how stories ended, now that their files are saved or refused."""
        ends = [self._end_of(event) for event in ended]
        for end in ends:
            if end.error is not None:
                self._failed[end.story.tiktok_id] = end.error
        close_stories(ends, self._list.stories)

    def _end_of(self, event: StoryFinished) -> StoryEnd:
        refused = {
            file: error for file, error in self._files.refused.items() if file[0] == event.story_id
        }
        # Media fetched once more, for a file derived from it or for its sound, is still there.
        lost = [error for file, error in refused.items() if file not in self._files.without_sound]
        saved = event.saved + self._spared[event.story_id] - len(lost)
        lacks = (event.lacks, self._lacks.get(event.story_id), *refused.values())
        error: StoriesError | None = next(filter(None, lacks), None)
        if saved < event.expected:
            error = next(filter(None, (event.error, *lost)), None) or MediaUnavailable()
        return StoryEnd(story=self._stories[event.story_id], error=error, saved=saved > 0)

    # --- carousels ------------------------------------------------------------------------------

    def _pack(self, story: Story) -> _Packed | None:
        """A carousel as one ZIP, replacing an older one that lacks pictures; its row unsaved."""
        files = list(Artifact.objects.present().filter(story=story).order_by("position"))
        media = [artifact for artifact in files if artifact.role == Role.MEDIA]
        old = next((artifact for artifact in files if artifact.role == Role.ZIP), None)
        if not media or (old and old.created_at > max(file.created_at for file in media)):
            return None
        self.progress.packing()
        if old:
            with fenced(self._claim):
                Artifact.objects.filter(pk=old.pk).update(removed_at=timezone.now())
            store.discard(old.pk)
        try:
            artifact = build_carousel(story, files, self._workspace)
        except DiskFault:
            raise
        except StoriesError as error:
            logger.info("item %s: no ZIP: %s", self._item.pk, error.code)
            return None
        return _Packed(artifact, [file for file in files if file.role != Role.ZIP])


@dataclass(frozen=True, slots=True)
class _Packed:
    """A carousel's ZIP in the store, and the files looked up for it."""

    artifact: Artifact
    files: Sequence[Artifact]


def _drop_stale_zips(zips: Sequence[_Packed]) -> None:
    """Delete ZIPs of which a file was deleted before their rows were there to go with it."""
    files = [file for packed in zips for file in packed.files]
    if not files or not any_removed(files):
        return
    ids = [packed.artifact.pk for packed in zips if any_removed(packed.files)]
    deletion.delete(Artifact.objects.filter(pk__in=ids))


def _unlisted_ids(item: Item, rows: Iterable[Story]) -> set[str]:
    """TikTok's ids of stories that were asked for and that no list of this item had."""
    return set(item.only_ids.split()) - {row.tiktok_id for row in rows}
