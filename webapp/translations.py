"""Compiles the translations in locale/ into the .mo files that Django reads."""

from __future__ import annotations

import os
from pathlib import Path

import polib

from webapp.env import PROJECT_DIR


def compile_translations(folder: Path = PROJECT_DIR / "locale") -> None:
    """Bring each .mo file up to date with the .po file beside it; quick when it is.

    Safe when several processes do it at once. Without write access (an image that brings the files
    along) existing files are used as they are. Raises OSError for a missing one.
    """
    for source in folder.glob("*/LC_MESSAGES/django.po"):
        compiled = source.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        fresh = compiled.with_name(f".{compiled.name}.{os.getpid()}")
        try:
            polib.pofile(str(source), encoding="utf-8").save_as_mofile(str(fresh))
            fresh.replace(compiled)
        except OSError:
            fresh.unlink(missing_ok=True)
            if not compiled.exists():
                raise
