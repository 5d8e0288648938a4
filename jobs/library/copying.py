"""One file of the library: written with its date and its sidecar, or removed.

Before a file gets its name its row notes name and bytes. So after an interruption the next one
finds the whole file, and has it be the row's, or removes what there is of it before another is
made: that may have other bytes, and another name.
"""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Final

from jobs.errors import DiskFault
from jobs.files import disk, library_folder, store, times
from jobs.files.library_folder import Changed, Held
from jobs.files.library_mark import LibraryAway
from jobs.files.library_parts import NameTaken, Part
from jobs.files.stores import length
from jobs.library import layout, sidecar
from jobs.library.sidecar import LibraryFile, LibraryStory
from jobs.models import Artifact, CopyRole, CopyState, LibraryCopy, Role, Story
from stories.media import picture_dates, picture_dating, video_dating
from stories.media.edits import Edit, apply_edits

logger = logging.getLogger(__name__)

CHUNK_BYTES: Final = 1024 * 1024
_SUFFIXES: Final = {
    "video/mp4": ".mp4",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "image/heic": ".heic",
    "image/gif": ".gif",
}


class SourceGone(Exception):
    """The saved file, or all that is known of its story, is not there any more."""


class SourceDamaged(Exception):
    """The saved file is not what was saved."""


class NoName(Exception):
    """Every name that was tried stands for something else."""


Heartbeat = Callable[[], None]


def story_of(row: Story) -> LibraryStory:
    """A story as it is kept. row: with its item and job."""
    item = row.item
    return LibraryStory(
        tiktok_id=row.tiktok_id,
        author_id=item.author_id,
        author_name=item.author_name,
        author_nickname=item.author_nickname,
        kind=row.kind,
        is_story=row.is_story,
        caption=row.caption,
        source_url=row.source_url,
        posted_at=row.posted_at,
        leaves_at=row.leaves_at,
        captured_at=row.captured_at,
        media_count=row.media_count,
        zone=times.zone_of(item.job),
    )


# --- a picture or video ---------------------------------------------------------------------------


def source_of(row: LibraryCopy) -> Artifact | None:
    """The saved file of a row, with its story: the newest of those that are here."""
    return (
        Artifact.objects.present()
        .kept()
        .filter(
            owner_id=row.owner_id,
            role=Role.MEDIA,
            position=row.position,
            story__tiktok_id=row.tiktok_id,
        )
        .select_related("story__item__job")
        .order_by("-created_at")
        .first()
    )


def copy_media(
    row: LibraryCopy, library: Held, member: str, heartbeat: Heartbeat
) -> dict[str, object]:
    """Write a row's file and its sidecar; the columns that say what was written.

    member: the name of the owner's folder. One that an earlier try has written is found. Raises
    SourceGone, SourceDamaged, NoName, DiskFault for the store of saved files, and OSError for the
    library.
    """
    if is_there(row):
        return _noted(row)
    _drop(row)
    artifact = source_of(row)
    if artifact is None or artifact.story is None:
        raise SourceGone
    story = story_of(artifact.story)
    at = times.file_time(story.posted_at, artifact.created_at)
    library_folder.require_room(library.folder, artifact.size_bytes)
    folders = layout.folders(member, story)
    with _opened(artifact) as file, Part(library.folder, folders, row.pk) as part:
        edits = _date_edits(file, story)
        part.write(apply_edits(_checked(file, artifact), edits), heartbeat)
        beside = sidecar.xmp(story)
        suffix = _SUFFIXES.get(artifact.content_type, Path(artifact.name).suffix.lower())
        for name in layout.media_names(story, row.position, suffix):
            path = "/".join([*folders, name])
            if _is_anothers(row, path):
                continue
            with Part(library.folder, folders, row.pk, alone=False) as side:
                side.write([beside])
                try:
                    facts = _intended(row, path, part, name, side, artifact.sha256)
                    is_new = side.give_name(name + layout.SIDECAR, at)
                except NameTaken:
                    continue
                try:
                    facts["was_there"] |= not part.give_name(name, at)
                except NameTaken:
                    if is_new:
                        _remove(f"{path}{layout.SIDECAR}", side.written.sha256)
                    continue
                return {**facts, "posted_at": story.posted_at}
    raise NoName


