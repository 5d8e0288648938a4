"""Authors that are remembered, in Redis, although no line is about them any more: they are dropped.

Accounts are remembered for a day, so that a name is looked up once. Once every line about an
account was erased, nobody is to find there whom they were about.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from jobs.ephemeral.connection import RedisUnavailable
from jobs.models import Item
from jobs.upstream import identities

_USER: Final = "user:"
"""What a line's key begins with when it asks for a name (`Target.key`)."""
_BATCH: Final = 500


def drop_unneeded() -> int:
    """Drop the accounts that no line is about which is open or was settled within a day; how many.

    One dropped too soon is looked up once more. While Redis is away nothing is done: the sweep
    calls again.
    """
    try:
        names = identities.remembered()
        unneeded = sorted(set(names) - _needed(names))
        if unneeded:
            identities.drop(unneeded)
    except RedisUnavailable:
        return 0
    return len(unneeded)


def _needed(names: Sequence[str]) -> set[str]:
    since = timezone.now() - timedelta(seconds=identities.KEPT_S)
    recent = Item.objects.kept().filter(Q(settled_at=None) | Q(settled_at__gte=since))
    needed: set[str] = set()
    for start in range(0, len(names), _BATCH):
        some = names[start : start + _BATCH]
        of_author = recent.annotate(name=Lower("author_name")).filter(name__in=some)
        needed.update(of_author.values_list("name", flat=True))
        asked = recent.filter(key__in=[f"{_USER}{name}" for name in some])
        needed.update(key.removeprefix(_USER) for key in asked.values_list("key", flat=True))
    return needed
