"""Findings and the report of a diagnosis: value objects and their words, safe to paste in public.

Words are lazy: the same report can be written in two languages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from django.utils import translation
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy, pgettext_lazy

from jobs.errors import message_and_hint
from jobs.wording import size
from stories.site_clock import WORTH_TELLING_S

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    LazyStr = str | _StrPromise


class Verdict(StrEnum):
    """The outcome of a check. NOTE: information alone, nothing to judge."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    NOTE = "note"


PARTS: Final[dict[str, LazyStr]] = {
    "database": _("database"),
    "redis": "Redis",
    "worker": _("worker"),
    "queue": _("queue"),
    "scheduler": _("scheduler"),
    "disk": _("disk"),
    "library": _("library"),
    "clock": _("clock (Redis)"),
    "dbclock": _("clock (PostgreSQL)"),
    "siteclock": _("clock (TikTok)"),
    "failures": _("failures"),
    "proxy": _("proxy"),
    "pause": _("pause"),
    "protocol": _("protocol"),
    "identity": _("identity"),
    "ways": _("ways"),
    "hosts": _("media hosts"),
    "tiktok": "TikTok",
    "profile": _("profile"),
    "list": _("list"),
    "media": _("media"),
}
"""The parts that are checked, by the name a finding carries."""

VERDICTS: Final[dict[Verdict, LazyStr]] = {
    Verdict.OK: pgettext_lazy("verdict", "ok"),
    Verdict.WARN: pgettext_lazy("verdict", "warning"),
    Verdict.FAIL: pgettext_lazy("verdict", "failed"),
    Verdict.NOTE: pgettext_lazy("verdict", "note"),
}

FORMS: Final[dict[str, LazyStr]] = {
    "a JPEG picture": _("a JPEG picture"),
    "a PNG picture": _("a PNG picture"),
    "a WebP picture": _("a WebP picture"),
    "an AVIF picture": _("an AVIF picture"),
    "a HEIC picture": _("a HEIC picture"),
    "an MP4 file": _("an MP4 file"),
    "an M4A file": _("an M4A file"),
}
"""File formats, by the name `stories` gives them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check on one part, a key of PARTS.

    hint: what to try, "" for nothing. reason: which of several things is wrong, as a bare word; ""
    where a check tells one alone. known: False when the check itself could not be made.
    """

    part: str
    verdict: Verdict
    message: LazyStr
    hint: LazyStr = ""
    reason: str = ""
    known: bool = True

    @property
    def title(self) -> str:
        """The part in words, in the active language."""
        return str(PARTS.get(self.part, self.part))

    def as_dict(self) -> dict[str, str]:
        """The finding as JSON, in the active language. title, judged: part, verdict in words.

        reason: a code, of TikTok's steps that of the error.
        """
        return {
            "part": self.part,
            "title": self.title,
            "verdict": self.verdict.value,
            "judged": str(VERDICTS[self.verdict]),
            "said": str(self.message),
            "hint": str(self.hint),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All findings of a diagnosis. about: versions, and the route of outbound requests."""

    at: datetime
    about: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True when no check failed."""
        return all(finding.verdict is not Verdict.FAIL for finding in self.findings)

    def __str__(self) -> str:
        lines = [self.about]
        width = max((len(finding.title) for finding in self.findings), default=0)
        for finding in self.findings:
            lines.append(f"{finding.verdict:<5} {finding.title:<{width}} {finding.message}")
            if finding.hint:
                lines.append(f"{'':<{6 + width}} {finding.hint}")
        return "\n".join(lines)

    def as_dict(self, language: str | None = None) -> dict[str, Any]:
        """The report as JSON. language: of the findings; the text is in the process's own."""
        with translation.override(language or translation.get_language()):
            findings = [finding.as_dict() for finding in self.findings]
        return {
            "at": self.at.isoformat(timespec="seconds"),
            "about": self.about,
            "ok": self.ok,
            "findings": findings,
            "text": str(self),
        }


# --- words for messages -------------------------------------------------------------------------


def short_duration(seconds: float) -> str:
    """The time an answer took: `420 ms` below ten seconds, `12 s` above."""
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.0f} s"


def short_span(span: timedelta) -> str:
    """A span of time in whole seconds, minutes or hours: `90 s`, `5 min`, `3 h`; never negative."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def clock_difference(
    ahead_s: float | None, whose: str = "TikTok", agrees_s: float = WORTH_TELLING_S
) -> LazyStr | None:
    """A sentence on how far this server's clock is off another; None while they agree, or nobody
    knows.

    ahead_s: seconds, negative when it is behind. whose: the other clock. agrees_s: seconds that are
    no difference yet.
    """
    if ahead_s is None or abs(ahead_s) <= agrees_s:
        return None
    seconds = abs(ahead_s)
    days = round(seconds / 86_400)
    span: LazyStr = short_span(timedelta(seconds=seconds))
    if days >= 2:
        span = format_lazy(ngettext_lazy("{n} day", "{n} days", days), n=days)
    if ahead_s > 0:
        said = _("This server's clock is {span} ahead of {whose}'s")
    else:
        said = _("This server's clock is {span} behind {whose}'s")
    return format_lazy(said, span=span, whose=whose)


def _size(size_bytes: int) -> str:
    return size(size_bytes).replace("\N{NO-BREAK SPACE}", " ")


def _error_words(code: str, *, message: bool = True, hint: bool = True) -> str:
    said, advice = message_and_hint(code)
    return f"{said if message else ''} {advice if hint else ''}".strip()


lazy_size: Final[Callable[..., LazyStr]] = lazy(_size, str)
"""`lazy_size(size_bytes)`: a size as pages show it, with an ordinary space."""
lazy_error_words: Final[Callable[..., LazyStr]] = lazy(_error_words, str)
"""`lazy_error_words(code, message=True, hint=True)`: an error code's message and hint."""
