"""`manage.py sweep`: clean up once, now, and say what went."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from jobs.housekeeping import sweep


class Command(BaseCommand):
    """What the scheduler does every minute."""

    help = "Delete expired files, what crashes left behind, and old job records; print the counts."

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit 1 when something could not be deleted."""
        report = sweep.sweep(timezone.now())
        self.stdout.write(str(report))
        if report.failed:
            raise SystemExit(1)
