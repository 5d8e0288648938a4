"""The watched accounts' part of the pictures: a watch in each state, and what was found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import Item, WatchGap, WatchState
from jobs.states import ItemState
from tests.factories import make_item, make_job
from tests.watched import DAY, HOUR, make_find, make_watch

Shoot = Callable[..., bool]


def prepare(alice: User) -> None:
    """A watch in each state."""
    now = timezone.now()
    old = {"created_at": now - 20 * DAY}
    bakery = make_watch(alice, "harbour.bakery", nickname="Harbour Bakery 🥐", **old)
    make_find(alice, "harbour.bakery", stories=3, watch=bakery, until=now + 2.6 * DAY)
    trains = make_watch(
        alice, "night.trains", nickname="Night Trains", note="For the exhibition in spring",
        renew_by=now + 4 * DAY, covered_until=now - 27 * HOUR, error_code="timed_out", **old,
    )  # fmt: skip
    WatchGap.objects.create(watch=trains, begins_at=now - 4.4 * DAY, ends_at=now - 4.1 * DAY)
    garden = make_watch(alice, "tiny.garden", nickname="حديقة صغيرة", created_at=now - 3 * DAY)
    job = make_job(alice, from_watch=True, watch=garden)
    make_item(job, name="tiny.garden", only_ids="1 2", state=ItemState.QUEUED)
    rests = {"state": WatchState.PAUSED, "next_at": None}
    make_watch(alice, "a_very.long_name.of_an_account", **rests, **old)
    _fell_short(alice, now)
    first = {"tiktok_id": "", "looked_at": None, "covered_until": None, "created_at": now}
    make_watch(alice, "new.neighbour", state=WatchState.CHECKING, next_at=now, **first)
    ended = {"state": WatchState.ENDED, "next_at": None}
    make_watch(alice, "locked.diary", error_code="private_account", **(first | ended))
    make_watch(alice, "sea.glass", nickname="Sea Glass", **ended, **old)


def _fell_short(alice: User, now: datetime) -> None:
    """One that found what could not be saved, one looked at again, and one whose look failed."""
    foggy = make_watch(alice, "foggy.morning", looked_at=now - HOUR, created_at=now - 2 * DAY)
    job = make_find(alice, "foggy.morning", stories=2, watch=foggy, created_at=now - HOUR)
    job.items.get().stories.filter(position=2).update(state=ItemState.FAILED)
    checked = {"checked_at": now - HOUR / 10, "looked_at": now, "created_at": now - 2 * DAY}
    street = make_watch(alice, "market.street", covered_until=now, **checked)
    make_find(alice, "market.street", stories=4, watch=street)
    Item.objects.filter(job__watch=street).update(created_at=now - 2 * HOUR)
    away = make_watch(alice, "sea.breeze", error_code="upstream_down", created_at=now - 2 * DAY)
    make_find(alice, "sea.breeze", stories=4, watch=away)
    Item.objects.filter(job__watch=away).update(created_at=now - 2 * HOUR)


def inside(shoot: Shoot) -> None:
    """Pages of someone who is signed in."""
    shoot("watching", "/watching/")
    shoot("watching-found", "/history/?q=harbour", full=False)
