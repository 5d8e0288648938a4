"""The media of one item that are saved already: by earlier attempts, or by other items.

What need not be fetched, and what is fetched once more though it is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from django.db.models import F
from django.utils import timezone

from jobs.files import deletion
from jobs.models import FETCHED_ROLES, Artifact, Audio, Item, Role
from jobs.states import OPEN, SAVED, ItemState
from stories.events import SOUND_MISSING
from stories.harvest import CONVERTED_TYPES

MediaKey = tuple[str, int]
"""A picture, video or song: TikTok's id of its story, and its position within it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedMedia:
    """What an item has of its media.

    saved_bytes: size of those that need not be fetched, because they are saved or were deleted on
    purpose. incomplete: those that are saved and fetched once more, because a file derived from
    them is missing, or their sound. without_sound: the rows of those of them for the sound.
    underived: the rows of those whose missing files, by role, nobody has tried to make yet, for a
    harvest ended in between; once these are made, nothing need be fetched.
    """

    saved_bytes: dict[MediaKey, int]
    incomplete: set[MediaKey]
    without_sound: dict[MediaKey, Artifact]
    underived: Sequence[tuple[Artifact, Set[Role]]]


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


def lacks_sound(artifact: Artifact, missing: Set[Role]) -> bool:
    """Whether a saved file is to be fetched again for its sound. missing: roles derived from it.

    Its story has said so: of one that is done, a sound that is missing could not be had.
    """
    if artifact.story is None or artifact.story.state == ItemState.DONE:
        return False
    return SOUND_MISSING in artifact.labels or Role.AUDIO_TRACK in missing


def load(item: Item) -> SavedMedia:
    """Look up what earlier attempts, or other items, saved for an item. Reads `item.job`.

    Files that have expired and were not swept yet are deleted. What stays, for the clock was set
    forward, is saved.
    """
    # Out of the way: a row that is not marked yet would keep out the file fetched instead.
    deletion.delete_expired(item.pk, timezone.now())
    rows = Artifact.objects.filter(item=item, story__isnull=False, removed_at=None)
    artifacts = list(rows.select_related("story"))
    present = {(file.story_id, file.role, file.position) for file in artifacts}
    saved: dict[MediaKey, int] = {}
    incomplete: set[MediaKey] = set()
    without_sound: dict[MediaKey, Artifact] = {}
    underived: list[tuple[Artifact, Set[Role]]] = []
    for artifact in artifacts:
        story = artifact.story
        if story is None or artifact.role not in FETCHED_ROLES:
            continue
        key = (story.tiktok_id, artifact.position)
        missing = {
            role
            for role in derived_roles(artifact, item.job.audio)
            if (story.pk, role, artifact.position) not in present
        }
        if missing and story.state in OPEN and SOUND_MISSING not in artifact.labels:
            underived.append((artifact, missing))
        if lacks_sound(artifact, missing):
            incomplete.add(key)
            without_sound[key] = artifact
        # Once a story is closed, any other derived file that is missing could not be made.
        elif story.state in SAVED or not missing:
            saved[key] = artifact.size_bytes
        else:
            incomplete.add(key)
    return SavedMedia(
        saved_bytes=saved | _deleted_on_purpose(item),
        incomplete=incomplete,
        without_sound=without_sound,
        underived=underived,
    )


def _deleted_on_purpose(item: Item) -> dict[MediaKey, int]:
    """Sizes in bytes of media deleted before it expired and after the owner last asked.

    It is not fetched again.
    """
    deleted = Artifact.objects.filter(
        item=item,
        story__isnull=False,
        role__in=FETCHED_ROLES,
        removed_at__gte=item.asked_at,
        removed_at__lt=F("expires_at"),
    )
    return {
        (tiktok_id, position): size_bytes
        for tiktok_id, position, size_bytes in deleted.values_list(
            "story__tiktok_id", "position", "size_bytes"
        )
    }
