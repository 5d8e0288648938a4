"""Prepare an instance's database and make people in it, by the names given as arguments.

Prints one JSON object, name → API token. A process of its own, because it is started with the
environment of that instance; beside the code of that instance, which may be older than this.
"""

from __future__ import annotations

import json
import os
import sys


def main(names: list[str]) -> None:
    """Make the tables as `up` does, then a person and a token for each name."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    import django

    django.setup()

    from django.contrib.auth.models import User
    from django.core.management import call_command

    from accounts import tokens

    call_command("up", only="migrate")
    made = {name: tokens.create(User.objects.create_user(name), "phone") for name in names}
    sys.stdout.write(f"{json.dumps(made)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
