"""Names that Windows keeps for itself, as Python tells them."""

from __future__ import annotations

import ntpath
import sys
from pathlib import PureWindowsPath


def is_reserved(name: str) -> bool:
    """Whether Windows takes a file's name for a device, or cuts something off it."""
    if sys.version_info >= (3, 13):
        return ntpath.isreserved(name)
    return PureWindowsPath(name).is_reserved()
