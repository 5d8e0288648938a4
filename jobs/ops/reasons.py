"""Why a line, a story or a ZIP waits or failed, for the person who runs the instance: what
happened, what to try, and whether and when another attempt helps. Of codes alone, so nothing here
tells what was fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from jobs.errors import message_and_hint, retry_may_help
from jobs.models import Item, Package, Story
from jobs.states import ItemState

S = ItemState


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A row's reason, in the active language.

    message: what happened. hint: what to try; "" for nothing. retry: whether another attempt helps;
    "" while next_at says it: when it happens by itself; None when it does not, or at any moment.
    """

    code: str
    message: str
    hint: str
    retry: str
    next_at: datetime | None = None


def of_story(story: Story) -> Reason | None:
    """Why a story is not, or not all, here; None for one that has no reason stored."""
    return _untimed(story.state, story.error_code)


def of_package(package: Package) -> Reason | None:
    """Why a ZIP was not packed; None for one that has no reason stored."""
    return _untimed(package.state, package.error_code)


def _untimed(state: str, code: str) -> Reason | None:
    if not code:
        return None
    message, hint = message_and_hint(code)
    retry = _retry_words(state, code, waits=False)
    return Reason(code=code, message=message, hint=hint, retry=retry)


def of_item(item: Item, now: datetime) -> Reason | None:
    """Why a line waits, failed or brought nothing; None for one that has no reason stored."""
    code = item.error_code
    if not code:
        return None
    message, hint = message_and_hint(code)
    next_at = item.not_before if item.state == S.QUEUED else None
    if next_at is not None and next_at <= now:
        next_at = None
    return Reason(
        code=code,
        message=message,
        hint=hint,
        retry=_retry_words(item.state, code, waits=next_at is not None),
        next_at=next_at,
    )


def _retry_words(state: str, code: str, *, waits: bool) -> str:
    if state == S.QUEUED:
        return "" if waits else _("It tries again by itself soon.")
    if state == S.RUNNING:
        return _("Another attempt is running.")
    if state == S.CANCELLED:
        return _("It was cancelled; send the link again to try it.")
    if retry_may_help(state, code):
        return _("A retry can help.")
    return _("A retry does not help.")
