"""Plain functions that make watched accounts, and what was found at them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import Artifact, Job, Watch, WatchedAccount, WatchState
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def make_watch(owner: User, name: str = "nora", **facts: Any) -> Watch:
    """A watch that was looked at an hour ago; `tiktok_id=""` for one whose first look is to come.

    The account is the one of that name, made once.
    """
    now = timezone.now()
    account_facts = {
        "tiktok_id": facts.pop("tiktok_id", f"7{abs(hash(name)) % 10**9}"),
        "nickname": facts.pop("nickname", ""),
    }
    is_known = bool(account_facts["tiktok_id"])
    known = {"name": name, "nickname": account_facts["nickname"]} if is_known else {}
    account, _ = WatchedAccount.objects.get_or_create(name=name, defaults=account_facts)
    defaults: dict[str, Any] = known | {
        "every_s": 21600,
        "state": WatchState.ACTIVE,
        "created_at": now - 3 * DAY,
        "next_at": now + 5 * HOUR,
        "looked_at": now - HOUR,
        "covered_until": now - HOUR,
        "renew_by": now + 27 * DAY,
    }
    return Watch.objects.create(owner=owner, account=account, **(defaults | facts))


def make_find(
    owner: User,
    name: str = "nora",
    *,
    stories: int = 1,
    until: datetime | None = None,
    **facts: Any,
) -> Job:
    """A settled job of a watch, with files that are kept until `until`, two days from now."""
    now = timezone.now()
    job = make_job(owner, settled_at=now, from_watch=True, **facts)
    ids = [str(7_400_000_000_000_000_000 + number) for number in range(stories)]
    item = make_item(
        job,
        name=name,
        state=ItemState.DONE,
        author_name=name,
        author_id="1",
        only_ids=" ".join(ids),
    )
    for story_id in ids:
        story = make_story(item, tiktok_id=story_id)
        make_artifact(story, content=b"bytes")
    Artifact.objects.filter(job=job).update(expires_at=until or now + 2 * DAY)
    return job
