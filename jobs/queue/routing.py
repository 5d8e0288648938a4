"""Routing: the names of tasks, and the broker's queues they are sent to.

Tasks are named here and not imported, so that whoever sends one loads nothing of what it does. A
test compares the names with the registry.
"""

from __future__ import annotations

from typing import Final

FETCH_ITEM: Final = "jobs.tasks.fetch_item"
PACK_PACKAGE: Final = "jobs.tasks.pack_package"
REPAIR: Final = "jobs.tasks.repair"
SWEEP: Final = "jobs.tasks.sweep"
WATCH: Final = "jobs.tasks.watch"
LOOK: Final = "jobs.tasks.look"
SCRUB: Final = "jobs.tasks.scrub"
"""Not sent: whoever takes a sweep's message runs it beside the sweep."""

FILL_LIBRARY: Final = "jobs.tasks.fill_library"
"""Sent by the clock too, where there is a library."""

BACK_UP: Final = "webapp.celery.back_up"
"""Sent by the clock too, where a daily backup is switched on."""

SEND_NOTICES: Final = "webapp.celery.send_notices"
"""Sent by the clock, and by a page that has something sent for a test."""

HOUSEKEEPING: Final = (REPAIR, SWEEP, WATCH)
"""What the clock sends."""

POOL_QUEUE: Final = "celery"
"""Name, and Redis key, of the list that the workers' pools take from: Celery's own default."""
SIDE_QUEUE: Final = "aside"
"""Name, and Redis key, of the list of what runs beside the pools."""
QUEUES: Final = (POOL_QUEUE, SIDE_QUEUE)
SIDE_TASKS: Final = (PACK_PACKAGE, *HOUSEKEEPING, FILL_LIBRARY, BACK_UP, SEND_NOTICES)
"""The tasks sent to `SIDE_QUEUE`; all others go to `POOL_QUEUE`."""