def _is_anothers(row: LibraryCopy, path: str) -> bool:
    return LibraryCopy.objects.filter(path=path).exclude(pk=row.pk).exists()


def _intended(
    row: LibraryCopy,
    path: str,
    part: Part,
    name: str,
    side: Part | None = None,
    source_sha256: str = "",
) -> dict[str, Any]:
    """The columns of a file that is about to get its name; noted first, so that whoever finds the
    file after an interruption knows whose it is.

    A file and a sidecar that are there already are not for this row to remove. Raises NameTaken,
    and SourceGone where the row is gone.
    """
    facts: dict[str, Any] = {
        "path": path,
        "was_there": part.is_there(name),
        "source_sha256": source_sha256,
        **asdict(part.written),
    }
    if side is not None:
        found = side.is_there(name + layout.SIDECAR)
        facts["sidecar_sha256"] = "" if found else side.written.sha256
    if not LibraryCopy.objects.filter(pk=row.pk).update(**facts):
        raise SourceGone
    return facts


def _opened(artifact: Artifact) -> BinaryIO:
    try:
        with disk.translate_disk_errors():
            file = store.open_artifact(artifact.pk)
            if length(file) != artifact.size_bytes:
                file.close()
                raise SourceDamaged
    except FileNotFoundError:
        raise SourceGone from None
    return file


def _date_edits(file: BinaryIO, story: LibraryStory) -> list[Edit]:
    dates = picture_dates.of_moment(story.posted_at, story.zone)
    with _as_store_errors():
        edits = picture_dating.date_edits(file, dates) if dates else []
        return edits or video_dating.date_edits(file, story.posted_at)


def _checked(file: BinaryIO, artifact: Artifact) -> Iterator[bytes]:
    """The bytes of a saved file. Raises SourceDamaged at the end of one that is another."""
    digest = hashlib.sha256()
    with _as_store_errors():
        file.seek(0)
    while True:
        with _as_store_errors():
            chunk = file.read(CHUNK_BYTES)
        if not chunk:
            break
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != artifact.sha256:
        raise SourceDamaged


@contextmanager
def _as_store_errors() -> Iterator[None]:
    """Raise DiskFault for what goes wrong with the store, so that it is not taken for the
    library's."""
    try:
        yield
    except OSError as error:
        raise DiskFault("the store of saved files does not answer") from error


# --- what an earlier try left ---------------------------------------------------------------------

_NOTED: Final = (
    "path", "was_there", "size_bytes", "source_sha256", "sha256", "sha1", "sidecar_sha256",
)  # fmt: skip


def is_there(row: LibraryCopy) -> bool:
    """Whether the file a row has noted is there, as it was written: by a worker that died before it
    could say so, or it was forgotten and is kept again before it went.

    Raises LibraryAway, OSError.
    """
    if not row.path or not row.sha256:
        return False
    try:
        with library_folder.open_file(row.path) as file:
            digest = hashlib.sha256()
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return digest.hexdigest() == row.sha256


def _noted(row: LibraryCopy) -> dict[str, object]:
    """The columns of a file that is there."""
    return {name: getattr(row, name) for name in _NOTED}


def _drop(row: LibraryCopy) -> None:
    """Remove what there is of a file a row has noted, and know nothing of it any more.

    Raises LibraryAway, and OSError where somebody else works on the row since.
    """
    if not row.path:
        return
    mine = LibraryCopy.objects.filter(
        pk=row.pk, path=row.path, sha256=row.sha256, kept_at=row.kept_at
    )
    if not mine.exists():
        raise OSError(errno.ESTALE, "another worker has this row")
    remove(row)
    mine.update(path="", was_there=False, sha256="", sidecar_sha256="", kept_at=None)
    row.path, row.was_there, row.sha256, row.sidecar_sha256 = "", False, "", ""
    row.kept_at = None


