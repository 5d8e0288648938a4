"""Why a protocol pack is not taken, or could not be looked for, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from jobs.ops.findings import LazyStr

REASONS: Final[dict[str, LazyStr]] = {
    "bad_signature": _("Its signature is wrong: it was changed, or damaged."),
    "dropped": _("Somebody here went back from it, or from a newer one."),
    "forbidden": _("It says something that no pack may say."),
    "foreign_host": _("It names a host that is none of TikTok's."),
    "malformed": _("Something in it is not as it should be."),
    "newer_app": _("It needs a newer version of Storykeep."),
    "no_address": _("No address is set to look at."),
    "not_json": _("It is not a protocol pack."),
    "older": _("It is older than the one in use."),
    "older_than_built_in": _("It is older than what this version of Storykeep knows by itself."),
    "same": _("It is in use already."),
    "too_large": _("It is too large."),
    "unavailable": _("The address does not answer as it should."),
    "unknown_field": _("It has a field that this version does not know."),
    "unknown_key": _("It is signed with a key that is not trusted here."),
    "unsigned": _("It is not signed."),
    "wrong_format": _("It has another format than this version reads."),
}
"""By `PackRefused.reason`, and by `Outcome.reason`."""


def in_words(reason: str) -> LazyStr:
    """A reason as a sentence."""
    return REASONS.get(reason, REASONS["malformed"])


def _without_full_stop(reason: str) -> str:
    return str(in_words(reason)).removesuffix(".")


at_the_end: Final[Callable[[str], LazyStr]] = lazy(_without_full_stop, str)
"""`at_the_end(reason)`: a reason as the last words of a finding, which has no full stop."""
