"""One run of the library: what is wanted is written, what was forgotten removed, and what a member
has sent to Immich goes there. Sent for by the workers' clock, where there is a library."""

from __future__ import annotations

import errno
import logging
import time
from contextlib import suppress
from typing import Final

from django.db import DatabaseError, IntegrityError
from django.utils import timezone

from jobs.errors import DiskFault
from jobs.files import collection, library_folder, library_parts
from jobs.files.library_folder import Held
from jobs.files.library_mark import LibraryAway
from jobs.library import choices, copying, forgetting, sending, turns, wanted
from jobs.library.copying import NoName, SourceDamaged, SourceGone
from jobs.models import CopyRole, CopyState, LibraryChoice, LibraryCopy, LibraryMark, SendState
from jobs.queue.shutdown import ShutdownRequested

logger = logging.getLogger(__name__)

LONGEST_S: Final = 240.0
"""No further file is begun after so many seconds: the next run goes on."""


def run() -> int:
    """Do what is due; how many rows were worked on. Safe beside another one, and at any time."""
    if not library_folder.is_set():
        return 0
    forgetting.drop_ownerless()
    wanted.keep_automatically()
    turns.note_away(library_folder.is_away())
    _tidy()
    end = time.monotonic() + LONGEST_S
    count = 0
    try:
        count += _write(end)
        collection.note_kept()
        while sending.is_set() and time.monotonic() < end and sending.send_next():
            count += 1
    except ShutdownRequested:
        logger.info("the library goes on later")
    return count


def _tidy() -> None:
    """Remove what workers that died left half written, also of rows that are gone."""
    if library_parts.are_noted() and LibraryMark.objects.exists():
        with suppress(OSError), library_folder.held() as library:
            library_parts.tidy(library.folder, turns.in_work)


def _write(end: float) -> int:
    now = timezone.now()
    turns.hold_files(now)
    if not turns.due(now).exists():
        return 0
    count = 0
    while time.monotonic() < end:
        row = turns.take()
        if row is None:
            break
        try:
            with library_folder.held() as library:
                _work_on(row, library)
        except OSError as error:  # of `_work_on` LibraryAway alone
            turns.give_back(row)
            _all_wait(error)
            break
        count += 1
    return count


def _all_wait(error: OSError) -> None:
    """Note that nothing can be written, and why: a full disk takes no mark, either."""
    reason = "away" if isinstance(error, LibraryAway) else _reason(error)
    is_away = reason not in {"full", "readonly"}
    turns.note_away(is_away)
    if turns.all_wait("away" if is_away else reason):  # said once, not every few seconds
        told = "is away: is its disk mounted?" if is_away else "takes no mark:"
        logger.warning("the library %s %s", told, error.strerror)


def _work_on(row: LibraryCopy, library: Held) -> None:
    """Raises LibraryAway when it went meanwhile."""
    try:
        _do(row, library)
    except ShutdownRequested:
        turns.give_back(row)
        raise
    except (SourceGone, SourceDamaged, NoName) as error:
        turns.give_up(row, _FINAL[type(error)])
    except DiskFault as error:
        logger.warning("library file %s waits for saved files: %s", row.pk, error.detail)
        turns.put_off(row, "storage")
    except LibraryAway:
        raise
    except OSError as error:
        logger.warning("library file %s waits: %s", row.pk, error.strerror)
        turns.put_off(row, _reason(error))
    except IntegrityError:  # somebody else has the path since; its name is another one next time
        turns.put_off(row, "disk")
    except DatabaseError:
        raise
    except Exception:
        logger.exception("library file %s failed", row.pk)
        if row.tries >= turns.MOST_TRIES:
            turns.give_up(row, "internal")
        else:
            turns.put_off(row, "internal")


_FINAL: Final = {SourceGone: "gone", SourceDamaged: "damaged", NoName: "taken"}
"""Why a row is given up at once, as `library_words.WORDS` has it."""


def _do(row: LibraryCopy, library: Held) -> None:
    if row.state != CopyState.REMOVING:
        _keep(row, library)
        return
    if not copying.remove(row):
        logger.info("library file %s was changed, and stays", row.pk)
    gone, _each = LibraryCopy.objects.filter(pk=row.pk, state=CopyState.REMOVING).delete()
    if not gone:  # its owner wants it again since
        turns.give_back(row)


def _keep(row: LibraryCopy, library: Held) -> None:
    if row.owner_id is None:  # their account went this moment
        raise SourceGone
    member = choices.folder_of(row.owner_id, library)
    if row.role == CopyRole.STORY:
        _note(row, library, copying.write_story(row, library, member))
        return
    facts = copying.copy_media(row, library, member, turns.Pulse(row))
    has_key = LibraryChoice.objects.filter(owner_id=row.owner_id).exclude(immich_key="").exists()
    if has_key and sending.is_set():
        facts["send_state"] = SendState.WAITING
    _note(row, library, facts)


def _note(row: LibraryCopy, library: Held, facts: dict[str, object]) -> None:
    """Note what was written; a file that was forgotten meanwhile, and its row with it, goes.

    Raises LibraryAway, and OSError, when the file is not at its place in the library now.
    """
    library.require_here(str(facts["path"]))
    if not turns.keep(row, **facts):
        copying.remove(LibraryCopy(**facts))


def _reason(error: OSError) -> str:
    """Why a row waits, as `library_words.WORDS` has it."""
    if library_folder.is_full(error):
        return "full"
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return "readonly"
    return "disk"
