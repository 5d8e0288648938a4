#!/usr/bin/env python
"""Storykeep's command line: `python manage.py help` lists what it can do."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Hand over to Django with this project's settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    try:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except ModuleNotFoundError as error:
        if error.name != "django":
            raise
        sys.exit("Django is not installed for this Python. Is it .venv/bin/python manage.py …?")
    except KeyboardInterrupt:  # while it was still loading; no command leaves it to this
        sys.exit(130)
    except Exception as error:
        if type(error).__name__ == "NewerDatabase":
            _say(f"Nothing was done: {error}")
            sys.exit(2)
        line = _busy_line(error)
        if line is None:
            raise
        sys.exit(line)


def _say(line: str) -> None:
    """Print why nothing was done; a start does so in the form of the log."""
    from webapp import env, log_format

    if sys.argv[1:2] == ["up"] and env.is_json_wanted():
        log_format.write_refusal("manage", [line])
    else:
        sys.stderr.write(f"{line}\n")


def _busy_line(error: Exception) -> str | None:
    """What to print in place of a traceback while the database cannot do it; None for a bug."""
    if "django.db" not in sys.modules:
        return None
    from jobs.errors import Busy, CannotWrite
    from webapp.busy import trouble

    if "no such table" in str(error) or getattr(error.__cause__, "sqlstate", "") == "42P01":
        from django.conf import settings

        where = settings.STORYKEEP.data_dir
        return (
            f"There are no tables in the database that {where} and STORYKEEP_DATABASE_URL lead to. "
            "Are the settings those of the running Storykeep?"
        )
    kind = trouble(error)
    if kind == CannotWrite.code:
        return f"The database cannot be written: {error}."
    return f"{Busy.message} Try again in a few seconds." if kind else None


if __name__ == "__main__":
    main()
