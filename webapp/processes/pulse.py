"""The pulse of a process: a sign of life from its main loop, and what happens when none comes.

Death is seen by whoever waits for a process; silence has to be looked for. The main loop calls
`beat` every few seconds. Under `manage.py up` that reaches the supervisor, through a pipe. A
process that stands alone, in a container, watches itself from a thread and ends, to be started
again (docs/decisions/0018). Under a supervisor it takes next to no memory: what only the thread
needs is loaded with it.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from contextlib import suppress
from typing import Final

BEAT_EVERY_S: Final = 5.0
"""A main loop beats at least this often while all is well."""
SILENT_AFTER_S: Final = 60.0
"""Without a beat for this long, a process is taken to hang. Where Redis is frozen, a loop may wait
for it for half a minute."""
GRACE_S: Final = 30.0
"""Seconds a process that stands alone has to end in order, once it is taken to hang."""


class _Pulse:
    """The pulse of this process. fd: write end of the supervisor's pipe; None: nobody listens."""

    fd: int | None = None
    beaten = False


def begin(fd: int | None) -> None:
    """Begin to be watched: by the supervisor through `fd` or, without one, by a thread.

    Either way SIGUSR2 has all threads written to stderr, by which the log says where it hangs.
    """
    faulthandler.register(signal.SIGUSR2, all_threads=True)
    _Pulse.fd = fd
    if fd is not None:
        os.set_blocking(fd, False)
        return
    import threading

    threading.Thread(target=_watch, name="pulse", daemon=True).start()


def beat() -> None:
    """Give a sign of life. Never waits, and raises nothing: a full pipe says enough."""
    _Pulse.beaten = True
    if _Pulse.fd is not None:
        with suppress(OSError):
            os.write(_Pulse.fd, b".")


def _watch(every_s: float = BEAT_EVERY_S, silent_after_s: float = SILENT_AFTER_S) -> None:
    """Look for beats until none has come for too long; then end this process, with GRACE_S.

    Looks are counted, and no clock is read: while the machine sleeps, nobody looks.
    """
    import logging
    import threading

    never = threading.Event()
    missed = 0
    while missed * every_s < silent_after_s:
        never.wait(every_s)
        missed = 0 if _Pulse.beaten else missed + 1
        _Pulse.beaten = False
    # First of all, for what hangs may hold the lock of the log.
    last_resort = threading.Timer(GRACE_S, os._exit, (1,))
    last_resort.daemon = True
    last_resort.start()
    faulthandler.dump_traceback(sys.stderr, all_threads=True)
    os.kill(os.getpid(), signal.SIGTERM)
    logging.getLogger(__name__).critical(
        "the main loop gave no sign of life for %g s: ending", silent_after_s
    )
