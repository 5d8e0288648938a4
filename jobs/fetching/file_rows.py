"""The saved files of one item: which are there already, and rows for those that arrive.

The file is moved into the store before its row is written, so that a row never points at nothing; a
file whose row could not be written goes again. Every write is fenced by the claim.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from jobs.errors import OurLimit
from jobs.fetching import name_allotment, saved_media
from jobs.fetching.name_allotment import NameAllotment
from jobs.fetching.saved_media import MediaKey
from jobs.files import capacity, lifetime, store, story_names
from jobs.files.workspace import Workspace
from jobs.models import FETCHED_ROLES, Artifact, Item, Role, Story
from jobs.prepared import PreparedQuery, text_slot
from jobs.queue import claims, quotas
from jobs.queue.claims import Claim, fenced
from stories.events import SOUND_MISSING, FileReady

logger = logging.getLogger(__name__)

_LAST_ROLES: Final = (Role.ZIP, Role.POSTER)
"""Roles for which room is looked for last: of files that are all there without them."""


def _media_key(file: Artifact) -> MediaKey:
    return (file.story.tiktok_id if file.story else "", file.position)


def _rank(file: Artifact) -> int:
    if file.role in FETCHED_ROLES:
        return 0
    return 2 if file.role in _LAST_ROLES else 1


def _claimed_row(_: int) -> QuerySet[Item, Any]:
    """The row a batch of files begins with, for a claim and the start of the files' names: the
    owner's own limit for saved files, and whether other lines of the job have names that begin
    alike."""
    row = claims.claimed_row(claims.ANY_CLAIM).select_for_update()
    alike = name_allotment.others_begin_alike(text_slot(2))
    return row.values_list(quotas.own_stored_bytes(), alike)


_FENCE: Final = PreparedQuery(_claimed_row)


def _fence(
    claim: Claim, job_id: UUID, artifacts: Sequence[Artifact]
) -> AbstractContextManager[tuple[Any, ...]]:
    """The transaction that writes the rows of these files, and their stories' ends."""
    if not artifacts:
        return fenced(claim)
    start = name_allotment.start(artifacts)
    return fenced(
        claim,
        first=partial(name_allotment.lock, job_id, artifacts),
        row=partial(_FENCE.first, claim.item_id, claim.attempt, start),
    )


