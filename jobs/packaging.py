"""ZIPs: a carousel, a job's bundle, a selection; what is inside, in which order, and who packs it.

Nothing is compressed, for media is compressed already. Members come in a fixed order, dated with
their story's posting time, so the same story makes the same bytes. Every story brings a sidecar
(`story.json` in a carousel, `name_2026-11-20_1403_story.json` in a bundle) and every bundle a
`manifest.csv`: UTF-8 with a byte order mark, without which Excel reads it as Latin-1, and with
every cell a spreadsheet could take for a formula set off by an apostrophe. The sidecars hold the
texts unchanged. Posters stay out.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from types import TracebackType
from typing import Any, BinaryIO, Final, Self
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from jobs import filenames, lifecycle, storage
from jobs.errors import NothingToPack
from jobs.lifecycle import ClaimLost, PackageClaim
from jobs.models import Artifact, Item, Job, Package, PackageState, Role, Story
from stories.errors import StoriesError

CHUNK_BYTES: Final = 1024 * 1024
PACKED: Final = (Role.MEDIA, Role.CONVERTED, Role.AUDIO_TRACK, Role.ATTACHED_SONG)
"""What goes into a ZIP, in this order within one media item."""

_ENTRY_BYTES = 2048  # two headers and a generous sidecar: for the question whether it fits
_EARLIEST, _LATEST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)
_FORMULA = re.compile(r"(^|[;,\t\r\n])([\s'\"]*)([=+\-@\t\r＝＋－＠])")
_COLUMNS = (
    "file", "author", "nickname", "story_id", "kind", "caption", "source_link", "posted_at",
    "captured_at", "note", "what", "content_type", "size_bytes", "sha256", "width", "height",
    "duration_s", "labels",
)  # fmt: skip


def _nothing() -> None:
    return None


# --- what a ZIP holds ---------------------------------------------------------------------------


def _rank(file: Artifact) -> tuple[int, int, str]:
    return file.position, PACKED.index(Role(file.role)), file.name


def _packable(files: Iterable[Artifact]) -> list[Artifact]:
    return sorted((file for file in files if file.role in PACKED), key=_rank)


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None


def _permalink(url: str) -> str:
    """Without query and fragment: a signature can only be there."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.hostname or "", parts.path, "", ""))


def _captured(story: Story, files: Sequence[Artifact]) -> datetime | None:
    return story.captured_at or max((file.created_at for file in files), default=None)


def _sidecar(story: Story, note: str, files: Sequence[tuple[str, Artifact]]) -> bytes:
    item = story.item
    facts = {
        "author": {
            "id": item.author_id,
            "name": item.author_name,
            "nickname": item.author_nickname,
        },
        "story_id": story.tiktok_id,
        "source_url": _permalink(story.source_url),
        "posted_at": _moment(story.posted_at),
        "captured_at": _moment(_captured(story, [file for _, file in files])),
        "note": note,
        "kind": story.kind,
        "caption": story.caption,
        "files": [
            {
                "name": name,
                "what": file.role,
                "content_type": file.content_type,
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
                "width": file.width,
                "height": file.height,
                "duration_s": file.duration_s,
                "labels": file.labels,
            }
            for name, file in files
        ],
    }
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    return f"{text}\n".encode(errors="replace")


