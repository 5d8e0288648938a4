"""Words for why something waits, or was given up, in the library and at Immich."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

WORDS: Final[Mapping[str, Promise]] = {
    "away": _("The library’s folder is not there. Is its disk mounted?"),
    "full": _("The library’s disk is full."),
    "readonly": _("Storykeep may not write to the library’s folder."),
    "disk": _("The library’s disk does not answer."),
    "storage": _("The saved files do not answer."),
    "gone": _("The files were deleted before they could be copied."),
    "damaged": _("The saved file was damaged."),
    "taken": _("Other files have all the names."),
    "internal": _("An internal error."),
    "unreachable": _("Immich does not answer."),
    "key_refused": _("Immich does not accept the key, or the key may not upload."),
    "album_refused": _("The key may not use albums. The files are at Immich all the same."),
    "album_failed": _(
        "Immich did not put everything into the album. The files are there all the same."
    ),
    "key_unreadable": _("The key cannot be read any more. Paste it again."),
    "no_room": _("Your quota at Immich is used up. What waits is tried again once an hour."),
    "not_now": _("Immich takes none of your files now. What waits is tried again once an hour."),
    "not_taken": _("Immich does not take this file."),
    "immich_failed": _("Immich’s answer was not understood."),
    "changed": _("The file in the library was changed or removed."),
}
"""Reason, as rows have it → a sentence."""


def words(reason: str) -> str:
    """The sentence for a reason; "" for none that is known."""
    return str(WORDS.get(reason, ""))
