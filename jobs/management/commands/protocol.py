"""`manage.py protocol …`: what is known of TikTok, as signed packs between two releases."""

from __future__ import annotations

import json
import logging
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from jobs.choices import PackOrigin
from jobs.text import clean_text
from jobs.upstream import protocol, protocol_look
from stories.protocol.acceptance import Differences, check_newer, differences_of
from stories.protocol.current import built_in
from stories.protocol.parsing import parse
from stories.protocol.reading import PackRefused
from stories.protocol.signing import MAX_ENVELOPE_BYTES

REFUSED: Final = 1
BAD_INPUT: Final = 2
_SHOWN: Final = 40
"""Places of a pack that are named, at most."""


class Command(BaseCommand):
    """Each part has an action of its own, and says in a line what it did or why not."""

    help = (
        "Protocol packs: signed knowledge of TikTok, newer than this release. show: what is in "
        "use; check FILE: whether it could be imported, and what it says otherwise; import FILE; "
        "revert: to the pack before, or the built-in one; look: ask STORYKEEP_PROTOCOL_URL for a "
        "newer one and import that. Exit code 0: done, 1: refused or nothing to do, 2: bad input."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The action and its file."""
        actions = parser.add_subparsers(dest="action", required=True)
        show = actions.add_parser("show", help="what is in use, and what could be gone back to")
        show.add_argument("--json", action="store_true", dest="as_json")
        for name, words in (("check", "look at a pack"), ("import", "put a pack in use")):
            action = actions.add_parser(name, help=words)
            action.add_argument("file", type=Path, metavar="FILE", help="a signed pack")
            if name == "check":
                unsigned = "FILE is a document that is not signed yet"
                action.add_argument("--unsigned", action="store_true", help=unsigned)
        actions.add_parser("revert", help="go back to the pack before")
        look = actions.add_parser("look", help="ask STORYKEEP_PROTOCOL_URL for a newer one")
        look.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *_args: str, **options: Any) -> None:
        """Do it; a refusal is a CommandError with code 1."""
        # The parts log which pack they took; here it is said once, in the command's own words.
        logging.disable(logging.WARNING)
        try:
            match options["action"]:
                case "show":
                    self._show(as_json=options["as_json"])
                case "check":
                    self._check(_read(options["file"]), unsigned=options["unsigned"])
                case "import":
                    pack = protocol.store(_read(options["file"]), PackOrigin.FILE)
                    self._tell(f"{pack.version} is in use")
                case "revert":
                    self._revert()
                case _:
                    self._look(as_json=options["as_json"])
        except PackRefused as error:
            checked = options["action"] == "check" and error.reason == "unsigned"
            more = "; --unsigned looks at it" if checked else ""
            raise CommandError(f"refused: {error}{more}", returncode=REFUSED) from error
        except protocol.PackChanged as error:
            raise CommandError("another pack is in use by now", returncode=REFUSED) from error
        finally:
            logging.disable(logging.NOTSET)

    def _tell(self, text: str) -> None:
        self.stdout.write(text)

    def _show(self, *, as_json: bool) -> None:
        state, rows = protocol.look(at_once=True), protocol.history()
        if as_json:
            self._tell(json.dumps(_as_dict(state, rows), indent=2))
            return
        source = f"imported {state.imported_at:%Y-%m-%d}" if state.imported_at else "built in"
        self._tell(f"{state.pack.version} is in use ({source}), made {state.pack.made_at:%Y-%m-%d}")
        if state.pack.note:
            self._tell(f"  {state.pack.note}")
        if state.refused:
            self._tell(f"{state.unused} is not used: {state.refused}")
        if state.imported_at:
            self._tell(f"{built_in().version} is built in")
        for row in rows:
            if not row.active:
                went = "somebody went back from it" if row.dropped_at else "can be gone back to"
                self._tell(f"{row.version}: {went}")

    def _check(self, content: bytes, *, unsigned: bool) -> None:
        """Say what a pack would change; content: an envelope, or a document that is unsigned."""
        if unsigned:
            pack = parse(content, built_in())
            check_newer(pack, protocol.look(at_once=True).pack.version)
            found = differences_of(content)
        else:
            pack, found = protocol.check(content), protocol.differences(content)
        self._tell(f"{pack.version} can be {'signed' if unsigned else 'imported'}")
        if pack.note:
            self._tell(f"  {pack.note}")
        self._tell_differences(found)

    def _tell_differences(self, found: Differences) -> None:
        if not found.count:
            self._tell("It says what the built-in one says.")
            return
        places = "1 place" if found.count == 1 else f"{found.count} places"
        self._tell(f"It differs from the built-in one in {places}:")
        marked = [
            *(f"+ {place}" for place in found.added),
            *(f"~ {place}" for place in found.changed),
            *(f"- {place}" for place in found.removed),
        ]
        for line in marked[:_SHOWN]:
            self._tell(f"  {line}")
        if len(marked) > _SHOWN:
            self._tell(f"  and {len(marked) - _SHOWN} more")

    def _revert(self) -> None:
        active = next((row.version for row in protocol.history() if row.active), "")
        if not active:
            raise CommandError("the built-in pack is in use already", returncode=REFUSED)
        pack = protocol.revert(active)
        self._tell(f"{pack.version} is in use")

    def _look(self, *, as_json: bool) -> None:
        outcome = protocol_look.look_for_newer(PackOrigin.ADDRESS)
        if as_json:
            facts = {"version": outcome.version, "reason": outcome.reason, "said": outcome.said}
            self._tell(json.dumps(facts))
        elif outcome.version:
            self._tell(f"{outcome.version} is in use")
        elif not outcome.failed:
            self._tell(f"nothing newer: {outcome.said}")
        else:
            where = "STORYKEEP_PROTOCOL_URL: " if outcome.reason == "unavailable" else ""
            raise CommandError(f"{where}{outcome.said}", returncode=REFUSED)
        sys.exit(REFUSED if outcome.failed else 0)


def _as_dict(state: protocol.State, rows: list[Any]) -> dict[str, Any]:
    return {
        "version": str(state.pack.version),
        "made_at": state.pack.made_at.isoformat(),
        "built_in": str(built_in().version),
        "imported_at": state.imported_at.isoformat() if state.imported_at else None,
        "unused": state.unused,
        "refused": state.refused.reason if state.refused else "",
        "kept": [row.version for row in rows],
    }


def _read(path: Path) -> bytes:
    """The bytes of a file, at most one more than a pack has. Raises CommandError."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_ENVELOPE_BYTES + 1)
    except OSError as error:
        name = clean_text(str(path), 200)
        raise CommandError(f"{name}: {error.strerror}", returncode=BAD_INPUT) from error
