"""Masking: the admin does not show what people fetched unless this instance is set to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from django.conf import settings
from django.db.models import Model

from jobs.errors import BY_CODE
from jobs.models import Artifact, Item, Job, Story, Watch
from stories.errors import AccessError, InputError

MASKED_FIELDS: Final[dict[type[Model], tuple[str, ...]]] = {
    Job: ("note", "idempotency_key", "idempotency_fingerprint"),
    Item: (
        "line",
        "target",
        "key",
        "fetch_key",
        "author_id",
        "author_name",
        "author_nickname",
        "only_ids",
    ),
    Story: ("tiktok_id", "caption", "source_url"),
    Artifact: ("name", "sha256"),
    Watch: ("account", "name", "nickname", "note", "seen"),
}
"""The fields that tell what was fetched, or that a job's owner wrote."""

MASK: Final = "•••"
_MASKED_NAMES: Final = {name for names in MASKED_FIELDS.values() for name in names} | {
    "error_detail"
}
_NAME: Final = re.compile(r"@[\w.-]+")
_LONG: Final = re.compile(r"\d{12,}|[\w%+/=~]{24,}", re.ASCII)
_MIN_WORD_LENGTH: Final = 3


def targets_shown() -> bool:
    """Whether this instance shows the admin what people fetched."""
    shown: bool = settings.STORYKEEP.show_targets
    return shown


def reveals_target(lookup: str) -> bool:
    """Whether filtering by this lookup would reveal a masked field, guess by guess."""
    return not _MASKED_NAMES.isdisjoint(lookup.split("__"))


def mask_detail(code: str, text: str, known: Iterable[str] = ()) -> str:
    """An error's detail as the admin sees it. known: words of the line that are masked in it."""
    if targets_shown() or not text:
        return text
    error_class = BY_CODE.get(code)
    if error_class is not None and issubclass(error_class, AccessError | InputError):
        return MASK  # these quote the line or name the account
    text = _NAME.sub(f"@{MASK}", text)
    words = [word for word in known if len(word) >= _MIN_WORD_LENGTH]
    for word in sorted(words, key=len, reverse=True):
        text = re.sub(re.escape(word), MASK, text, flags=re.IGNORECASE)
    return _LONG.sub(MASK, text)
