"""The saved files of one item: which are there already, and rows for those that arrive.

The file is moved into the store before its row is written, so that a row never points at nothing; a
file whose row could not be written goes again. Every write is fenced by the claim.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Final
from uuid import uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from jobs.errors import OurLimit
from jobs.files import capacity, deletion, names, store, times
from jobs.files.workspace import Workspace
from jobs.models import FETCHED_ROLES, Artifact, Audio, Item, Role, Story
from jobs.queue import quotas
from jobs.queue.claims import Claim, ClaimLost, fenced
from jobs.states import SAVED, ItemState
from stories.events import SOUND_MISSING, FileReady
from stories.harvest import CONVERTED_TYPES

logger = logging.getLogger(__name__)

MediaKey = tuple[str, int]
"""A picture, video or song: TikTok's id of its story, and its position within it."""

_LAST_ROLES: Final = (Role.ZIP, Role.POSTER)
"""Roles for which room is looked for last: of files that are all there without them."""


def derived_roles(artifact: Artifact, audio: str) -> Iterator[Role]:
    """Roles of the files that belong beside a saved one. audio: the job's option."""
    if artifact.role != Role.MEDIA:
        return
    if artifact.position == 1:
        yield Role.POSTER
    if artifact.content_type in CONVERTED_TYPES:
        yield Role.CONVERTED
    if artifact.has_audio and audio != Audio.NONE:
        yield Role.AUDIO_TRACK


def _media_key(file: Artifact) -> MediaKey:
    return (file.story.tiktok_id if file.story else "", file.position)


def _rank(file: Artifact) -> int:
    if file.role in FETCHED_ROLES:
        return 0
    return 2 if file.role in _LAST_ROLES else 1


def lacks_sound(artifact: Artifact, missing: Set[Role]) -> bool:
    """Whether a saved file is to be fetched again for its sound. missing: roles derived from it.

    Its story has said so: of one that is done, a sound that is missing could not be had.
    """
    if artifact.story is None or artifact.story.state == ItemState.DONE:
        return False
    return SOUND_MISSING in artifact.labels or Role.AUDIO_TRACK in missing


