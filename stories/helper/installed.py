"""Where helpers are installed, and which version of one is in use; read anew each time.

<folder>/gallery-dl/<version>/bin/python    an environment of its own for each version
<folder>/gallery-dl/current                 the version in use, a line of text
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

NAME: Final = "gallery-dl"
VERSION: Final = re.compile(
    r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,4}(?:(?:a|b|rc|\.post|\.dev)[0-9]{1,6})?", re.ASCII
)
_MAX_LINE: Final = 100


def current_version(folder: Path) -> str | None:
    """The version of gallery-dl in use; None when none is, whatever the reason."""
    try:
        with (folder / NAME / "current").open(encoding="ascii") as file:
            text = file.read(_MAX_LINE).strip()
    except (OSError, ValueError):
        return None
    return text if VERSION.fullmatch(text) and interpreter(folder, text).exists() else None


def interpreter(folder: Path, version: str) -> Path:
    """The Python of a version's environment."""
    return folder / NAME / version / "bin" / "python"
