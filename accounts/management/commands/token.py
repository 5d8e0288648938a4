"""`manage.py token USER [--name N]`: a new API token, printed once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from accounts import tokens


class Command(BaseCommand):
    """Make a token for someone who has an account."""

    help = "Print a new API token for USER. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose, and what for."""
        parser.add_argument("user", help="the name they sign in with")
        parser.add_argument("--name", default="command line", help="what it is for")

    def handle(self, *_args: str, **options: Any) -> None:
        """Print the token alone, so that a script can take it."""
        user = get_user_model().objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"there is no user named {options['user']!r}", returncode=2)
        if not user.is_active:
            raise CommandError(f"{options['user']!r} is blocked", returncode=2)
        self.stdout.write(tokens.create(user, options["name"]))
