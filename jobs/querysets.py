"""Query sets of the tables: whose rows, which of them are open, due or still there."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self, TypeVar

from django.apps import apps
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.utils import timezone

from jobs.choices import OPEN_PACKAGES
from jobs.states import OPEN, ItemState

OwnedRow = TypeVar("OwnedRow", bound=models.Model, covariant=True)


class OwnedQuerySet(models.QuerySet[OwnedRow]):
    """Rows that belong to a user. Every page and API call finds rows through `visible_to`."""

    def kept(self) -> Self:
        """Rows whose job was not erased; those of a large one go in the background."""
        return self.exclude(job__in=_erased_jobs())

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Rows this user owns, whatever their role: admins look through the admin pages."""
        return self.kept().filter(owner_id=user.pk) if user.is_authenticated else self.none()


def _erased_jobs() -> models.QuerySet[Any, Any]:
    """Ids of the jobs that were erased and are not gone yet: mostly none, found in an index."""
    jobs = apps.get_model("jobs", "Job")._base_manager  # noqa: SLF001  # public by name
    return jobs.filter(erased_at__isnull=False).values("pk")


class JobQuerySet(OwnedQuerySet[OwnedRow]):
    """Jobs."""

    def kept(self) -> Self:
        """Jobs that were not erased."""
        return self.filter(erased_at=None)


class StoryQuerySet(OwnedQuerySet[OwnedRow]):
    """Stories."""

    def kept(self) -> Self:
        """Stories whose job was not erased."""
        items = apps.get_model("jobs", "Item")._base_manager  # noqa: SLF001  # public by name
        return self.exclude(item__in=items.filter(job__in=_erased_jobs()).values("pk"))


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
