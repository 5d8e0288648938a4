"""The protocol pack of this instance: kept in the database, taken up by every process.

A pack is checked again by each process that reads it. One that is not to be used any more, because
a key is no longer trusted or the program has changed, leaves the built-in one in use.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import Error, IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from jobs import VERSION
from jobs.choices import PackOrigin
from jobs.models import ProtocolPack
from stories.protocol import acceptance
from stories.protocol.acceptance import Differences
from stories.protocol.current import built_in, use
from stories.protocol.keys import trusted_keys
from stories.protocol.pack import Pack
from stories.protocol.parsing import parse_version
from stories.protocol.reading import PackRefused

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 30.0
"""Seconds after which a process that has something to do looks which pack is in use."""
MAX_KEPT: Final = 10
"""Packs that are kept, to go back to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The pack this process goes by. imported_at: None for the built-in one.

    unused: version of the active pack in the database, when it is another one; "" otherwise.
    refused: why that is not used.
    """

    pack: Pack
    imported_at: datetime | None = None
    origin: str = ""
    unused: str = ""
    refused: PackRefused | None = None


def keys() -> Mapping[str, bytes]:
    """Name -> public key of those whose packs are taken here."""
    added = settings.STORYKEEP.protocol_key
    return trusted_keys([added] if added else [])


def read(envelope: bytes) -> Pack:
    """The pack in an envelope. Raises PackRefused."""
    return acceptance.read_signed(envelope, keys=keys(), app=VERSION)


def differences(envelope: bytes) -> Differences:
    """What the pack in an envelope says otherwise than the built-in one. Raises PackRefused."""
    return acceptance.differences(envelope, keys())


class PackInUse:
    """What this process goes by; it looks into the database every LOOK_EVERY_S, when asked.

    known: whether the database answered the last time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._row: tuple[int, str, datetime] | None = None
        self._look_at = float("-inf")
        self._state: State | None = None
        self.known = False

    def look(self, *, at_once: bool = False) -> State:
        """The state, with the pack of the database in use; for synchronous code.

        at_once: look now. While the database does not answer, what was known goes on.
        """
        if not at_once and self._state and time.monotonic() < self._look_at:
            return self._state
        with self._lock:
            if self._state is None:
                self._state = State(pack=built_in())
            if not at_once and time.monotonic() < self._look_at:
                return self._state
            self._look_at, self.known = time.monotonic() + LOOK_EVERY_S, False
            try:
                row = _active().values_list("pk", "version", "imported_at").first()
                if row != self._row:
                    self._state = _state_of(_active().first())
                    self._row = row
                    use(self._state.pack)
                self.known = True
            except Error as error:
                logger.info("the protocol pack is not known: %s", type(error).__name__)
            return self._state

    def forget(self) -> None:
        """Begin anew, with the built-in pack."""
        with self._lock:
            self._row, self._look_at, self._state = None, float("-inf"), None
        use(None)


in_use: Final = PackInUse()
"""This process's own."""


def look(*, at_once: bool = False) -> State:
    """`PackInUse.look` of this process."""
    return in_use.look(at_once=at_once)


def _active() -> QuerySet[ProtocolPack]:
    return ProtocolPack.objects.filter(active=True)


def _state_of(row: ProtocolPack | None) -> State:
    """The state that a row means."""
    if row is None:
        return State(pack=built_in())
    try:
        pack = _usable(row)
    except PackRefused as error:
        level = logging.INFO if error.reason == "older_than_built_in" else logging.WARNING
        logger.log(level, "the protocol pack %s is not used: %s", row.version, error)
        return State(pack=built_in(), unused=row.version, refused=error)
    logger.info("the protocol pack %s is in use", pack.version)
    return State(pack=pack, imported_at=row.imported_at, origin=row.how)


def _usable(row: ProtocolPack) -> Pack:
    """The pack of a row. Raises PackRefused, also for one that the built-in one has overtaken."""
    pack = read(row.envelope.encode("utf-8"))
    acceptance.check_not_overtaken(pack)
    return pack


# --- changing it ----------------------------------------------------------------------------------


class PackChanged(Exception):
    """Another pack is in use by now than the one that somebody looked at."""


def check(envelope: bytes) -> Pack:
    """The pack in an envelope, when it could be imported now. Raises PackRefused."""
    pack = read(envelope)
    acceptance.check_newer(pack, look(at_once=True).pack.version)
    return pack


def store(envelope: bytes, origin: PackOrigin) -> Pack:
    """Put the pack in an envelope in use, on the whole instance.

    Raises PackRefused; for the weekly look also for a pack that somebody went back from, or one
    that is no newer than that.
    """
    pack = read(envelope)
    with _alone():
        active = _active().first()
        acceptance.check_newer(pack, _state_of(active).pack.version)
        if origin is PackOrigin.WEEKLY:
            _check_not_dropped(pack)
        # One that became active since it was looked up is somebody else's, who was first.
        if _active().update(active=False) != int(active is not None):
            raise PackChanged
        facts = {
            "envelope": envelope.decode("utf-8"),
            "how": origin,
            "imported_at": timezone.now(),
            "dropped_at": None,
            "active": True,
        }
        # Not update_or_create: of two who import at once, the second would not be told.
        same = ProtocolPack.objects.filter(version=str(pack.version), active=False)
        if not same.update(**facts):
            ProtocolPack.objects.create(version=str(pack.version), **facts)
        for row in history()[MAX_KEPT:]:
            if not row.active:
                row.delete()
    look(at_once=True)
    return pack


def _check_not_dropped(pack: Pack) -> None:
    dropped = ProtocolPack.objects.exclude(dropped_at=None).values_list("version", flat=True)
    for version in dropped:
        if pack.version <= parse_version(version):
            raise PackRefused("dropped", f"somebody here went back from {version}")


def revert(version: str) -> Pack:
    """Go back from the pack in use to the one before, or to the built-in one; what is in use then.

    version: of the pack that is to be left. Raises PackChanged when another one is active.
    """
    with _alone():
        active = _active().first()
        if active is None or active.version != version:
            raise PackChanged
        active.active, active.dropped_at = False, timezone.now()
        active.save(update_fields=["active", "dropped_at"])
        before = previous(active)
        if before is not None:
            before.active = True
            before.save(update_fields=["active"])
    return look(at_once=True).pack


def previous(active: ProtocolPack) -> ProtocolPack | None:
    """The pack that going back from this one leads to; None for the built-in one."""
    for row in history():
        if row.dropped_at is None and parse_version(row.version) < parse_version(active.version):
            try:
                _usable(row)
            except PackRefused:
                continue
            return row
    return None


def history() -> list[ProtocolPack]:
    """The packs that are kept, newest version first."""
    return sorted(
        ProtocolPack.objects.all(), key=lambda row: parse_version(row.version), reverse=True
    )


@contextmanager
def _alone() -> Iterator[None]:
    """A transaction that changes which pack is active. Raises PackChanged when another one did."""
    try:
        with transaction.atomic():
            list(ProtocolPack.objects.select_for_update().values_list("pk"))
            yield
    except IntegrityError as error:  # PostgreSQL: the first pack, imported twice at once
        raise PackChanged from error
