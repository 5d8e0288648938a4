"""Shutdown: a worker that is asked to end has its threads let go of what they hold."""

from __future__ import annotations

import threading
from typing import Final

shutdown_requested: Final = threading.Event()
"""Set when this process is asked to end: claims it holds are to be released within seconds."""


class ShutdownRequested(Exception):
    """Raised at a safe point once `shutdown_requested` is set."""