def _cell(value: object) -> str:
    """As text no spreadsheet takes for a formula, whichever character it splits cells at."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = str(value).replace("\0", "")
    return _FORMULA.sub(r"\1\2'\3", text)


def _rows(story: Story, note: str, files: Sequence[tuple[str, Artifact]]) -> Iterator[list[str]]:
    captured = _moment(_captured(story, [file for _, file in files]))
    for name, file in files:
        facts: list[object] = [
            name, story.item.author_name, story.item.author_nickname, story.tiktok_id,
            story.kind, story.caption, _permalink(story.source_url), _moment(story.posted_at),
            captured, note, file.role, file.content_type, file.size_bytes, file.sha256,
            file.width, file.height, file.duration_s, " ".join(file.labels),
        ]  # fmt: skip
        yield [_cell(fact) for fact in facts]


def _manifest(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig", errors="replace")


# --- writing one --------------------------------------------------------------------------------


class _Archive:
    """A ZIP being written into an open file. beat: called between chunks, may raise to stop."""

    def __init__(self, file: BinaryIO, beat: Callable[[], None]) -> None:
        self._zip = ZipFile(file, "w", ZIP_STORED, allowZip64=True)
        self._beat = beat
        self._taken: dict[str, set[str]] = {}

    def close(self) -> None:
        self._zip.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            # Nobody reads this one; closed all the same, or it would try to be when collected.
            with suppress(OSError, ValueError, StoriesError):
                self.close()

    def path(self, folder: str, name: str) -> str:
        """A member's path, tamed and unlike every other one, also where case does not count."""
        inside = filenames.folder_name(folder) if folder else ""
        taken = self._taken.setdefault(filenames.same(inside), set())
        free = filenames.unique(filenames.tame(name), taken)
        taken.add(filenames.same(free))
        return f"{inside}/{free}" if inside else free

    def add_file(self, path: str, at: datetime, artifact: Artifact) -> bool:
        """Copy a saved file in; False, and nothing written, when it is not there whole."""
        try:
            source = storage.open_artifact(artifact.id)
        except FileNotFoundError:
            return False
        with source:
            if source.seek(0, io.SEEK_END) != artifact.size_bytes:
                return False
            source.seek(0)
            with self._zip.open(self._entry(path, at, artifact.size_bytes), "w") as member:
                while chunk := source.read(CHUNK_BYTES):
                    member.write(chunk)
                    self._beat()
        return True

    def add_text(self, path: str, at: datetime, content: bytes) -> None:
        with self._zip.open(self._entry(path, at, len(content)), "w") as member:
            member.write(content)

    def _entry(self, path: str, at: datetime, size_bytes: int) -> ZipInfo:
        utc = at.astimezone(UTC)
        # ZIP keeps even seconds only: say so ourselves instead of letting tools round.
        date = (utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second // 2 * 2)
        entry = ZipInfo(path, min(max(date, _EARLIEST), _LATEST))
        entry.compress_type = ZIP_STORED
        entry.create_system = 3  # Unix, wherever we run: the same bytes
        entry.external_attr = 0o100644 << 16
        entry.file_size = size_bytes  # known ahead, so 4 GiB and more get the wide header
        return entry


def _add_story(
    archive: _Archive, story: Story, note: str, files: Sequence[Artifact], *, folder: str
) -> list[tuple[str, Artifact]]:
    """A story's files and its sidecar; the paths of what was there to be packed."""
    packed = []
    for file in files:
        path = archive.path(folder, file.name)
        if archive.add_file(path, story.posted_at, file):
            packed.append((path, file))
    if packed:
        inside = [(path.rpartition("/")[2], file) for path, file in packed]
        name = (
            filenames.sidecar_name(story.item.author_name, story.posted_at)
            if folder
            else "story.json"
        )
        content = _sidecar(story, note, inside)
        archive.add_text(archive.path(folder, name), story.posted_at, content)
    return packed


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
    workspace: storage.Workspace,
    expected: Sequence[Artifact],
    fill: Callable[[_Archive], list[Artifact]],
    beat: Callable[[], None] = _nothing,
    *,
    at: datetime,
    **facts: Any,
) -> Artifact:
    """Write a ZIP, keep it, and return its row, unsaved. Raises NothingToPack, DiskFull.

    at: when the files were looked up; what is saved later makes the ZIP incomplete.
    """
    key, file = workspace.create()
    workspace.admit(sum(one.size_bytes + _ENTRY_BYTES for one in expected))
    with file, storage.disk_errors(), _Archive(file, beat) as archive:
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
    artifact.size_bytes = workspace.keep(key, artifact.id)
    return artifact


