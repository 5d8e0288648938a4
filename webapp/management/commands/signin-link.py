"""`manage.py signin-link USER`: a link that signs one person in, once, within ten minutes."""  # noqa: N999

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from accounts import signin_links
from webapp.base_url import absolute_url


class Command(BaseCommand):
    """Makes a sign-in link for an existing user, and prints it."""

    help = (
        "Print a link that signs USER in, once, within ten minutes: without password, second "
        "factor or identity provider. It is shown this once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the user's name."""
        parser.add_argument("user", metavar="USER", help="their name here")

    def handle(self, *_args: str, **options: Any) -> None:
        """Print nothing but the link, so that a script can read it."""
        user = get_user_model().objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"there is no user named {options['user']!r}", returncode=2)
        if not user.is_active:
            raise CommandError(f"{options['user']!r} is blocked", returncode=2)
        # These URLs alone, mounted at the root: no need to load every view.
        path = reverse("signin_link", urlconf="accounts.urls", args=[signin_links.create(user)])
        self.stdout.write(absolute_url(settings.STORYKEEP, path))
