"""The check of the library: whether something waits for it, and why.

Told from rows, for the folder may be mounted where the workers are and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.db.models import Count, Max
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
    media = LibraryCopy.objects.filter(role=CopyRole.MEDIA)
    waiting = media.filter(state=CopyState.WAITING).exclude(reason="")
    unsent = media.filter(send_state=SendState.WAITING).exclude(send_reason="")
    written = waiting.aggregate(count=Count("pk"), reason=Max("reason"))
    sent = unsent.aggregate(count=Count("pk"), reason=Max("send_reason"))
    if written["count"]:
        said = ngettext_lazy("{n} file waits: {why}", "{n} files wait: {why}", written["count"])
        yield Finding(
            "library",
            Verdict.WARN,
            format_lazy(said, n=written["count"], why=_reason(written["reason"])),
            _("See whether the folder of STORYKEEP_LIBRARY_DIR is there and can be written."),
        )
    elif sent["count"]:
        said = ngettext_lazy(
            "{n} file waits for Immich: {why}", "{n} files wait for Immich: {why}", sent["count"]
        )
        yield Finding(
            "library",
            Verdict.WARN,
            format_lazy(said, n=sent["count"], why=_reason(sent["reason"])),
            _("See whether Immich runs, and STORYKEEP_IMMICH_URL is its address."),
            reason="immich",
        )
    else:
        yield Finding("library", Verdict.OK, _("nothing waits for it"))


def _reason(reason: str) -> str:
    """Why, within a sentence."""
    return library_words.words(reason).rstrip(".") or reason
