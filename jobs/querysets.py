"""Query sets of the tables: whose rows, which of them are open, due or still there."""

from __future__ import annotations

from datetime import datetime
from typing import Self, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.utils import timezone

from jobs.choices import OPEN_PACKAGES
from jobs.states import OPEN, ItemState

OwnedRow = TypeVar("OwnedRow", bound=models.Model, covariant=True)


class OwnedQuerySet(models.QuerySet[OwnedRow]):
    """Rows that belong to a user. Every page and API call finds rows through `visible_to`."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Rows this user owns, whatever their role: admins look through the admin pages."""
        return self.filter(owner_id=user.pk) if user.is_authenticated else self.none()


class ItemQuerySet(OwnedQuerySet[OwnedRow]):
    """Items by state."""

    def open(self) -> Self:
        """Items that are not settled."""
        return self.filter(state__in=OPEN)

    def due(self, now: datetime) -> Self:
        """Queued items that need not wait any longer."""
        ready = models.Q(not_before=None) | models.Q(not_before__lte=now)
        return self.filter(ready, state=ItemState.QUEUED)


class ArtifactQuerySet(OwnedQuerySet[OwnedRow]):
    """Artifacts by whether they can still be downloaded."""

    def present(self, now: datetime | None = None) -> Self:
        """Artifacts that are neither removed nor expired."""
        return self.filter(removed_at=None, expires_at__gt=now or timezone.now())

    def expired(self, now: datetime) -> Self:
        """Artifacts past their time whose row is not marked as removed yet."""
        return self.filter(removed_at=None, expires_at__lte=now)


class PackageQuerySet(OwnedQuerySet[OwnedRow]):
    """Packages by state."""

    def open(self) -> Self:
        """Packages that are queued or being packed."""
        return self.filter(state__in=OPEN_PACKAGES)
