"""A clock that nobody sets, which all processes of one machine read alike until it is started anew.

Redis' own expiry is a moment of its machine's clock: set back by a day, it lets a key live a day
longer. What has to last for so long and no longer is measured by this clock.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def _boot() -> str:
    with suppress(OSError):
        return _BOOT_ID.read_text(encoding="ascii").strip()
    return uuid4().hex


BOOT: Final = _boot()
"""Names this run of this machine; where that cannot be known, this process."""


def now() -> float:
    """Seconds of a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