def carousel(story: Story, files: Sequence[Artifact], workspace: storage.Workspace) -> Artifact:
    """A carousel's pictures and sidecar as one ZIP, already in storage; its row, unsaved.

    files: the story's saved files; those that do not belong in a ZIP are left out. Remove the
    artifact's file again when its row cannot be saved. Raises NothingToPack, DiskFull.
    """
    wanted = _packable(files)
    item = story.item

    def fill(archive: _Archive) -> list[Artifact]:
        packed = _add_story(archive, story, item.job.note, wanted, folder="")
        return [file for _, file in packed]

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
        name=filenames.carousel_name(item.author_name, story.posted_at),
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
        Job.objects.select_for_update().get(pk=job.pk)  # two taps at once: one package
        files = _files(job.pk, asked)
        if not files:
            raise NothingToPack
        wanted = sorted(str(file.pk) for file in files) if asked else []
        package = _standing(job, wanted, files)
        if package is None:
            storage.check_room()
            package = Package.objects.create(job=job, owner_id=job.owner_id, selection=wanted)
        shown = "selection" if wanted else "bundle"
        Job.objects.filter(pk=job.pk).update(**{shown: package})
        transaction.on_commit(lifecycle.dispatch)
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
        self._next = time.monotonic() + lifecycle.RENEW_S / 2

    def __call__(self) -> None:
        if lifecycle.stopping.is_set():
            raise lifecycle.Stopping
        if time.monotonic() < self._next:
            return
        if not lifecycle.renew_package(self._held):
            raise ClaimLost
        self._next = time.monotonic() + lifecycle.RENEW_S / 2


def run(held: PackageClaim) -> bool:
    """Pack a claimed package and settle it; False when the claim was lost, and nothing is left.

    Raises NothingToPack and DiskFull, for `lifecycle.fail_package`, and Stopping, for
    `lifecycle.release_package`.
    """
    package = Package.objects.select_related("job").filter(pk=held.package_id).first()
    if package is None:
        return False
    job = package.job
    at = timezone.now()
    files = _files(job.pk, package.selection)
    if not files:
        raise NothingToPack
    with storage.Workspace(f"{package.pk}.{held.attempt}") as workspace:
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
                name=filenames.bundle_name(
                    (_item(file).author_name for file in files),
                    job.created_at,
                    selection=bool(package.selection),
                ),
            )
        except ClaimLost:
            return False
        settled = False
        try:
            settled = _settle(held, package, artifact)
        finally:
            if not settled:
                storage.remove(artifact.pk)
    return settled


def _fill_bundle(job: Job, files: Sequence[Artifact], archive: _Archive) -> list[Artifact]:
    packed: list[Artifact] = []
    rows: list[list[str]] = []
    for _, group in groupby(files, key=lambda file: _story(file).pk):
        of_story = list(group)
        story = _story(of_story[0])
        author = story.item.author_name or "unknown"
        added = _add_story(archive, story, job.note, of_story, folder=author)
        rows.extend(_rows(story, job.note, added))
        packed.extend(file for _, file in added)
    if packed:
        latest = max(_story(file).posted_at for file in packed)
        archive.add_text(archive.path("", "manifest.csv"), latest, _manifest(rows))
    return packed


def _settle(held: PackageClaim, package: Package, artifact: Artifact) -> bool:
    try:
        with transaction.atomic():
            if not Package.objects.filter(pk=package.pk).exists():
                return False  # forgotten meanwhile, and the job with it
            artifact.save(force_insert=True)
            if lifecycle.finish_package(held, artifact):
                _retire(package)
                return True
            transaction.set_rollback(True)  # nobody waits for this ZIP any more
    except IntegrityError:  # the job was forgotten between our look and the commit
        pass
    return False


def _retire(package: Package) -> None:
    """An older ZIP of the same files has served: the sweep may take it."""
    older = [
        one.artifact_id
        for one in package.job.packages.exclude(pk=package.pk)
        if one.selection == package.selection and one.artifact_id
    ]
    Artifact.objects.filter(pk__in=older, removed_at=None).update(expires_at=timezone.now())
