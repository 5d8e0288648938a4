"""`manage.py invite [--days N] [--admin]`: a link that lets one person make an account."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from accounts import invitations
from webapp.base_url import absolute_url


class Command(BaseCommand):
    """Makes an invitation, and prints its link."""

    help = "Print a link that lets one person make an account. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--days` and `--admin`."""
        parser.add_argument(
            "--days", type=int, default=invitations.DEFAULT_DAYS, help="how long the link works"
        )
        parser.add_argument("--admin", action="store_true", help="they will run this instance")

    def handle(self, *_args: str, **options: Any) -> None:
        """Print nothing but the link, so that a script can read it."""
        days: int = options["days"]
        if not 1 <= days <= invitations.MAX_DAYS:
            raise CommandError(f"--days takes 1 to {invitations.MAX_DAYS}", returncode=2)
        token = invitations.create(None, admin=options["admin"], days=days)
        # These URLs alone, mounted at the root: no need to load every view.
        path = reverse("join", urlconf="accounts.urls", args=[token])
        self.stdout.write(absolute_url(settings.STORYKEEP, path))
