"""`python -m tests.demo_session NAME`: prepare the demo's database and print a session in it.

Prints one line of JSON, [name, value] of the session's cookie. A process of its own, because it is
started with the environment of the demo's instance.
"""

from __future__ import annotations

import json
import os
import sys


def main(name: str) -> None:
    """Make the tables and the admin as `up` does, then a session of that user."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    import django

    django.setup()

    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("up", only="migrate")
    user = User.objects.get(username=name)
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    line = json.dumps([settings.SESSION_COOKIE_NAME, session.session_key])
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(sys.argv[1])
