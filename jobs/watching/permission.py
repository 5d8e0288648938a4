"""Who may watch accounts on this instance, and whether watching rests."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q, QuerySet

from jobs.models import Watch, WatchingPause, WatchState


def is_on() -> bool:
    """Whether anybody may watch accounts here."""
    return bool(settings.STORYKEEP.watches != "off")


def may_watch(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether this person may."""
    if not user.is_authenticated or not user.is_active or not is_on():
        return False
    return settings.STORYKEEP.watches == "members" or bool(getattr(user, "is_staff", False))


def may_see(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether this person may see their watches and stop them: also one who may watch no longer."""
    if may_watch(user):
        return True
    return user.is_authenticated and Watch.objects.filter(owner_id=user.pk).exists()


def is_paused() -> bool:
    """Whether an admin has all watching rest."""
    return WatchingPause.objects.exists()


def pause() -> WatchingPause | None:
    """Since when all watching rests; None while it does not."""
    return WatchingPause.objects.first()


def set_paused(*, paused: bool) -> bool:
    """Have all watching rest, or go on; whether that changed anything."""
    if paused:
        return WatchingPause.objects.get_or_create(pk=WatchingPause.ONLY)[1]
    return bool(WatchingPause.objects.all().delete()[0])


def lookable() -> QuerySet[Watch]:
    """The watches that looks are made for: of people who may watch, while watching does not rest.

    A right that was taken away ends nothing: it goes on where it is given back in time.
    """
    if not is_on() or is_paused():
        return Watch.objects.none()
    states = (WatchState.CHECKING, WatchState.ACTIVE)
    return Watch.objects.filter(of_allowed(), state__in=states, next_at__isnull=False)


def of_allowed() -> Q:
    """Watches of people who may watch, where anybody may."""
    allowed = Q(owner__is_active=True)
    if settings.STORYKEEP.watches == "admins":
        allowed &= Q(owner__is_staff=True)
    return allowed
