#!/usr/bin/env python
"""Storykeep's command line: `python manage.py help` lists what it can do."""

import os
import sys


def main() -> None:
    """Hand over to Django with this project's settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    try:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:  # while it was still loading; no command leaves it to this
        sys.exit(130)


if __name__ == "__main__":
    main()
