"""Addresses that are secrets themselves, kept out of the log: feeds, and links that let people in.

Django writes the path of what it refuses, and a secret is one also where it is mistyped, asked for
by the wrong method, or in hand when something breaks.
"""

from __future__ import annotations

import logging
import re
from typing import Final

_SECRET: Final = re.compile(r"(/(?:feed|join|setup|signin|share|password|account/email)/)[^\s\"']+")


def masked(text: str) -> str:
    """A text in which `…` stands for what follows in such a path."""
    return _SECRET.sub(r"\1…", text)


class NoSecretPaths(logging.Filter):
    """Masks the paths in records of a logger; lets every record by."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the arguments of a record."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                masked(value) if isinstance(value, str) else value for value in record.args
            )
        return True
