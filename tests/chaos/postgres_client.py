"""A process on PostgreSQL as ours are: `python -m tests.chaos.postgres_client WHAT`, for the tests.

It connects, says so, and goes on once it is given a line. The last line it says is "answered", or
what `webapp.busy` makes of the error.
"""

from __future__ import annotations

import os
import sys

import django


def say(word: str) -> None:
    """One line to whoever waits for it."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main(what: str) -> None:
    """connect: once more, from the beginning. ask: something small. wait: for an answer that takes
    an hour. settings: say what the server was told of this connection."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    django.setup()
    from django.db import DatabaseError, connection

    from webapp import busy, database

    database.people_wait()
    connection.ensure_connection()
    say("connected")
    sys.stdin.readline()
    try:
        if what == "connect":
            connection.close()
            connection.ensure_connection()
        with connection.cursor() as cursor:
            if what == "wait":
                say("asks")
                cursor.execute("SELECT pg_sleep(3600)")
            elif what == "settings":
                cursor.execute(
                    "SELECT name, setting FROM pg_settings WHERE name LIKE '%_timeout'"
                    " OR name LIKE 'tcp_keepalives_%' ORDER BY name"
                )
                say(" ".join("=".join(row) for row in cursor.fetchall()))
                return
            else:
                cursor.execute("SELECT 1")
    except DatabaseError as error:
        say(busy.trouble(error) or repr(error))
    else:
        say("answered")


if __name__ == "__main__":
    main(sys.argv[1])