# --- a story's JSON -------------------------------------------------------------------------------


def write_story(row: LibraryCopy, library: Held, member: str) -> dict[str, object]:
    """Write a story's JSON beside its files; the columns that say what was written.

    One that an earlier try has written is found where it says the same, or nothing else can be
    said. Raises SourceGone when none of its files is in the library, or nothing is known of it any
    more; NoName; OSError.
    """
    found = (
        Story.objects.kept()
        .filter(owner_id=row.owner_id, tiktok_id=row.tiktok_id)
        .select_related("item__job")
        .order_by("-captured_at", "-pk")
        .first()
    )
    copies = LibraryCopy.objects.filter(
        owner_id=row.owner_id,
        tiktok_id=row.tiktok_id,
        role=CopyRole.MEDIA,
        state=CopyState.KEPT,
    ).order_by("position")
    files = [_as_file(copy) for copy in copies]
    if found is None or not files:
        if is_there(row):
            return _noted(row)
        _drop(row)
        raise SourceGone
    story = story_of(found)
    at = times.file_time(story.posted_at, found.captured_at or row.created_at)
    folders = layout.folders(member, story)
    with Part(library.folder, folders, row.pk) as part:
        part.write([sidecar.story_json(story, files)])
        if part.written.sha256 == row.sha256 and is_there(row):
            return _noted(row)
        _drop(row)
        for name in layout.story_names(story):
            path = "/".join([*folders, name])
            if _is_anothers(row, path):
                continue
            try:
                facts = _intended(row, path, part, name)
                facts["was_there"] |= not part.give_name(name, at)
            except NameTaken:
                continue
            return {**facts, "posted_at": story.posted_at}
    raise NoName


def _as_file(copy: LibraryCopy) -> LibraryFile:
    return LibraryFile(
        name=copy.path.rpartition("/")[2],
        position=copy.position,
        size_bytes=copy.size_bytes,
        sha256=copy.sha256,
        sha1=copy.sha1,
        source_sha256=copy.source_sha256,
    )


# --- removing -------------------------------------------------------------------------------------


def remove(row: LibraryCopy) -> bool:
    """Delete a row's file and its sidecar where they are as they were written; False where one of
    them is not, and both stay, but for the sidecar of a file that was never said to be kept: that
    file may be anybody's. A file that this row did not write stays. Raises OSError."""
    if not row.path or row.was_there:
        return True
    if row.kept_at is not None and row.sidecar_sha256 and _is_sidecar_changed(row):
        return False
    is_ours, begun = True, row.kept_at is None
    try:
        library_folder.remove_if_unchanged(row.path, row.sha256, begun=begun)
    except Changed:
        if not begun:
            return False
        is_ours = False
    if row.sidecar_sha256:
        _remove(f"{row.path}{layout.SIDECAR}", row.sidecar_sha256, begun=begun)
    library_folder.remove_empty_folders(row.path)
    return is_ours


def _is_sidecar_changed(row: LibraryCopy) -> bool:
    try:
        with library_folder.open_file(f"{row.path}{layout.SIDECAR}") as file:
            found = file.read(CHUNK_BYTES)  # ours are much smaller
    except (FileNotFoundError, NotADirectoryError):
        return False
    except LibraryAway:
        raise
    except OSError:  # a link, or not to be read: not as it was written
        return True
    return hashlib.sha256(found).hexdigest() != row.sidecar_sha256


def _remove(path: str, sha256: str, *, begun: bool = False) -> None:
    try:
        library_folder.remove_if_unchanged(path, sha256, begun=begun)
    except Changed:
        logger.info("a sidecar in the library was changed, and stays")
