"""Switches of the ways of asking TikTok: an admin's, in the database, mirrored to Redis.

What asks TikTok runs on an event loop, which never touches the database: it hears from Redis
(jobs/upstream/ways.py). The mirror is written at each change and by the sweep.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from jobs.models import WaySwitch
from jobs.upstream import ways
from jobs.upstream.other_ways import OFF
from jobs.upstream.ways import ALWAYS, NAMES
from stories.helper.installed import current_version

logger = logging.getLogger(__name__)

_AGAIN: Final = 3
"""Times the mirror is written when somebody switches meanwhile."""


class LastWay(Exception):
    """No way would be on: TikTok could not be asked at all."""


def set_up() -> frozenset[str]:
    """The ways that somebody has set up on this machine, switched off or not."""
    found = {ALWAYS}
    if settings.STORYKEEP.browser.get_secret_value() != OFF:
        found.add("browser")
    if current_version(settings.STORYKEEP.helpers_dir) is not None:
        found.add("gallery-dl")
    return frozenset(found)


def switches() -> dict[str, WaySwitch]:
    """The switches that were ever used, by the name of their way."""
    rows = WaySwitch.objects.filter(name__in=NAMES).select_related("changed_by")
    return {row.name: row for row in rows}


def off() -> frozenset[str]:
    """The ways that are switched off. Where that would leave none, the one that needs no setting up
    is on: the others were there when it was switched off, and have gone since."""
    switched = frozenset(name for name, row in switches().items() if row.off)
    return switched if set_up() - switched else switched - {ALWAYS}


def switch(name: str, *, off: bool, by: Any) -> bool:
    """Switch a way off or on; whether that changed anything. by: the admin.

    Raises LastWay when no other way would be on, and KeyError for a way there is not.
    """
    if name not in NAMES:
        raise KeyError(name)
    with transaction.atomic():
        # All rows are there and locked, so that of two who switch at once one comes second.
        WaySwitch.objects.bulk_create(
            [WaySwitch(name=other) for other in NAMES], ignore_conflicts=True
        )
        rows = {row.name: row for row in WaySwitch.objects.select_for_update().order_by("name")}
        row = rows[name]
        if row.off == off:
            return False
        others_off = {other for other in NAMES if other != name and rows[other].off}
        if off and not set_up() - others_off - {name}:
            raise LastWay
        row.off, row.changed_at, row.changed_by = off, timezone.now(), by
        row.save(update_fields=["off", "changed_at", "changed_by"])
        transaction.on_commit(mirror)
    return True


def mirror() -> None:
    """Let every worker know what is switched off. Raises nothing: the next sweep does it again."""
    try:
        told = off()
        for _ in range(_AGAIN):
            ways.write_off(told)
            told, before = off(), told
            if told == before:
                return
    except DatabaseError as error:
        logger.warning("the switches of ways are not known: %s", type(error).__name__)
