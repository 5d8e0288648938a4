"""Whether a signed pack is taken: rightly signed, readable, new enough, and not too new for us."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from stories.protocol.current import built_in, built_in_text
from stories.protocol.pack import Pack, Version
from stories.protocol.parsing import document_keys, parse
from stories.protocol.reading import PackRefused
from stories.protocol.signing import open_envelope


def read_signed(envelope: bytes, *, keys: Mapping[str, bytes], app: str) -> Pack:
    """The pack in an envelope. Raises PackRefused, also for one that needs a newer program.

    keys: name -> public key of those whose packs are taken. app: the version of this program.
    """
    pack = parse(open_envelope(envelope, keys), built_in())
    if pack.minimum_app and _numbers(pack.minimum_app) > _numbers(app):
        raise PackRefused("newer_app", f"it needs Storykeep {pack.minimum_app}; this is {app}")
    return pack


def check_newer(pack: Pack, in_use: Version) -> None:
    """Refuse a pack that is not newer than the one in use, and than the built-in one."""
    if pack.version == in_use:
        raise PackRefused("same", f"{pack.version} is in use already")
    check_not_overtaken(pack)
    if pack.version < in_use:
        raise PackRefused("older", f"{pack.version} is older than {in_use}, which is in use")


def check_not_overtaken(pack: Pack) -> None:
    """Refuse a pack that is not newer than the built-in one, as one may be after an upgrade."""
    if pack.version <= built_in().version:
        said = f"{pack.version} is not newer than {built_in().version}, which is built in"
        raise PackRefused("older_than_built_in", said)


def _numbers(version: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in version.split(".") if part.isdecimal())
    return (*numbers, 0, 0, 0)[:3]


@dataclass(frozen=True, slots=True)
class Differences:
    """What a document says otherwise than the built-in one: places, in the document's order."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many places there are."""
        return len(self.added) + len(self.changed) + len(self.removed)


def differences(envelope: bytes, keys: Mapping[str, bytes]) -> Differences:
    """How the document in an envelope differs from the built-in one. Raises PackRefused."""
    return differences_of(open_envelope(envelope, keys))


def differences_of(document: bytes) -> Differences:
    """How a document that was parsed before differs from the built-in one."""
    facts, known = (document_keys(json.loads(text)) for text in (document, built_in_text()))
    for name in ("version", "made_at", "minimum_app", "note"):
        facts.pop(name, None)
        known.pop(name, None)
    return Differences(
        added=tuple(place for place in facts if place not in known),
        changed=tuple(
            place for place, value in facts.items() if place in known and known[place] != value
        ),
        removed=tuple(place for place in known if place not in facts),
    )
