"""ZIPs: a carousel, a job's bundle, a selection; which rows go into them, and who packs them.

What is inside, and in which order, is `archive.py`'s business.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any, BinaryIO, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from jobs.errors import NothingToPack
from jobs.files import capacity, disk, names, store
from jobs.models import Artifact, Item, Job, Package, PackageState, Role, Story
from jobs.queue import quotas, settling
from jobs.queue.dispatch import dispatch
from jobs.queue.settling import ClaimLost
from jobs.zips import claims
from jobs.zips.archive import (
    CHUNK_BYTES,
    ENTRY_BYTES,
    ORDER,
    Archive,
    FileFacts,
    Named,
    StoryFacts,
    nothing,
)
from jobs.zips.claims import PackageClaim

PACKED: Final = tuple(Role(role) for role in ORDER)
"""What goes into a ZIP."""


# --- rows as plain values -----------------------------------------------------------------------


def _packable(files: Iterable[Artifact]) -> list[Artifact]:
    return sorted((file for file in files if file.role in PACKED), key=_rank)


def _rank(file: Artifact) -> tuple[int, int, str]:
    return _facts(file).rank


def _facts(file: Artifact) -> FileFacts:
    return FileFacts(
        key=str(file.pk),
        role=file.role,
        position=file.position,
        name=file.name,
        content_type=file.content_type,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        width=file.width,
        height=file.height,
        duration_s=file.duration_s,
        labels=tuple(file.labels),
    )


def _told(story: Story, note: str, files: Sequence[Artifact]) -> StoryFacts:
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


def _those(files: Sequence[Artifact], packed: Iterable[Named]) -> list[Artifact]:
    keys = {file.key for _, file in packed}
    return [file for file in files if str(file.pk) in keys]


# --- writing one --------------------------------------------------------------------------------


def _hashed(file: BinaryIO, beat: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            beat()
    return digest.hexdigest()


def _expires_at(files: Sequence[Artifact], now: datetime) -> datetime:
    """As long as a fresh file, but no copy outlives what its source may be extended to."""
    longest = min(file.created_at for file in files) + settings.STORYKEEP.artifact_ttl_max
    return max(
        min(now + settings.STORYKEEP.artifact_ttl, longest),
        min(file.expires_at for file in files),
    )


def _write(
    workspace: store.Workspace,
    expected: Sequence[Artifact],
    fill: Callable[[Archive], list[Artifact]],
    beat: Callable[[], None] = nothing,
    *,
    at: datetime,
    **facts: Any,
) -> Artifact:
    """Write a ZIP, keep it, and return its row, unsaved. Raises NothingToPack, DiskFull.

    at: when the files were looked up; what is saved later makes the ZIP incomplete.
    """
    key, file = workspace.create()
    workspace.reserve(sum(one.size_bytes + ENTRY_BYTES for one in expected))
    with (
        file,
        disk.disk_errors(),
        Archive(file, store.open_artifact, beat) as archive,
    ):
        packed = fill(archive)
    if not packed:
        workspace.discard(key)
        raise NothingToPack
    artifact = Artifact(
        position=0,
        content_type="application/zip",
        sha256=_hashed(workspace.open(key), beat),
        checked=True,
        created_at=at,
        expires_at=_expires_at(packed, timezone.now()),
        **facts,
    )
    artifact.size_bytes = workspace.commit(key, artifact.id)
    return artifact


def carousel(story: Story, files: Sequence[Artifact], workspace: store.Workspace) -> Artifact:
    """A carousel's pictures and sidecar as one ZIP, already in storage; its row, unsaved.

    files: the story's saved files; those that do not belong in a ZIP are left out. Remove the
    artifact's file again when its row cannot be saved. Raises NothingToPack, DiskFull.
    """
    wanted = _packable(files)
    item = story.item

    def fill(archive: Archive) -> list[Artifact]:
        facts = [_facts(file) for file in wanted]
        packed = archive.add_story(_told(story, item.job.note, wanted), facts, folder="")
        return _those(wanted, packed)

    return _write(
        workspace,
        wanted,
        fill,
        at=timezone.now(),
        owner_id=story.owner_id,
        job_id=item.job_id,
        item=item,
        story=story,
        role=Role.ZIP,
        name=names.carousel_name(item.author_name, story.posted_at),
    )


# --- packages: asked for, packed by a worker ----------------------------------------------------


def _files(job_id: UUID, selection: Sequence[str]) -> list[Artifact]:
    """What a package holds, in its order: by author, oldest story first, as posted within."""
    found = Artifact.objects.present().filter(job_id=job_id, role__in=PACKED, story__isnull=False)
    if selection:
        found = found.filter(pk__in=selection)
    files = sorted(found.select_related("story__item"), key=_bundle_rank)
    # One story can come by two lines of a job, by its author's name and by its own link.
    once: dict[tuple[object, ...], Artifact] = {}
    for file in files:
        story = _story(file)
        once.setdefault((story.tiktok_id, file.role, file.position, file.sha256), file)
    return list(once.values())


def _story(file: Artifact) -> Story:
    assert file.story is not None  # noqa: S101 - the query asks for files of stories only
    return file.story


def _item(file: Artifact) -> Item:
    return _story(file).item


def _bundle_rank(file: Artifact) -> tuple[object, ...]:
    story = _story(file)
    return story.item.author_name, story.posted_at, story.tiktok_id, story.item_id, _rank(file)


def of_stories(job: Job, story_ids: Sequence[UUID | str]) -> list[Artifact]:
    """The files of some of a job's stories that a ZIP would hold. What is no id is no story."""
    wanted = {one for one in map(_id, story_ids) if one}
    return [file for file in _files(job.pk, ()) if file.story_id in wanted]


