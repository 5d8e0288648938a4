"""Collecting: files that a watch found are kept until their owner has them, then the usual time.

A file is collected once the last byte of it, or of a ZIP that holds it, was handed over as a
download, or once the library has it. To look at it in the page is not to have it. Of a download
straight from a bucket we do not learn how it ends, so it collects nothing.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Least
from django.utils import timezone

from jobs.models import (
    FETCHED_ROLES,
    JOB_ZIP_ROLES,
    Artifact,
    CopyRole,
    CopyState,
    LibraryCopy,
    Package,
    Role,
)
from jobs.states import OPEN

logger = logging.getLogger(__name__)

BATCH: Final = 500
"""Files that are noted at one look at the library, at most."""


def waits(artifact: Artifact, *, from_watch: bool) -> bool:
    """Whether it is kept until it is collected, or is a ZIP that may hold such files."""
    return from_watch and artifact.collected_at is None and artifact.role != Role.POSTER


def note_downloaded(artifact: Artifact) -> None:
    """Note that the last byte of a file was handed over to its owner.

    To be called in a thread of the web server's, when the answer is over; raises nothing. Where it
    cannot be noted, the file is kept longer.
    """
    try:
        note_collected(Q(pk=artifact.pk) | _held_by(artifact))
    except DatabaseError as error:
        logger.warning("a collected file is not noted: %s", type(error).__name__)


def note_kept() -> int:
    """Note which of the files that wait the library has; how many.

    By what it has, not by what was just written: so a file that was saved later is among them, and
    whoever died right after they wrote one took nothing along. Stories that are still coming wait.
    """
    copies = LibraryCopy.objects.filter(
        owner_id=OuterRef("owner_id"),
        tiktok_id=OuterRef("story__tiktok_id"),
        role=CopyRole.MEDIA,
        position=OuterRef("position"),
        state=CopyState.KEPT,
    )
    files = (
        Artifact.objects.present()
        .filter(role=Role.MEDIA, story__isnull=False, collected_at=None, job__from_watch=True)
        .exclude(story__state__in=OPEN)
        .filter(Exists(copies))
    )
    ids = list(files.order_by("expires_at").values_list("pk", flat=True)[:BATCH])
    return note_collected(Q(pk__in=ids)) if ids else 0


def note_collected(files: Q) -> int:
    """Note that these files of watches were collected, with what was made of them; how many.

    They go as any other from now on, but not later than they would have. With a picture or video
    goes what was made of it, and a carousel's ZIP with the last of its pictures.
    """
    now = timezone.now()
    until = now + settings.STORYKEEP.artifact_ttl
    ended: dict[str, Any] = {"collected_at": now, "expires_at": Least(F("expires_at"), until)}
    waiting = Artifact.objects.filter(removed_at=None, collected_at=None, job__from_watch=True)
    media = waiting.filter(files).exclude(story=None).values_list("story_id", "position")
    found = set(media)
    for story_id, position in found:
        files |= Q(story_id=story_id, position=position)
    stories = {story_id for story_id, _ in found}
    with transaction.atomic():
        # Locked, so that of two that collect a story's last pictures the later one sees it whole.
        of_stories = waiting.filter(story_id__in=stories).order_by("pk")
        list(of_stories.select_for_update(of=("self",), no_key=True).values_list("pk"))
        count = _update(waiting.filter(files), ended)
        left = waiting.filter(story_id__in=stories, role__in=FETCHED_ROLES)
        whole = stories - set(left.values_list("story_id", flat=True))
        return count + _update(waiting.filter(story_id__in=whole), ended)


def _update(files: QuerySet[Artifact], fields: dict[str, Any]) -> int:
    # By their ids: an UPDATE cannot join the table of jobs.
    ids = list(files.values_list("pk", flat=True))
    return Artifact.objects.filter(pk__in=ids, collected_at=None).update(**fields) if ids else 0


def _held_by(artifact: Artifact) -> Q:
    """The files a ZIP holds; none for another file."""
    nothing = Q(pk__in=[])
    if artifact.role == Role.ZIP:
        return Q(story_id=artifact.story_id) if artifact.story_id else nothing
    if artifact.role not in JOB_ZIP_ROLES:
        return nothing
    packed = Q(job_id=artifact.job_id, created_at__lte=artifact.created_at)
    selection = (
        Package.objects.filter(artifact=artifact.pk).values_list("selection", flat=True).first()
    )
    if selection is None:  # another one was asked for since: what this one held is not known
        return nothing
    return packed & Q(pk__in=selection) if selection else packed
