"""The real gallery-dl, fetched once with pip, wherever pip looks on this machine.

It is kept in the system's folder of temporary files for the runs after.
"""

from __future__ import annotations

import fcntl
import tempfile
from pathlib import Path

from jobs.ops import helper_install
from stories.config import ClientConfig
from stories.helper.installed import current_version

VERSION = "1.32.18"
FOLDER = Path(tempfile.gettempdir()) / "storykeep-test-helpers"


def is_installed() -> bool:
    """Whether it is there already."""
    return current_version(FOLDER) == VERSION


def install_once() -> Path:
    """The folder where it is installed, by now. Raises helper_install's errors."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    with (FOLDER / "turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # several processes of one run
        if not is_installed():
            helper_install.install(
                FOLDER, version=VERSION, config=ClientConfig(), confirm=lambda *_: True
            )
    return FOLDER
