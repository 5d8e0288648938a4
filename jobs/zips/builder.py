"""Writing a ZIP of saved files: rows become the archive's plain values, and the ZIP gets a row."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, tzinfo
from itertools import groupby
from typing import Any, BinaryIO
from uuid import UUID

from django.utils import timezone

from jobs.errors import NothingToPack
from jobs.files import damage, disk, names, store, story_names, times
from jobs.files.lifetime import zip_expires_at
from jobs.files.workspace import Workspace
from jobs.models import JOB_ZIP_ROLES, Artifact, Job, Role, Story
from jobs.wording import dialect_for
from jobs.zips.archive import (
    CHUNK_BYTES,
    ENTRY_BYTES,
    Archive,
    FileFacts,
    Named,
    StoryFacts,
    no_heartbeat,
)
from jobs.zips.contents import item_of, packable, story_of
from jobs.zips.omissions import damaged_among, omissions_of


class FilesDamaged(Exception):
    """Files of a ZIP turned out to be missing or damaged, and were given up. ids: of their rows."""

    def __init__(self, ids: frozenset[UUID]) -> None:
        super().__init__(f"{len(ids)} files")
        self.ids = ids


def build_carousel(story: Story, files: Sequence[Artifact], workspace: Workspace) -> Artifact:
    """Pack a carousel's pictures and sidecar into a ZIP in the store; its row, unsaved.

    files: the story's saved files; those that do not belong in a ZIP are left out, and so are those
    that are damaged, which are given up. The caller removes the file again when the row cannot be
    saved. Raises NothingToPack, DiskFull.
    """
    try:
        return _build_carousel(story, packable(files), workspace)
    except FilesDamaged as damaged:
        left = [file for file in files if file.pk not in damaged.ids]
        return build_carousel(story, left, workspace)


def _build_carousel(story: Story, expected: Sequence[Artifact], workspace: Workspace) -> Artifact:
    item = story.item
    zone = times.zone_of(item.job)

    def fill(archive: Archive) -> list[Artifact]:
        facts = [_file_facts(artifact) for artifact in expected]
        packed = archive.add_story(_story_facts(story, item.job.note, expected), facts, folder="")
        return _packed_among(expected, packed)

    return _build(
        workspace,
        expected,
        fill,
        at=timezone.now(),
        owner_id=story.owner_id,
        job_id=item.job_id,
        item=item,
        story=story,
        role=Role.ZIP,
        name=story_names.carousel_name(story_names.of_story(story, item)),
        zone=zone,
        template=story_names.template_of(item.job),
    )


def build_bundle(
    job: Job,
    files: Sequence[Artifact],
    workspace: Workspace,
    heartbeat: Callable[[], None],
    *,
    at: datetime,
    selection: bool,
    chosen: Sequence[str] = (),
    language: str = "",
) -> Artifact:
    """Pack files of a job, in author folders and with a manifest; the row of the ZIP, unsaved.

    files: as `contents.package_files` returns them. heartbeat: called between chunks, may raise to
    stop. at: when the files were looked up. selection: only some of the job's files were asked for;
    chosen: the ids of those. language: of the person who asked, for the manifest.
    The caller removes the file again when the row cannot be saved. Raises NothingToPack, DiskFull,
    and FilesDamaged, with which the files are to be looked up anew.
    """
    zone = times.zone_of(job)

    def fill(archive: Archive) -> list[Artifact]:
        archive.omissions = damaged_among(job, chosen) if selection else omissions_of(job)
        stories = []
        for _, group in groupby(files, key=lambda artifact: story_of(artifact).pk):
            of_story = list(group)
            facts = _story_facts(story_of(of_story[0]), job.note, of_story)
            stories.append((facts, [_file_facts(artifact) for artifact in of_story]))
        return _packed_among(files, archive.add_bundle(stories, dialect_for(language)))

    authors = (item_of(artifact).author_name for artifact in files)
    return _build(
        workspace,
        files,
        fill,
        heartbeat,
        at=at,
        owner_id=job.owner_id,
        job_id=job.pk,
        role=Role.SELECTION if selection else Role.BUNDLE,
        name=names.bundle_name(authors, job.created_at, zone=zone, selection=selection),
        zone=zone,
        template=story_names.template_of(job),
    )


def _build(
    workspace: Workspace,
    expected: Sequence[Artifact],
    fill: Callable[[Archive], list[Artifact]],
    heartbeat: Callable[[], None] = no_heartbeat,
    *,
    at: datetime,
    zone: tzinfo,
    template: str,
    **columns: Any,
) -> Artifact:
    """Write a ZIP and commit it; its row, unsaved.

    fill: adds members, and returns the files that were there to be packed. at: the row's creation
    time; a file saved later makes the ZIP incomplete. zone: whose clock the members' dates show.
    template: what sidecars are named by.
    Raises FilesDamaged, when those were given up.
    """
    key, file = workspace.create()
    workspace.reserve(sum(artifact.size_bytes + ENTRY_BYTES for artifact in expected), key)
    with (
        file,
        disk.translate_disk_errors(),
        Archive(file, store.open_artifact, heartbeat, zone=zone, template=template) as archive,
    ):
        packed = fill(archive)
    bad = {*archive.damaged, *archive.missing}
    if bad:
        workspace.discard(key)
        damaged = [artifact for artifact in expected if str(artifact.pk) in bad]
        with disk.translate_disk_errors():
            damage.give_up(damaged)
        raise FilesDamaged(frozenset(artifact.pk for artifact in damaged))
    if not packed:
        workspace.discard(key)
        raise NothingToPack
    artifact = Artifact(
        position=0,
        content_type="application/zip",
        sha256=_sha256(workspace.open(key), heartbeat),
        checked=True,
        created_at=at,
        expires_at=zip_expires_at(
            packed, timezone.now(), on_demand=columns["role"] in JOB_ZIP_ROLES
        ),
        **columns,
    )
    artifact.size_bytes = workspace.commit(key, artifact.id)
    return artifact


def heartbeats(files: Sequence[Artifact]) -> int:
    """How often `build_bundle` of these files will call its heartbeat, about."""
    sizes = [artifact.size_bytes for artifact in files]
    copied = sum(math.ceil(size / CHUNK_BYTES) for size in sizes)
    return copied + math.ceil((sum(sizes) + ENTRY_BYTES) / CHUNK_BYTES)


def _sha256(file: BinaryIO, heartbeat: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            heartbeat()
    return digest.hexdigest()


# --- rows as plain values -----------------------------------------------------------------------


def _file_facts(artifact: Artifact) -> FileFacts:
    return FileFacts(
        key=str(artifact.pk),
        role=artifact.role,
        position=artifact.position,
        name=artifact.name,
        content_type=artifact.content_type,
        size_bytes=artifact.size_bytes,
        sha256=artifact.sha256,
        width=artifact.width,
        height=artifact.height,
        duration_s=artifact.duration_s,
        labels=tuple(artifact.labels),
    )


def _story_facts(story: Story, note: str, files: Sequence[Artifact]) -> StoryFacts:
    item = story.item
    return StoryFacts(
        author_id=item.author_id,
        author_name=item.author_name,
        author_nickname=item.author_nickname,
        story_id=story.tiktok_id,
        kind=story.kind,
        caption=story.caption,
        source_url=story.source_url,
        posted_at=story.posted_at,
        captured_at=story.captured_at or max((file.created_at for file in files), default=None),
        note=note,
    )


def _packed_among(files: Sequence[Artifact], packed: Iterable[Named]) -> list[Artifact]:
    keys = {facts.key for _, facts in packed}
    return [artifact for artifact in files if str(artifact.pk) in keys]
