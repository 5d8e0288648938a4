"""Makes the compiled translations that Django reads, from the written ones in locale/."""

from __future__ import annotations

import os
from pathlib import Path

import polib

from webapp.env import PROJECT_DIR


def compile_translations(folder: Path = PROJECT_DIR / "locale") -> None:
    """Bring each .mo file up to date with the .po file beside it; quick when it is.

    Safe when several processes do it at once. Without write access (an image that brings them
    along) they are taken as they are. Raises OSError when one is missing and cannot be made.
    """
    for written in folder.glob("*/LC_MESSAGES/django.po"):
        compiled = written.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime_ns >= written.stat().st_mtime_ns:
            continue
        fresh = compiled.with_name(f".{compiled.name}.{os.getpid()}")
        try:
            polib.pofile(str(written), encoding="utf-8").save_as_mofile(str(fresh))
            fresh.replace(compiled)
        except OSError:
            fresh.unlink(missing_ok=True)
            if not compiled.exists():
                raise
