"""The one sentence the overview opens with: the worst that is true of the instance right now.

A pure function of the dashboard and the problems: it says nothing that what stands below it does
not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.ops.dashboard import Dashboard
from jobs.upstream.pauses import Pause
from jobs.wording import age

FINE: Final = "fine"
WARN: Final = "warn"
BAD: Final = "bad"
_EVENING: Final = 18
_MORNING: Final = 9
"""Local hours between which something happened at night."""
_FORENOON: Final = 14
"""Until this local hour the night before is last night."""


@dataclass(frozen=True, slots=True)
class Headline:
    """tone: FINE, WARN or BAD. text, more: sentences in the active language; no more is ""."""

    tone: str
    text: str
    more: str = ""


def headline(now: Dashboard, problems: int = 0, worst: str = "") -> Headline:
    """What to tell first. problems: how many findings wait to be fixed. worst: a sentence on what
    of these does not work at all; "" for nothing."""
    stopped = _stopped(now)
    if stopped:
        return Headline(BAD, stopped)
    slower = _slower(now)
    if slower:
        return Headline(WARN, slower)
    if worst:
        return Headline(BAD, worst)
    failures = _failures(now)
    if now.pauses:
        return Headline(FINE, _slowed_down(now), failures)
    if failures:
        return Headline(FINE, _("Everything is running."), failures)
    if problems:
        words = ngettext(
            "Everything is running; %(n)d thing needs a look.",
            "Everything is running; %(n)d things need a look.",
            problems,
        )
        return Headline(FINE, words % {"n": problems})
    return Headline(FINE, _("Everything is fine."))


def _stopped(now: Dashboard) -> str:
    """Why nothing new is saved at all; "" while something is."""
    if now.workers is None:
        return _("Redis does not answer: nothing new is being saved.")
    if now.redis_reason:
        return _("Redis cannot be written to: nothing new is being saved.")
    if not now.workers_alive:
        return _("No worker is online: nothing is being saved.")
    if now.disk is None:
        return _(
            "The folder for saved files cannot be found: nothing is being saved. Links wait and "
            "go on by themselves."
        )
    if now.disk_reason in {"not_writable", "no_more_files"}:
        return _(
            "The disk cannot be written to: nothing is being saved. Links wait and go on by "
            "themselves."
        )
    if now.disk.full:
        return _("The disk is full: nothing new can be saved.")
    if now.queue_late:
        words = _("A link has waited for %(age)s although a worker is online.")
        return words % {"age": age(now.queue.oldest_due_since)}
    return ""


def _slower(now: Dashboard) -> str:
    """What is slower or later than it should be; "" for nothing."""
    if now.breaker_open:
        waiting = now.queue.waiting_for_tiktok
        if not waiting and now.queue.waiting:  # for something else, which is told below
            return _("TikTok is refusing this server; no link is waiting for that.")
        if not waiting:
            return _("TikTok is refusing this server; no link is waiting.")
        words = ngettext(
            "TikTok is refusing this server; %(n)d link is waiting and will continue on its own.",
            "TikTok is refusing this server; %(n)d links are waiting and will continue on "
            "their own.",
            waiting,
        )
        return words % {"n": waiting}
    if now.workers_missing:
        words = _("Only %(alive)d of %(wanted)d workers are online.")
        return words % {"alive": now.workers_alive, "wanted": now.workers_wanted}
    if now.sweep_late:
        return _("The clean-up is overdue: files may stay longer than they should.")
    if now.clock_difference:
        return f"{now.clock_difference}."
    return ""


def _failures(now: Dashboard) -> str:
    """How many links failed lately; "" for none."""
    words = ngettext(
        "%(failed)d of %(n)d link failed in the last 24 hours.",
        "%(failed)d of %(n)d links failed in the last 24 hours.",
        now.outcomes.settled,
    )
    failed = now.outcomes.failed
    return words % {"failed": failed, "n": now.outcomes.settled} if failed else ""


def _slowed_down(now: Dashboard) -> str:
    """How often TikTok refused this server lately, and what came of the links that waited."""
    times = len(now.pauses)
    when = _("last night") if _at_night(now, now.pauses) else _("in the last 24 hours")
    words = ngettext(
        "TikTok slowed us down once %(when)s",
        "TikTok slowed us down %(n)d times %(when)s",
        times,
    ) % {"n": times, "when": when}
    waited = sum(pause.waited for pause in now.pauses)
    if not waited:
        return f"{words}."
    still = now.queue.waiting_for_tiktok
    if not still:
        links = ngettext("%(n)d link waited and went on", "%(n)d links waited and went on", waited)
        return f"{words}; {links % {'n': waited}}."
    links = ngettext("%(n)d link waited", "%(n)d links waited", waited) % {"n": waited}
    rest = ngettext("and %(n)d still waits", "and %(n)d still wait", still) % {"n": still}
    return f"{words}; {links} {rest}."


def _at_night(now: Dashboard, pauses: Sequence[Pause]) -> bool:
    """Whether all of it happened in the night before this day, on the reader's clock."""
    today = timezone.localtime(now.now)
    if today.hour >= _FORENOON:
        return False
    morning = today.replace(hour=_MORNING, minute=0, second=0, microsecond=0)
    evening = morning - timedelta(hours=24 + _MORNING - _EVENING)
    return all(evening <= pause.since and pause.until <= min(morning, now.now) for pause in pauses)
