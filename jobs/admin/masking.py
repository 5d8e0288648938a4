"""What people fetched stays masked in the admin, unless this instance is set to show it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from django.conf import settings
from django.db.models import Model

from jobs.errors import BY_CODE
from jobs.models import Artifact, Item, Job, Story
from stories.errors import AccessError, InputError

MASKED: Final[dict[type[Model], tuple[str, ...]]] = {
    Job: ("note", "idempotency_key"),
    Item: ("line", "target", "key", "fetch_key", "author_id", "author_name", "author_nickname"),
    Story: ("tiktok_id", "caption", "source_url"),
    Artifact: ("name", "sha256"),
}
"""The fields that tell what was fetched, or were written by who fetched it."""

DOTS: Final = "•••"
_ANYWHERE: Final = {name for names in MASKED.values() for name in names} | {"error_detail"}
_NAME: Final = re.compile(r"@[\w.-]+")
_LONG: Final = re.compile(r"\d{12,}|[\w%+/=~]{24,}", re.ASCII)
_SHORTEST: Final = 3


def shown() -> bool:
    """Is everything to be seen?"""
    shows: bool = settings.STORYKEEP.show_targets
    return shows


def tells(lookup: str) -> bool:
    """Would filtering by this tell, guess by guess, what is masked?"""
    return not _ANYWHERE.isdisjoint(lookup.split("__"))


def detail(code: str, text: str, known: Iterable[str] = ()) -> str:
    """An error's detail for the admin. known: words of the line that are masked in it, too."""
    if shown() or not text:
        return text
    kind = BY_CODE.get(code)
    if kind is not None and issubclass(kind, AccessError | InputError):
        return DOTS  # these quote the line or name the account
    text = _NAME.sub(f"@{DOTS}", text)
    for word in sorted(filter(lambda one: len(one) >= _SHORTEST, known), key=len, reverse=True):
        text = re.sub(re.escape(word), DOTS, text, flags=re.IGNORECASE)
    return _LONG.sub(DOTS, text)
