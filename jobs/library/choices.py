"""What each member wants kept for good, and their key for Immich."""

from __future__ import annotations

import os
import re
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from jobs.files import library_folder, names
from jobs.files.library_folder import Held
from jobs.library import layout
from jobs.models import CopyRole, LibraryChoice, LibraryCopy, LibraryMode, SendState
from jobs.text import clean_text
from notices.sealing import Unreadable, seal, unseal

ALBUM_LENGTH: Final = 100
KEY_LENGTH: Final = 200
_KEY: Final = re.compile(r"[\x21-\x7e]{8,200}")


def immich_use(owner_id: int) -> str:
    """What a member's stored key is sealed for: it can be read for that member alone."""
    return f"immich {owner_id}"


class KeyRefused(Exception):
    """The text cannot be a key of Immich's."""


def choice_of(owner_id: int) -> LibraryChoice:
    """A member's choice, stored or not."""
    choice = LibraryChoice.objects.filter(owner_id=owner_id).first()
    return choice or LibraryChoice(owner_id=owner_id)


def is_offered(owner_id: int) -> bool:
    """Whether a member is offered to keep a story for good. No query without a library."""
    if not library_folder.is_set():
        return False
    return LibraryChoice.objects.filter(owner_id=owner_id).exclude(mode=LibraryMode.NEVER).exists()


def choose(owner_id: int, mode: LibraryMode) -> None:
    """Keep a member's stories for good like this from now on. What is kept already stays."""
    LibraryChoice.objects.update_or_create(owner_id=owner_id, defaults={"mode": mode})


def set_album(owner_id: int, album: str) -> None:
    """Have what is sent to Immich be put into this album; "" for none."""
    album = clean_text(album, ALBUM_LENGTH)
    if album != choice_of(owner_id).album:
        LibraryChoice.objects.update_or_create(
            owner_id=owner_id, defaults={"album": album, "album_id": ""}
        )


def set_key(owner_id: int, key: str) -> None:
    """Send a member's library to Immich with this key, what is kept already as well.

    With another key than before it may be another server or somebody else there: what was sent with
    the old one is sent, too. Raises KeyRefused.
    """
    key = key.strip()
    if not _KEY.fullmatch(key):
        raise KeyRefused
    sealed = seal(key, immich_use(owner_id))
    with transaction.atomic():  # the key without its files would never send those kept before
        is_known = _opens_to(key, owner_id)
        LibraryChoice.objects.update_or_create(
            owner_id=owner_id,
            defaults={"immich_key": sealed, "immich_error": "", "album_id": ""},
        )
        rows = LibraryCopy.objects.filter(owner_id=owner_id, role=CopyRole.MEDIA)
        anew: dict[str, object] = {} if is_known else {"asset_id": ""}
        if is_known:
            rows = rows.exclude(send_state=SendState.THERE)
        rows.update(
            **anew, send_state=SendState.WAITING, send_reason="", send_tries=0, send_not_before=None
        )


def _opens_to(key: str, owner_id: int) -> bool:
    """Whether this is the key that is stored for a member."""
    try:
        return unseal(choice_of(owner_id).immich_key, immich_use(owner_id)) == key
    except Unreadable:
        return False


def remove_key(owner_id: int) -> None:
    """Send nothing more to Immich, and forget the key. What is there stays there."""
    with transaction.atomic():
        LibraryChoice.objects.filter(owner_id=owner_id).update(
            immich_key="", immich_error="", album_id=""
        )
        LibraryCopy.objects.filter(
            owner_id=owner_id, send_state__in=[SendState.WAITING, SendState.FAILED]
        ).update(send_state=SendState.NONE, send_reason="")


def folder_of(owner_id: int, library: Held) -> str:
    """The name of a member's folder in the library, given once and kept.

    A folder that is there already is somebody else's: of a member of that name who is gone, or of
    whoever made it. Raises OSError.
    """
    choice, _made = LibraryChoice.objects.get_or_create(owner_id=owner_id)
    while not choice.folder:
        username = User.objects.values_list("username", flat=True).get(pk=owner_id)
        others = LibraryChoice.objects.exclude(folder=None).values_list("folder", flat=True)
        taken = {names.collision_key(folder) for folder in others if folder}
        with os.scandir(library.folder) as entries:
            taken |= {names.collision_key(entry.name) for entry in entries}
        folder = layout.member_folder(username, taken)
        try:
            with transaction.atomic():
                LibraryChoice.objects.filter(pk=owner_id, folder=None).update(folder=folder)
        except IntegrityError:  # somebody else has it since
            continue
        choice.refresh_from_db()
    return choice.folder
