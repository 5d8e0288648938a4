"""From pasted lines to a job with its items, all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser

from jobs.models import Audio, Item, Job, Prefer
from stories.errors import NotUnderstood
from stories.structures import Target


class EmptySubmission(NotUnderstood):
    """Nothing was pasted. Shares its code with a line that is not understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to save and how; the same for every line of a job."""

    prefer: Prefer = Prefer.COMPATIBLE
    posts: bool = False
    audio: Audio = Audio.NONE


def submit(
    owner: AbstractBaseUser,
    lines: Sequence[str],
    *,
    note: str = "",
    options: Options = Options(),
    idempotency_key: str | None = None,
) -> Job:
    """Make a job of these lines and queue it. Text pasted as a whole goes through
    `stories.targets.find_lines` first.

    A refused line becomes a FAILED item at once and harms no other; the same thing twice is one
    item. With an idempotency_key this owner used before, returns that job. Raises EmptySubmission,
    BatchTooLong (its detail says the limit), DiskFull, QuotaExceeded.
    """
    raise NotImplementedError


def target_of(item: Item) -> Target:
    """The target an item was made for. Raises NotUnderstood for a refused line."""
    raise NotImplementedError
