"""`manage.py token USER [--name N] [--read-only] [--days D]`: a new API token, printed once."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts import tokens
from accounts.models import Scope

MAX_DAYS = 3650


class Command(BaseCommand):
    """Makes an API token for an existing user, and prints it."""

    help = "Print a new API token for USER. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the user's name, `--name`, `--read-only` and `--days`."""
        parser.add_argument("user", help="the name they sign in with")
        parser.add_argument("--name", default="command line", help="what it is for")
        parser.add_argument("--read-only", action="store_true", help="it may look, not change")
        parser.add_argument("--days", type=int, help="how long it works; for ever when not given")

    def handle(self, *_args: str, **options: Any) -> None:
        """Print nothing but the token, so that a script can read it."""
        user = get_user_model().objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"there is no user named {options['user']!r}", returncode=2)
        if not user.is_active:
            raise CommandError(f"{options['user']!r} is blocked", returncode=2)
        days: int | None = options["days"]
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--days takes 1 to {MAX_DAYS}", returncode=2)
        until = None if days is None else timezone.now() + timedelta(days=days)
        scope = Scope.READ if options["read_only"] else Scope.WRITE
        self.stdout.write(tokens.create(user, options["name"], until, scope=scope))
