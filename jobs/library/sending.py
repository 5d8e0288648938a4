"""What is in the library is sent to Immich, one file at a time, for members who gave a key."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from jobs.files import library_folder
from jobs.files.stores import length
from jobs.library import choices, immich, layout, turns
from jobs.library.immich import (
    Immich,
    ImmichError,
    KeyNotTaken,
    NoRoom,
    NotNow,
    NotTaken,
    NotThere,
    Unreachable,
    Upload,
)
from jobs.models import CopyRole, CopyState, LibraryChoice, LibraryCopy, SendState
from jobs.queue.shutdown import ShutdownRequested
from notices.sealing import Unreadable, unseal

logger = logging.getLogger(__name__)

OWNER_PAUSE: Final = timedelta(hours=1)
"""A member of whom nothing is taken, as with a key that is none, is not tried again for so long."""
MOST_TRIES: Final = 12
"""Of a file that Immich refuses without saying that it is the file, or answers nonsense to."""
MOST_SIDECAR_BYTES: Final = 1024 * 1024
_TYPES: Final = {
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".gif": "image/gif",
}


def is_set() -> bool:
    """Whether there is an Immich to send to."""
    return settings.STORYKEEP.immich_url is not None and library_folder.is_set()


def due(now: datetime) -> QuerySet[LibraryCopy]:
    """Rows that are to be sent now, in order: one that was refused does not keep others back."""
    with_key = LibraryChoice.objects.exclude(immich_key="").filter(owner__is_active=True)
    return LibraryCopy.objects.filter(
        turns.is_time("send_not_before", now),
        send_state=SendState.WAITING,
        state=CopyState.KEPT,
        role=CopyRole.MEDIA,
        owner_id__in=with_key.values("owner_id"),
    ).order_by("send_tries", "id")


def send_next(now: datetime | None = None) -> bool:
    """Send one file; False when there is none, or Immich is away. Raises ShutdownRequested."""
    now = now or timezone.now()
    row = _take(now)
    if row is None:
        return False
    choice = LibraryChoice.objects.filter(owner_id=row.owner_id).first()
    if choice is None or not choice.immich_key:  # removed this moment
        return True
    try:
        key = unseal(choice.immich_key, choices.immich_use(choice.owner_id))
        with immich.connected(key, turns.Pulse(row, "send_not_before")) as server:
            _send(row, choice, server)
    except ShutdownRequested:
        _note(row, choice, send_not_before=None)
        raise
    except (KeyNotTaken, Unreadable) as error:
        code = error.code if isinstance(error, KeyNotTaken) else "key_unreadable"
        _pause_owner(choice, code, now)
    except Unreachable as error:
        logger.warning("Immich does not answer: %s", error)
        _wait(row, choice, error.code, now)
        return False
    except (NotTaken, FileNotFoundError) as error:
        reason = error.code if isinstance(error, NotTaken) else "changed"
        logger.info("Immich does not take library file %s: %s", row.pk, error)
        _give_up(row, choice, reason)
    except NotNow as error:
        _come_later(row, choice, error, now)
    except ImmichError as error:
        logger.warning("Immich answered what is not understood: %s", error)
        _put_off(row, choice, error.code, now)
    except DatabaseError:
        raise
    except OSError as error:
        logger.warning("library file %s cannot be read: %s", row.pk, error.strerror)
        _wait(row, choice, "away", now)
        return False
    except Exception:
        logger.exception("library file %s was not sent", row.pk)
        _put_off(row, choice, "internal", now)
    return True


def _note(row: LibraryCopy, choice: LibraryChoice, **facts: object) -> None:
    """Note how far a row has come, unless its owner's key is another one since: then it is sent
    anew, or not at all."""
    with transaction.atomic():
        same = LibraryChoice.objects.filter(pk=choice.pk, immich_key=choice.immich_key)
        if same.select_for_update().exists():
            LibraryCopy.objects.filter(pk=row.pk).update(**facts)


def _wait(row: LibraryCopy, choice: LibraryChoice, reason: str, now: datetime) -> None:
    """Have a row wait, for longer each time. reason: a key of `library_words.WORDS`."""
    until = now + turns.pause(row.send_tries)
    _note(row, choice, send_reason=reason, send_not_before=until)


def _give_up(row: LibraryCopy, choice: LibraryChoice, reason: str) -> None:
    """Write a row off. reason: as of _wait."""
    _note(row, choice, send_state=SendState.FAILED, send_reason=reason, send_not_before=None)


def _put_off(row: LibraryCopy, choice: LibraryChoice, reason: str, now: datetime) -> None:
    """Have a row wait, or give it up after MOST_TRIES. reason: as of _wait."""
    if row.send_tries >= MOST_TRIES:
        _give_up(row, choice, reason)
    else:
        _wait(row, choice, reason, now)


def _take(now: datetime) -> LibraryCopy | None:
    for row in due(now)[:20]:
        mine = LibraryCopy.objects.filter(
            pk=row.pk, send_state=SendState.WAITING, send_not_before=row.send_not_before
        )
        if mine.update(send_not_before=now + turns.LEASE, send_tries=F("send_tries") + 1):
            row.send_tries += 1
            return row
    return None


def _come_later(row: LibraryCopy, choice: LibraryChoice, error: NotNow, now: datetime) -> None:
    """Have a member's files wait. One that is refused again and again is given up, unless there is
    just no room for it."""
    if isinstance(error, NoRoom):
        # Room for tries that fail otherwise, later on.
        _note(row, choice, send_tries=min(row.send_tries, MOST_TRIES // 2))
    elif row.send_tries >= MOST_TRIES:
        _give_up(row, choice, NotTaken.code)
        if choice.immich_error == error.code:
            _tell(choice, "")
        return
    _pause_owner(choice, error.code, now)


def _pause_owner(choice: LibraryChoice, code: str, now: datetime) -> None:
    logger.warning("Immich takes nothing of user %s: %s", choice.owner_id, code)
    with transaction.atomic():
        if _tell(choice, code):
            LibraryCopy.objects.filter(
                owner_id=choice.owner_id, send_state=SendState.WAITING
            ).update(send_not_before=now + OWNER_PAUSE)


def _tell(choice: LibraryChoice, code: str) -> bool:
    """Have the Library page say what Immich said to a member's key, "" for nothing; False, and
    nothing, when they have another one since."""
    same = LibraryChoice.objects.filter(pk=choice.pk, immich_key=choice.immich_key)
    return bool(same.update(immich_error=code))


def _send(row: LibraryCopy, choice: LibraryChoice, server: Immich) -> None:
    """Send a file unless it is there, then put it into the album, each noted as it is done."""
    # As it is with the key that is used: with another one, what the row had is nothing.
    mine = LibraryCopy.objects.filter(pk=row.pk)
    asset_id = mine.values_list("asset_id", flat=True).first()
    if not asset_id:
        asset_id = _upload(row, server)
        _note(row, choice, asset_id=asset_id)
    trouble = ""
    if choice.album:
        try:
            _into_album(choice, asset_id, server)
        except Unreachable:  # the album is tried again, and nothing else
            raise
        except ImmichError as error:  # the file is there, whatever is with the album
            logger.warning("library file %s is in no album: %s", row.pk, error)
            trouble = "album_refused" if isinstance(error, KeyNotTaken) else "album_failed"
    _note(row, choice, send_state=SendState.THERE, send_reason="", send_not_before=None)
    if choice.immich_error != trouble:
        _tell(choice, trouble)


def _upload(row: LibraryCopy, server: Immich) -> str:
    name = row.path.rpartition("/")[2]
    with library_folder.open_file(row.path) as file:
        if length(file) != row.size_bytes:
            raise FileNotFoundError("another file has its name")
        try:
            with library_folder.open_file(f"{row.path}{layout.SIDECAR}") as beside:
                sidecar = beside.read(MOST_SIDECAR_BYTES)
        except FileNotFoundError:
            sidecar = b""
        return server.upload(
            Upload(
                key=f"storykeep-{row.tiktok_id}-{row.position}",
                name=name,
                content_type=_TYPES.get(Path(name).suffix, "application/octet-stream"),
                file=file,
                size_bytes=row.size_bytes,
                sidecar=sidecar,
                at=row.posted_at or row.created_at,
                sha1=row.sha1,
            )
        ).id


def _into_album(choice: LibraryChoice, asset_id: str, server: Immich) -> None:
    """Raises ImmichError. An album that was deleted is looked for, or made, once more."""
    if choice.album_id:
        try:
            server.add_to_album(choice.album_id, asset_id)
        except (NotNow, NotThere):
            choice.album_id = ""
        else:
            return
    choice.album_id = server.album(choice.album)
    LibraryChoice.objects.filter(
        pk=choice.pk, album=choice.album, immich_key=choice.immich_key
    ).update(album_id=choice.album_id)
    server.add_to_album(choice.album_id, asset_id)