class FileRows:
    """Reads and writes the artifacts of one claimed item.

    saved_bytes: size of the media that need not be fetched. incomplete: media that are saved and
    fetched once more, because a file derived from them is missing, or their sound. without_sound:
    those of them for the sound. refused: media that arrived and for which there was no room, each
    with the limit it met.
    """

    def __init__(self, claim: Claim, item: Item, workspace: Workspace) -> None:
        self._claim, self._item, self._workspace = claim, item, workspace
        self.saved_bytes: dict[MediaKey, int] = {}
        self.incomplete: set[MediaKey] = set()
        self.refused: dict[MediaKey, OurLimit] = {}
        self.without_sound: dict[MediaKey, Artifact] = {}
        self._making_way: list[MediaKey] = []

    # --- what is there already ------------------------------------------------------------------

    def load(self) -> None:
        """Look up what earlier attempts, or other items, saved for this one."""
        now = timezone.now()
        # Out of the way: a row that is not marked yet would keep out the file fetched instead.
        deletion.delete_expired(self._item.pk, now)
        rows = Artifact.objects.present(now).filter(item=self._item, story__isnull=False)
        artifacts = list(rows.select_related("story"))
        present = {(file.story_id, file.role, file.position) for file in artifacts}
        saved = {}
        self.incomplete, self.without_sound = set(), {}
        for artifact in artifacts:
            story = artifact.story
            if story is None or artifact.role not in FETCHED_ROLES:
                continue
            key = (story.tiktok_id, artifact.position)
            missing = {
                role
                for role in derived_roles(artifact, self._item.job.audio)
                if (story.pk, role, artifact.position) not in present
            }
            if lacks_sound(artifact, missing):
                self.incomplete.add(key)
                self.without_sound[key] = artifact
            # Once a story is closed, any other derived file that is missing could not be made.
            elif story.state in SAVED or not missing:
                saved[key] = artifact.size_bytes
            else:
                self.incomplete.add(key)
        self.saved_bytes = saved | self._deleted_on_purpose()

    def _deleted_on_purpose(self) -> dict[MediaKey, int]:
        """Sizes in bytes of media deleted before it expired and after the owner last asked.

        It is not fetched again.
        """
        deleted = Artifact.objects.filter(
            item=self._item,
            story__isnull=False,
            role__in=FETCHED_ROLES,
            removed_at__gte=self._item.asked_at,
            removed_at__lt=F("expires_at"),
        )
        return {
            (tiktok_id, position): size_bytes
            for tiktok_id, position, size_bytes in deleted.values_list(
                "story__tiktok_id", "position", "size_bytes"
            )
        }

    # --- what arrives ---------------------------------------------------------------------------

    def save(
        self,
        ready: Sequence[FileReady],
        stories: Mapping[str, Story],
        also: Callable[[], None] | None = None,
    ) -> None:
        """Move files into the store and write their rows, all in one transaction.

        stories: rows by TikTok's id. also: writes more in the same transaction, where `refused` is
        up to date. Raises ClaimLost, DiskFull; what was moved before the disk was full is recorded
        all the same.
        """
        artifacts: list[Artifact] = []
        try:
            for event in ready:
                artifacts.append(self._commit(event, stories))  # noqa: PERF401  # see above
        except BaseException:
            self.add(artifacts)
            raise
        self.add(artifacts, also)

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
            name=names.media_name(
                self._item.author_name,
                story.posted_at,
                event.position or 1,
                event.verified.suffix,
                zone=times.zone_of(self._item.job),
                tag=names.TAGS.get(role, ""),
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
            expires_at=timezone.now() + settings.STORYKEEP.artifact_ttl,
        )
        try:
            self._workspace.commit(
                event.key,
                artifact.pk,
                durable=role != Role.POSTER,
                quota=capacity.counts_for_quota(role),
            )
        except FileNotFoundError as error:
            raise ClaimLost from error  # the workspace was taken away with the claim
        return artifact

    def add(
        self, artifacts: list[Artifact], also: Callable[[], None] | None = None
    ) -> list[Artifact]:
        """Write the rows of files that are in the store; those that were written.

        A file without a row is removed again: one that was there already, or for which another
        process has taken the room meanwhile. also: writes more in the same transaction. Raises
        ClaimLost.
        """
        if not artifacts and also is None:
            return []
        added: list[Artifact] = []
        replaced: list[MediaKey] = []
        self._making_way = []
        try:
            with fenced(self._claim, job_id=self._item.job_id if artifacts else None):
                if artifacts:
                    self._give_unique_names(artifacts)
                inserted = self._insert_what_fits(artifacts) if artifacts else []
                if also is not None:
                    also()
            added, replaced = inserted, self._making_way
        finally:
            gone = [artifact for artifact in artifacts if artifact not in added]
            for artifact in gone:
                store.remove(artifact.pk)
            if gone:
                capacity.invalidate()
            for key in replaced:
                store.remove(self.without_sound.pop(key).pk)
        return added

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

    def _give_unique_names(self, artifacts: list[Artifact]) -> None:
        """Give each a name that no other file of the job has."""
        stems = [artifact.name.rpartition(".")[0] for artifact in artifacts]
        start = os.path.commonprefix(stems)  # noqa: RUF071  # letters are what is wanted here
        rows = Artifact.objects.filter(job_id=self._item.job_id, name__istartswith=start)
        taken = {names.collision_key(name) for name in rows.values_list("name", flat=True)}
        for artifact in artifacts:
            artifact.name = names.unique_name(artifact.name, taken)
            taken.add(names.collision_key(artifact.name))

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
        quotas.require_stored_bytes_fit(self._item.owner_id)
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