def _id(text: UUID | str) -> UUID | None:
    try:
        return text if isinstance(text, UUID) else UUID(text)
    except ValueError:
        return None


def request(job: Job, selection: Sequence[UUID | str] = ()) -> Package:
    """Ask for a ZIP of a job's files, or of some of them; the package that makes or holds it.

    selection: artifact ids; those that are not files of this job, or gone, are left out. A second
    request returns the package that is queued, being packed, or ready and still complete. Raises
    NothingToPack, DiskFull.
    """
    asked = sorted({str(one) for one in map(_id, selection) if one})
    if selection and not asked:
        raise NothingToPack
    with transaction.atomic():
        # Two taps at once: one package. And none for a job that is forgotten this moment.
        there = Job.objects.select_for_update().filter(pk=job.pk).exists()
        files = _files(job.pk, asked) if there else []
        if not files:
            raise NothingToPack
        wanted = sorted(str(file.pk) for file in files) if asked else []
        package = _standing(job, wanted, files)
        if package is None:
            capacity.check()
            package = Package.objects.create(job=job, owner_id=job.owner_id, selection=wanted)
        shown = "selection" if wanted else "bundle"
        Job.objects.filter(pk=job.pk).update(**{shown: package})
        transaction.on_commit(dispatch, robust=True)
    return package


def _standing(job: Job, wanted: list[str], files: Sequence[Artifact]) -> Package | None:
    """A package of the same files that is on its way or can still be taken."""
    now = timezone.now()
    newest = max(file.created_at for file in files)
    for package in job.packages.select_related("artifact").order_by("-created_at"):
        if package.selection != wanted:
            continue
        if package.state in {PackageState.QUEUED, PackageState.RUNNING}:
            return package
        ready = package.artifact if package.state == PackageState.DONE else None
        # created_at of a ZIP is when its files were looked up: one saved later is not in it.
        if ready and not ready.removed_at and now < ready.expires_at and newest < ready.created_at:
            return package
    return None


class _Heartbeat:
    """Renews the claim while packing, often enough and no oftener. Raises ClaimLost, Stopping."""

    def __init__(self, held: PackageClaim) -> None:
        self._held = held
        self._next = time.monotonic() + settling.RENEW_S / 2

    def __call__(self) -> None:
        if settling.stopping.is_set():
            raise settling.Stopping
        if time.monotonic() < self._next:
            return
        if not claims.renew(self._held):
            raise ClaimLost
        self._next = time.monotonic() + settling.RENEW_S / 2


def run(held: PackageClaim) -> bool:
    """Pack a claimed package and settle it; False when the claim was lost, and nothing is left.

    Raises NothingToPack, DiskFull and QuotaExceeded, for `packages.fail`, and Stopping,
    for `packages.release`.
    """
    package = Package.objects.select_related("job").filter(pk=held.package_id).first()
    if package is None:
        return False
    job = package.job
    at = timezone.now()
    files = _files(job.pk, package.selection)
    if not files:
        raise NothingToPack
    with store.Workspace(
        f"{package.pk}.{held.attempt}",
        owner_id=job.owner_id,
        max_bytes=quotas.most_bytes(job.owner_id),
    ) as workspace:
        try:
            artifact = _write(
                workspace,
                files,
                partial(_fill_bundle, job, files),
                _Heartbeat(held),
                at=at,
                owner_id=job.owner_id,
                job_id=job.pk,
                role=Role.SELECTION if package.selection else Role.BUNDLE,
                name=names.bundle_name(
                    (_item(file).author_name for file in files),
                    job.created_at,
                    selection=bool(package.selection),
                ),
            )
        except ClaimLost:
            return False
        settled = False
        try:
            settled = _settle(held, package, artifact, files)
        finally:
            if not settled:
                store.remove(artifact.pk)
    return settled


def _fill_bundle(job: Job, files: Sequence[Artifact], archive: Archive) -> list[Artifact]:
    stories = []
    for _, group in groupby(files, key=lambda file: _story(file).pk):
        of_story = list(group)
        told = _told(_story(of_story[0]), job.note, of_story)
        stories.append((told, [_facts(file) for file in of_story]))
    return _those(files, archive.add_bundle(stories))


def _settle(
    held: PackageClaim, package: Package, artifact: Artifact, files: Sequence[Artifact]
) -> bool:
    with transaction.atomic():
        # Locked: what is deleted or forgotten meanwhile was so before, or finds this ZIP.
        if not Job.objects.select_for_update().filter(pk=package.job_id).exists():
            return False
        if any_gone(files):
            # Deleted while it was packed: not to come back in a ZIP. Packed anew without it.
            claims.release(held)
            transaction.on_commit(dispatch, robust=True)
            return False
        artifact.save(force_insert=True)
        if claims.finish(held, artifact):
            _retire(package)
            return True
        transaction.set_rollback(True)  # nobody waits for this ZIP any more
    return False


def any_gone(files: Sequence[Artifact]) -> bool:
    """Was one of these files deleted since it was looked up?"""
    there = Artifact.objects.filter(pk__in=[file.pk for file in files], removed_at=None)
    return there.count() < len(files)


def _retire(package: Package) -> None:
    """An older ZIP of the same files has served: the sweep may take it."""
    older = [
        one.artifact_id
        for one in package.job.packages.exclude(pk=package.pk)
        if one.selection == package.selection and one.artifact_id
    ]
    Artifact.objects.filter(pk__in=older, removed_at=None).update(expires_at=timezone.now())
