"""A data folder in which gallery-dl seems to be installed."""

from __future__ import annotations

import sys
from pathlib import Path


def install_gallery_dl(data_dir: Path, version: str = "1.32.18") -> None:
    """Leave what `manage.py helper install gallery-dl` leaves: a version, and which is in use."""
    folder = data_dir / "helpers" / "gallery-dl"
    (folder / version / "bin").mkdir(parents=True)
    (folder / version / "bin" / "python").symlink_to(sys.executable)
    (folder / "current").write_text(version)
