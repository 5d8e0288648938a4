"""A person's feed: who may read it by its secret, and the stories in it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import FeedAddress, Job, Story
from jobs.states import ItemState

STORIES: Final = 50
"""The most stories in a feed, the newest."""
_JOBS: Final = 50
"""Those of a person's newest jobs are looked at, so that a long history costs no more."""
_SECRET_LENGTH: Final = 100


def _digest(secret: str) -> str:
    # The secret is 32 random bytes: nothing to guess, so a plain hash is enough.
    return hashlib.sha256(secret.encode()).hexdigest()


def address_of(owner_id: int) -> FeedAddress | None:
    """The row of a person's feed; None where it is off."""
    return FeedAddress.objects.filter(owner_id=owner_id).first()


def renew(owner_id: int) -> str:
    """Switch a person's feed on, at a new address; its secret, which can never be read again. An
    earlier address leads nowhere from now on."""
    secret = secrets.token_urlsafe(32)
    FeedAddress.objects.update_or_create(
        owner_id=owner_id, defaults={"digest": _digest(secret), "created_at": timezone.now()}
    )
    return secret


def switch_off(owner_id: int) -> None:
    """Switch a person's feed off. Twice is harmless."""
    FeedAddress.objects.filter(owner_id=owner_id).delete()


def reader_of(secret: str) -> User | None:
    """Whose feed a secret opens; None for an unknown one, and for people who are blocked."""
    if len(secret) > _SECRET_LENGTH:
        return None
    digest = _digest(secret)
    return User.objects.filter(feed__digest=digest, is_active=True).first()


def saved_stories(owner_id: int) -> Sequence[Story]:
    """A person's newest saved stories, newest first; their lines come along."""
    newest = Job.objects.filter(owner_id=owner_id).order_by("-created_at", "-id")
    jobs = list(newest.values_list("pk", flat=True)[:_JOBS])
    stories = Story.objects.filter(
        item__job__in=jobs,
        state__in=[ItemState.DONE, ItemState.PARTIAL],
        captured_at__isnull=False,
    )
    return list(stories.select_related("item").order_by("-captured_at", "-pk")[:STORIES])
