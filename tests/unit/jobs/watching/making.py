"""Watches, looks and listed stories, as short as tests want them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from jobs.models import Watch, WatchedAccount, WatchState
from jobs.watching import looks
from jobs.watching.looks import Look
from jobs.watching.outcome import Sight
from stories.left_out import LeftOutReason
from stories.structures import Author, Media, MediaKind, Story, StoryKind
from tests.factories import make_user

ANNA = Author(id="6812345678901234567", name="anna", nickname="Anna", sec_uid="MS4wAnna")


def account(author: Author = ANNA, **facts: Any) -> WatchedAccount:
    """The row of an account that is known, made once."""
    fields = {"name": author.name, "sec_uid": author.sec_uid or ""} | facts
    row, _made = WatchedAccount.objects.get_or_create(tiktok_id=author.id, defaults=fields)
    return row


def watching(owner: str = "nora", of: WatchedAccount | None = None, **facts: Any) -> Watch:
    """A watch that is due, of an admin, whose account is known where it has an id."""
    user = make_user(owner, is_staff=True)
    now = timezone.now()
    of = of or account()
    fields: dict[str, Any] = {
        "name": of.name if of.tiktok_id else "",
        "every_s": 6 * 3600,
        "state": WatchState.ACTIVE,
        "next_at": now - timedelta(minutes=1),
        "renew_by": now + timedelta(days=30),
    }
    return Watch.objects.create(owner=user, account=of, **(fields | facts))


def claimed(watch: Watch) -> Look:
    """A look at the account of a watch that is due."""
    look = looks.claim(watch.account_id)
    assert look is not None
    return look


def story(number: int = 1, age: timedelta = timedelta(hours=1)) -> Story:
    """A listed photo story, posted so long ago; its id tells when."""
    posted_at = datetime.now(UTC).replace(microsecond=0) - age
    return Story(
        id=str(int(posted_at.timestamp()) << 32 | number),
        kind=StoryKind.PHOTO,
        author=ANNA,
        posted_at=posted_at,
        leaves_at=posted_at + timedelta(hours=24),
        caption="",
        media=(Media(kind=MediaKind.PICTURE, position=1, variants=()),),
    )


def sight(
    stories: Sequence[Story] = (), /, author: Author = ANNA, left_out: Sequence[str] = ()
) -> Sight:
    """A list with these stories. left_out: reasons, each for one that is not among them."""
    counts = {LeftOutReason(reason): 1 for reason in left_out}
    return Sight(author=author, stories=stories, left_out=counts)
