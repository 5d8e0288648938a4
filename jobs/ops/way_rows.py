"""The ways of asking TikTok as their table shows them: state, what they did lately, their share.

Words are lazy. A way that no longer works cannot hide behind one that does: `dead` finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy, pgettext_lazy

from jobs.ephemeral.connection import RedisUnavailable
from jobs.ops.findings import Finding, Verdict, short_span
from jobs.upstream import browser_budget, way_switches, ways
from jobs.upstream.ways import TRIES, WayRecord

if TYPE_CHECKING:
    from jobs.ops.findings import LazyStr


class WayState(StrEnum):
    """What a way does at the moment. SPENT: this hour's look-ups are used up."""

    ON = "on"
    RESTING = "resting"
    SPENT = "spent"
    OFF = "off"
    NOT_SET_UP = "not_set_up"


TITLES: Final[dict[str, LazyStr]] = {
    "direct": _("Direct"),
    "browser": _("Browser"),
    "gallery-dl": "gallery-dl",
}
"""What pages call a way, by its name."""

ABOUT: Final[dict[str, LazyStr]] = {
    "direct": _("Storykeep asks TikTok itself, the way a browser would. Fastest."),
    "browser": _("Chromium opens the page, so that TikTok's own scripts run. Slow."),
    "gallery-dl": _("A separate program that you install asks in its own manner."),
}

SET_UP: Final[dict[str, LazyStr]] = {
    "browser": _(
        "Install Chromium, set `STORYKEEP_BROWSER=local`, and restart. In containers it takes a "
        "sidecar: docs/deploy.md."
    ),
    "gallery-dl": _("Run `manage.py helper install gallery-dl`."),
}
"""What to do to have a way."""

_STATES: Final[dict[WayState, LazyStr]] = {
    WayState.ON: pgettext_lazy("a way of asking", "on"),
    WayState.RESTING: pgettext_lazy("a way of asking", "resting"),
    WayState.SPENT: pgettext_lazy("a way of asking", "used up for now"),
    WayState.OFF: pgettext_lazy("a way of asking", "off"),
    WayState.NOT_SET_UP: pgettext_lazy("a way of asking", "not set up"),
}
_NOT_INSTALLED: Final = pgettext_lazy("a way of asking", "not installed")

