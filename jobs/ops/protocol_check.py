"""The check of the protocol pack: which one is in use, how old, and whether newer ones come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from jobs.ephemeral.connection import RedisUnavailable
from jobs.ops.findings import Finding, Verdict
from jobs.ops.pack_reasons import at_the_end
from jobs.upstream import protocol, protocol_look

FAILING_FOR: Final = timedelta(days=14)
"""Looks that fail for so long are a problem: an address may be away for days."""


def check_protocol() -> Iterator[Finding]:
    """The protocol pack: which is in use, and is anything wrong with another one?"""
    state = protocol.look(at_once=True)
    if not protocol.in_use.known:
        message = _("not known while the database does not answer")
        yield Finding("protocol", Verdict.FAIL, message, known=False)
        return
    if state.refused is not None and state.refused.reason != "older_than_built_in":
        said = _("{version} is in use, for {unused} cannot be: {why}")
        facts = {"version": str(state.pack.version), "unused": state.unused}
        yield Finding(
            "protocol",
            Verdict.WARN,
            format_lazy(said, why=at_the_end(state.refused.reason), **facts),
            _("Import that one again, or a newer one, or go back from it."),
            reason="unused",
        )
        return
    failing = _failing()
    if failing is not None:
        yield failing
        return
    days = max(0, (timezone.now() - state.pack.made_at).days)
    age = (
        ngettext_lazy("{version}, imported, {n} day old", "{version}, imported, {n} days old", days)
        if state.imported_at
        else ngettext_lazy(
            "{version}, built in, {n} day old", "{version}, built in, {n} days old", days
        )
    )
    message = format_lazy(age, version=str(state.pack.version), n=days)
    yield Finding("protocol", Verdict.OK, message)


def _failing() -> Finding | None:
    """The finding that weekly looks have failed for long; None when they have not."""
    if settings.STORYKEEP.protocol_updates == "off":
        return None
    try:
        last = protocol_look.last()
    except RedisUnavailable:
        return None
    now = timezone.now()
    if last.failing_since is None or now - last.failing_since < FAILING_FOR:
        return None
    days = (now - last.failing_since).days
    message = ngettext_lazy(
        "no look for a newer one has worked for {n} day: {why}",
        "no look for a newer one has worked for {n} days: {why}",
        days,
    )
    return Finding(
        "protocol",
        Verdict.WARN,
        format_lazy(message, n=days, why=at_the_end(last.reason)),
        _("Check STORYKEEP_PROTOCOL_URL, or set STORYKEEP_PROTOCOL_UPDATES=off."),
        reason="look",
    )
