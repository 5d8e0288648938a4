"""`manage.py sweep`: clean up once, now, and say what went."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from jobs.housekeeping import sweep


class Command(BaseCommand):
    """Runs the clean-up that the scheduler sends every minute."""

    help = "Delete expired files, what crashes left behind, and old job records; print the counts."

    def handle(self, *args: Any, **options: Any) -> None:
        """Clean up and print the counts. Exits with 1 when a file could not be deleted."""
        report = sweep.sweep(timezone.now(), whole=True)
        self.stdout.write(str(report))
        if report.failed:
            raise SystemExit(1)
