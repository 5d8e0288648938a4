"""The check of the library: whether something waits for it, and why.

Told from rows, for the folder may be mounted where the workers are and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.db.models import Count, Max, Q
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from jobs import library_words
from jobs.models import CopyRole, CopyState, LibraryCopy, SendState
from jobs.ops.findings import Finding, Verdict


def check_library() -> Iterator[Finding]:
    """The library, where there is one: does it take files, and does Immich?"""
    if settings.STORYKEEP.library_dir is None:
        return
    rows = LibraryCopy.objects.filter(role=CopyRole.MEDIA)
    waiting = Q(state=CopyState.WAITING) & ~Q(reason="")
    unsent = Q(send_state=SendState.WAITING, state=CopyState.KEPT) & ~Q(send_reason="")
    sums = rows.aggregate(
        kept=Count("pk", filter=Q(state=CopyState.KEPT)),
        waiting=Count("pk", filter=waiting),
        reason=Max("reason", filter=waiting),
        unsent=Count("pk", filter=unsent),
        send_reason=Max("send_reason", filter=unsent),
    )
    if sums["waiting"]:
        said = ngettext_lazy("{n} file waits: {why}", "{n} files wait: {why}", sums["waiting"])
        yield Finding(
            "library",
            Verdict.WARN,
            format_lazy(said, n=sums["waiting"], why=_reason(sums["reason"])),
            _("See whether the folder of STORYKEEP_LIBRARY_DIR is there and can be written."),
        )
    elif sums["unsent"]:
        said = ngettext_lazy(
            "{n} file waits for Immich: {why}", "{n} files wait for Immich: {why}", sums["unsent"]
        )
        yield Finding(
            "library",
            Verdict.WARN,
            format_lazy(said, n=sums["unsent"], why=_reason(sums["send_reason"])),
            _("See whether Immich runs, and STORYKEEP_IMMICH_URL is its address."),
            reason="immich",
        )
    else:
        said = ngettext_lazy("{n} file kept", "{n} files kept", sums["kept"])
        yield Finding("library", Verdict.OK, format_lazy(said, n=sums["kept"]))


def _reason(reason: str) -> str:
    """Why, within a sentence."""
    return library_words.words(reason).rstrip(".") or reason
