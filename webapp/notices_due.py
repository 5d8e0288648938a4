"""What the clock has done about messages to people: put together, sent, and removed in the end."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from django.conf import settings

from jobs.ephemeral import clock, leases
from jobs.ephemeral.connection import RedisUnavailable
from jobs.queue.shutdown import shutdown_requested
from notices import delivering, planning
from notices.delivering import Outside
from webapp import admin_notices

if TYPE_CHECKING:
    from notices.wire import Answer, Request
    from webapp.sending import Sender

ADMINS_EVERY_S: Final = 300.0
PRUNE_EVERY_S: Final = 3600.0


def run(now: datetime) -> int:
    """Tell whom there is something to tell; how many deliveries were sent. Safe to run in several
    workers at once."""
    if _is_time("notices-admins", ADMINS_EVERY_S):
        admin_notices.tell(now)
    planning.plan(now)
    public_url = settings.STORYKEEP.public_url
    with _Network() as network:
        sent = delivering.deliver(
            Outside(
                post=network.post,
                contact=settings.STORYKEEP.push_contact,
                base=f"{public_url}/" if public_url else "",
                webhook_hosts=settings.STORYKEEP.webhook_hosts,
                stop=shutdown_requested.is_set,
                is_late=_is_clock_right,
            )
        )
    if _is_time("notices-prune", PRUNE_EVERY_S) and _is_clock_right():
        delivering.give_up_old(now)
        planning.prune(now)
    return sent


def _is_clock_right() -> bool:
    """Whether what looks old is: a clock that was set forward may be set back in a moment."""
    clock.watch.look()
    return not clock.watch.was_set_forward(clock.HOLD_S)


def _is_time(name: str, every_s: float) -> bool:
    """Whether it was not done for so long, by any worker; False without Redis."""
    try:
        return leases.acquire(name, uuid4().hex, seconds=every_s)
    except RedisUnavailable:
        return False


class _Network:
    """A Sender that is made with the first request: mostly there is nothing to send, and a worker
    need not hold an HTTP client for that."""

    def __init__(self) -> None:
        self._sender: Sender | None = None

    def __enter__(self) -> _Network:
        return self

    def __exit__(self, *_: object) -> None:
        if self._sender is not None:
            self._sender.__exit__(None, None, None)

    def post(self, request: Request) -> Answer:
        """As of Sender."""
        if self._sender is None:
            from webapp.sending import Sender

            bundle = settings.STORYKEEP.ca_bundle
            self._sender = Sender(str(bundle) if bundle else None)
        return self._sender.post(request)