class FileRows:
    """Reads and writes the artifacts of one claimed item.

    saved_bytes: size of the media that need not be fetched. incomplete: media that are saved and
    fetched once more, because a file derived from them is missing, or their sound. without_sound:
    those of them for the sound. underived: those of them whose missing files, by role, nobody has
    tried to make yet. refused: media that arrived and for which there was no room, each with the
    limit it met.
    """

    def __init__(self, claim: Claim, item: Item, workspace: Workspace) -> None:
        self._claim, self._item, self._workspace = claim, item, workspace
        self.saved_bytes: dict[MediaKey, int] = {}
        self.incomplete: set[MediaKey] = set()
        self.refused: dict[MediaKey, OurLimit] = {}
        self.without_sound: dict[MediaKey, Artifact] = {}
        self.underived: Sequence[tuple[Artifact, Set[Role]]] = ()
        self._making_way: list[MediaKey] = []
        self._own_limit: int | None = None
        self._names = NameAllotment(item.pk, item.job_id, named_before=claim.attempt > 1)

    def load(self) -> None:
        """Look up what earlier attempts, or other items, saved for this one."""
        media = saved_media.load(self._item)
        self.saved_bytes, self.incomplete = media.saved_bytes, media.incomplete
        self.without_sound, self.underived = media.without_sound, media.underived

    # --- what arrives ---------------------------------------------------------------------------

    def save(
        self,
        ready: Sequence[FileReady],
        stories: Mapping[str, Story],
        also: Callable[[Set[str]], None] | None = None,
        committed: Callable[[], None] | None = None,
        *,
        moved: Sequence[Artifact] = (),
    ) -> list[Artifact]:
        """Move files into the store and write their rows, all in one transaction; the rows that
        were written.

        stories: rows by TikTok's id, which may still be unwritten. also: writes more in the same
        transaction, where `refused` is up to date; it is given TikTok's ids of stories of which a
        file could not be moved, and is called once more when the transaction was rolled back and
        begun anew. committed: called after the transaction. moved: rows of files that are in the
        store already. Raises ClaimLost, DiskFull; what was moved before the disk was full is
        recorded all the same.
        """
        artifacts = list(moved)
        lost: set[str] = set()

        def write_more() -> None:
            if also is not None:
                also(lost)

        try:
            for event in ready:
                artifacts.append(self._commit(event, stories))  # noqa: PERF401  # see above
        except BaseException:
            lost |= {event.story_id for event in ready[len(artifacts) - len(moved) :]}
            self.add(artifacts, write_more, committed)
            raise
        return self.add(artifacts, write_more if also is not None else None, committed)

    def _commit(self, event: FileReady, stories: Mapping[str, Story]) -> Artifact:
        """Move a file into the store; its row, unsaved, with the name it should have."""
        story = stories[event.story_id]
        role = Role(event.role)
        artifact = Artifact(
            id=uuid4(),
            owner_id=self._item.owner_id,
            job_id=self._item.job_id,
            item=self._item,
            story=story,
            role=role,
            position=event.position,
            name=story_names.media_name(
                story_names.of_story(story, self._item),
                (event.position or 1) if story.media_count > 1 else None,
                event.verified.suffix,
                tag=story_names.TAGS.get(role, ""),
            ),
            content_type=event.verified.content_type,
            size_bytes=event.size_bytes,
            sha256=event.sha256,
            width=event.verified.width,
            height=event.verified.height,
            duration_s=event.verified.duration_s,
            has_audio=event.verified.has_audio,
            checked=event.verified.checked,
            labels=list(event.labels),
            content_id=self._workspace.content_id(event.key),
            expires_at=lifetime.first_expires_at(
                timezone.now(), from_watch=self._item.job.from_watch
            ),
        )
        self._workspace.commit(
            event.key,
            artifact.pk,
            durable=role != Role.POSTER,
            quota=capacity.counts_for_quota(role),
        )
        return artifact

    def add(
        self,
        artifacts: list[Artifact],
        also: Callable[[], None] | None = None,
        committed: Callable[[], None] | None = None,
    ) -> list[Artifact]:
        """Write the rows of files that are in the store; those that were written.

        A file without a row is removed again: one that was there already, or for which another
        process has taken the room meanwhile. also: writes more in the same transaction.
        committed: called after it. Raises ClaimLost.
        """
        if not artifacts and also is None:
            return []
        added: list[Artifact] = []
        try:
            added = self._write(artifacts, also)
            if committed is not None:
                committed()
        finally:
            written = {artifact.pk for artifact in added}
            gone = [artifact for artifact in artifacts if artifact.pk not in written]
            for artifact in gone:
                store.discard(artifact.pk)
            if gone:
                capacity.invalidate()
        for key in self._making_way:
            store.discard(self.without_sound.pop(key).pk)
        return added

    def _write(self, artifacts: list[Artifact], also: Callable[[], None] | None) -> list[Artifact]:
        """Write all the rows, or where that does not go, those that do go."""
        refused = dict(self.refused)
        try:
            return self._write_by(self._insert_all, artifacts, also)
        except (OurLimit, IntegrityError):
            # Rolled back, and done again with care: mostly everything fits, without savepoints.
            self.refused = refused
            return self._write_by(self._insert_what_fits, artifacts, also)

    def _write_by(
        self,
        insert: Callable[[list[Artifact]], list[Artifact]],
        artifacts: list[Artifact],
        also: Callable[[], None] | None,
    ) -> list[Artifact]:
        self._making_way = []
        allotted: set[str] = set()
        inserted: list[Artifact] = []
        with _fence(self._claim, self._item.job_id, artifacts) as values:
            if artifacts:
                self._own_limit, others_alike = values
                allotted = self._names.allot(artifacts, others_alike=others_alike)
                inserted = insert(artifacts)
            if also is not None:
                also()
        self._names.confirm(allotted)
        return inserted

    def _make_way(self, artifacts: Sequence[Artifact]) -> list[MediaKey]:
        """Mark silent files as removed where one with its sound arrives; which they are."""
        replaced = []
        for artifact in artifacts:
            key = _media_key(artifact)
            old = self.without_sound.get(key) if artifact.role == Role.MEDIA else None
            if old is None or SOUND_MISSING not in old.labels or SOUND_MISSING in artifact.labels:
                continue
            now = timezone.now()
            # Its time is over as well: nobody deleted it on purpose.
            Artifact.objects.filter(pk=old.pk, removed_at=None).update(
                removed_at=now, expires_at=now
            )
            replaced.append(key)
        return replaced

    def _insert_all(self, artifacts: list[Artifact]) -> list[Artifact]:
        """Write the rows; those of a refused medium are left out. Raises OurLimit and
        IntegrityError."""
        wanted = [file for file in artifacts if not self._is_of_refused(file)]
        self._making_way = self._make_way(wanted)
        if wanted:
            Artifact.objects.bulk_create(wanted)
            self._require_room(wanted)
        for artifact in wanted:
            self.refused.pop(_media_key(artifact), None)
        return wanted

    def _insert_what_fits(self, artifacts: list[Artifact]) -> list[Artifact]:
        """Write the rows for which there is room; those that were written.

        What was asked for comes before what is made of it; of a refused medium nothing is kept.
        """
        wanted = [file for file in artifacts if not self._is_of_refused(file)]
        try:
            with transaction.atomic():
                making_way = self._make_way(wanted)
                inserted = self._insert(wanted) if wanted else []
                if inserted:
                    self._require_room(inserted)
        except OurLimit as error:
            if len(wanted) > 1:
                ordered = sorted(wanted, key=_rank)
                return [row for file in ordered for row in self._insert_what_fits([file])]
            self._refuse(wanted[0], error)
            return []
        self._making_way += making_way
        for artifact in inserted:
            self.refused.pop(_media_key(artifact), None)
        return inserted

    def _require_room(self, inserted: list[Artifact]) -> None:
        """The last look, with the rows written: raises an OurLimit they do not fit into.

        Every process reserves for itself: what another one stored meanwhile is only seen here.
        """
        limit = quotas.stored_bytes_limit(self._own_limit)
        quotas.require_stored_bytes_fit(self._item.owner_id, limit)
        capacity.require_limit_holds(inserted)

    def _is_of_refused(self, file: Artifact) -> bool:
        return file.role not in FETCHED_ROLES and _media_key(file) in self.refused

    def _refuse(self, file: Artifact, error: OurLimit) -> None:
        """Note that there is no room for a file. Only a medium's absence is a failure."""
        logger.info("item %s: no room for %s: %s", self._item.pk, file.role, error.detail)
        if file.role == Role.MEDIA:
            self.refused[_media_key(file)] = error

    def _insert(self, artifacts: list[Artifact]) -> list[Artifact]:
        """Write the rows; those that were written."""
        try:
            with transaction.atomic():
                return Artifact.objects.bulk_create(artifacts)
        except IntegrityError:
            if len(artifacts) > 1:
                return [row for artifact in artifacts for row in self._insert([artifact])]
        # Saved before, by an attempt that was thought lost: one copy is enough.
        logger.info("item %s: %s was there already", self._item.pk, artifacts[0].role)
        return []
