"""Whether a ZIP of a whole job still serves: the files it lacks, the verdicts since, its reader;
and whether there has to be one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from django.utils.translation import get_language

from jobs.models import Role
from jobs.wording import dialect_for

PACKED_ROLES: Final = (Role.MEDIA, Role.CONVERTED, Role.AUDIO_TRACK, Role.ATTACHED_SONG)
"""Roles of files that go into a ZIP, in this order within one media item. Posters stay."""

_File = TypeVar("_File", bound=Any)


def alone(files: Sequence[_File]) -> _File | None:
    """The picture or video that is never wrapped in a ZIP, for it is alone; None among several.

    files: what the ZIP would hold, artifacts or views of them. A JPEG made from the picture does
    not change that; a sound that was asked for does.
    """
    if any(file.role not in {Role.MEDIA, Role.CONVERTED} for file in files):
        return files[0] if len(files) == 1 else None
    media = [file for file in files if file.role == Role.MEDIA]
    return media[0] if len(media) == 1 else None


@dataclass(frozen=True, slots=True)
class Amount:
    """How much Save hands over: what every page says of a job, a line or a story.

    files: pictures and videos; the sounds, where nothing else is left. size_bytes: of these and of
    what comes along in their ZIP, or of the one that is taken alone; the ZIP's own few bytes are
    not counted.
    """

    files: int
    size_bytes: int


def amount_of(files: Sequence[_File]) -> Amount:
    """How much this is. files: what the ZIP would hold, each once (`copy_key`)."""
    single = alone(files)
    if single:
        return Amount(1, single.size_bytes)
    media = sum(file.role == Role.MEDIA for file in files)
    return Amount(media or len(files), sum(file.size_bytes for file in files))


def copy_key(tiktok_id: str, role: str, position: int, sha256: str) -> tuple[str, str, int, str]:
    """A key that is equal for copies of one file, of which a ZIP holds the first.

    One story can come by two lines of a job, by its author's name and by its own link.
    """
    return tiktok_id, role, position, sha256


def opens_for_reader(language: str) -> bool:
    """Whether the manifest of a ZIP opens in this reader's spreadsheets.

    language: of the person the ZIP was packed for. A request without a language is read as English.
    """
    return dialect_for(language) == dialect_for(get_language() or "")


def serves(
    packed_at: datetime,
    language: str,
    *,
    saved: Iterable[datetime | None],
    settled: Iterable[datetime | None],
) -> bool:
    """Whether a ZIP is what this reader would get if it were packed now.

    packed_at: when its files were looked up. language: of the person it was packed for. saved: when
    each file of one of the PACKED_ROLES was saved. settled: when each line of the job was settled,
    None for an open one: the manifest says what is missing, and a line that settled since may miss
    less, or more.
    """
    changes = [at for at in (*saved, *settled) if at is not None]
    return opens_for_reader(language) and all(at < packed_at for at in changes)