RECENT: Final = timedelta(days=1)
"""A way that was not asked for longer is not called dead: nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayRow:
    """A way. share: its part, in per cent, of the look-ups that were served within 24 hours; None
    while there were none. left, per_hour: of its look-ups this hour; None for one without a limit,
    and left also while nobody knows. switched_at, switched_by: of a way that is switched off.
    """

    record: WayRecord
    is_set_up: bool = True
    is_off: bool = False
    switched_at: datetime | None = None
    switched_by: str = ""
    share: int | None = None
    left: int | None = None
    per_hour: int | None = None

    @property
    def name(self) -> str:
        """Its stable name."""
        return self.record.name

    @property
    def title(self) -> LazyStr:
        """Its name for people."""
        return TITLES[self.name]

    @property
    def about(self) -> LazyStr:
        """One line on what it is."""
        return ABOUT[self.name]

    @property
    def how_to_set_up(self) -> LazyStr:
        """What to do to have it; "" for one that is there."""
        return "" if self.is_set_up else SET_UP.get(self.name, "")

    @property
    def is_on(self) -> bool:
        """Whether TikTok is asked by it."""
        return self.is_set_up and not self.is_off

    @property
    def state(self) -> WayState:
        """What it does."""
        if not self.is_set_up:
            return WayState.NOT_SET_UP
        if self.is_off:
            return WayState.OFF
        if self.left == 0:
            return WayState.SPENT
        return WayState.RESTING if self.record.resting_until else WayState.ON

    @property
    def state_words(self) -> LazyStr:
        """The state for people."""
        if self.name == "gallery-dl" and not self.is_set_up:
            return _NOT_INSTALLED
        return _STATES[self.state]

    @property
    def asked(self) -> int:
        """How often it was asked within 24 hours."""
        return self.record.served + self.record.refused + self.record.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class WayTable:
    """Every way, in the order they are asked. known: False while Redis is away, and with it what
    they did."""

    rows: tuple[WayRow, ...]
    known: bool = True

    @property
    def look_ups(self) -> int:
        """Look-ups that were served within 24 hours, by whichever way."""
        return sum(row.record.served for row in self.rows)


def read(now: datetime) -> WayTable:
    """The table as it is now. Raises DatabaseError."""
    known, left = True, None
    try:
        records = ways.records(now.timestamp())
        left = browser_budget.left()
    except RedisUnavailable:
        known, records = False, {name: WayRecord(name=name) for name in ways.NAMES}
    switches = way_switches.switches()
    there, off = way_switches.set_up(), way_switches.off()
    served = sum(record.served for record in records.values())
    rows = []
    for name, record in records.items():
        switch = switches.get(name) if name in off else None
        limited = name == "browser" and name in there
        rows.append(
            WayRow(
                record=record,
                is_set_up=name in there,
                is_off=name in off,
                switched_at=switch.changed_at if switch else None,
                switched_by=str(switch.changed_by or "") if switch else "",
                share=round(100 * record.served / served) if served else None,
                left=left if limited else None,
                per_hour=browser_budget.per_hour() if limited else None,
            )
        )
    return WayTable(rows=tuple(rows), known=known)


# --- a dead way beside a living one ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadWay:
    """A way that is on and brought nothing in its last TRIES tries, while another one served.

    since: the first of them. why: an error code, or the reason for which it broke. is_missing: it
    was not asked at all, since it was not there when it was needed.
    """

    name: str
    since: datetime
    why: str
    is_missing: bool = False


def dead(rows: Sequence[WayRow], now: datetime) -> tuple[DeadWay, ...]:
    """The ways that no longer work, hidden from members by the others."""
    found = []
    for row in rows:
        way = _missing(row, now) or _refused(row, now) if row.is_on else None
        others = (other.record.served_at for other in rows if other is not row)
        if way is not None and any(at is not None and at >= way.since for at in others):
            found.append(way)
    return tuple(found)


def _missing(row: WayRow, now: datetime) -> DeadWay | None:
    since = row.record.unready_at
    if since is None or not row.record.is_unready or now - since > RECENT:
        return None
    return DeadWay(name=row.name, since=since, why=row.record.unready_reason, is_missing=True)


def _refused(row: WayRow, now: datetime) -> DeadWay | None:
    record = row.record
    since, last = record.bad_since, record.asked_at
    if since is None or last is None or now - last > RECENT:
        return None
    if len(record.tries) < TRIES or "s" in record.tries:
        return None
    why = record.failed_reason if record.tries.endswith("f") else record.refused_code
    return DeadWay(name=row.name, since=since, why=why)


# --- in the diagnosis -----------------------------------------------------------------------------


def finding(
    table: WayTable, now: datetime, unready: Mapping[str, str] = MappingProxyType({})
) -> Finding:
    """All ways in one finding: state, share, last worked; a warning when one of them is dead.

    unready: name → why it cannot be asked right now, of those that are on.
    """
    message: LazyStr = ""
    for row in table.rows:
        said = _said(row, now, unready.get(row.name, "") if row.is_on else "")
        message = format_lazy("{before}; {said}", before=message, said=said) if message else said
    names = {row.name for row in table.rows if row.is_on and row.name in unready}
    names |= {way.name for way in dead(table.rows, now)}
    if not names:
        return Finding("ways", Verdict.OK, message)
    hint = format_lazy(
        _("Not working: {names}. Try `manage.py diagnose @name --way {name}`."),
        names=", ".join(sorted(names)),
        name=min(names),
    )
    return Finding("ways", Verdict.WARN, message, hint, reason="dead")


def _said(row: WayRow, now: datetime, unready: str) -> LazyStr:
    state: LazyStr = row.state_words
    if unready:
        state = format_lazy(_("on, but not ready ({why})"), why=unready)
    said: LazyStr = format_lazy("{name} {state}", name=row.name, state=state)
    if row.asked:
        counts = ngettext_lazy(
            "{said}, {n} of {asked} try within 24 h worked",
            "{said}, {n} of {asked} tries within 24 h worked",
            row.asked,
        )
        said = format_lazy(counts, said=said, n=row.record.served, asked=row.asked)
    if row.record.served_at:
        ago = short_span(now - row.record.served_at)
        said = format_lazy(_("{said}, last {ago} ago"), said=said, ago=ago)
    return said
