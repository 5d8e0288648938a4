"""What the tests about folders share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def library(set_env: Callable[..., None], tmp_path: Path) -> Path:
    """The library's folder, which is not there yet."""
    folder = tmp_path / "library"
    set_env(library_dir=folder, disk_min_free=0)
    return folder
