"""Makes one look at a watched account: asks TikTok for its list, and has noted what came of it.

One request for an account that is known; two for one that is known by its name alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator
from typing import Final

from jobs.fetching import bridge
from jobs.fetching.recorder import record_answer
from jobs.queue.backoff import hold_queue, waits_alone
from jobs.queue.shutdown import ShutdownRequested, shutdown_requested
from jobs.upstream import breaker, protocol
from jobs.watching import looks, outcome
from jobs.watching.looks import Look
from jobs.watching.outcome import Consequences, Sight
from stories.client import StoryClient
from stories.errors import (
    AccessError,
    NoSuchAccount,
    PrivateAccount,
    Refusal,
    StoriesError,
    TimedOut,
)
from stories.lookup import look_up
from stories.structures import Author, Target, TargetKind
from stories.ways import LookupResult

logger = logging.getLogger(__name__)

LIMIT_S: Final = 180.0
"""A look that takes longer is given up; well within `looks.LEASE`."""
_OVER: Final = (NoSuchAccount, PrivateAccount)


def run(look: Look) -> Consequences | None:
    """Make a claimed look; what came of it, None where it is to be made again.

    While TikTok refuses this server it is given back, and counts for nothing. Raises
    ShutdownRequested when this process is to end; the look is given back then, too.
    """
    if breaker.probe() is not None:
        looks.release(look)
        return None
    protocol.look()
    try:
        sight = _see(look)
    except _OVER as error:
        record_answer()
        logger.info("a watched account is over: %s", error.code)
        return outcome.note_gone(look, error.code)
    except Refusal as error:
        if waits_alone(error):
            looks.note_failure(look, error.code)
        else:
            hold_queue(breaker.open_for(error), error.code)
            looks.release(look)
        return None
    except StoriesError as error:
        if isinstance(error, AccessError):
            record_answer()
        logger.info("a look brought nothing: %s %s", error.code, error.detail)
        looks.note_failure(look, error.code)
        return None
    except BaseException:
        looks.release(look)
        raise
    record_answer()
    return outcome.note_list(look, sight)


def _see(look: Look) -> Sight:
    """The account's list. Raises StoriesError."""
    if not look.tiktok_id:
        return _sight(_ask(look, None))
    known = Author(id=look.tiktok_id, name=look.name, sec_uid=look.sec_uid or None)
    try:
        return _sight(_ask(look, known))
    except _OVER as error:
        # Its list says so. Before a watch ends for it, the account itself is asked about.
        logger.info("a watched account may be over: %s", error.code)
        result = _ask(look, None)
        if result.author.id != look.tiktok_id:
            raise NoSuchAccount("its name is somebody else's by now") from error
        return _sight(result)


def _sight(result: LookupResult) -> Sight:
    if isinstance(result.refusal, Refusal) and not result.stories:
        raise result.refusal
    error = result.error or result.refusal
    return Sight(
        author=result.author,
        stories=result.stories,
        left_out=result.left_out,
        error_code=error.code if error else "",
    )


def _ask(look: Look, known: Author | None) -> LookupResult:
    target = Target(kind=TargetKind.USER, name=look.name)

    async def asked(client: StoryClient) -> AsyncGenerator[LookupResult, None]:
        yield await look_up(client, target, known=known, fresh=True)

    give_up_at = time.monotonic() + LIMIT_S
    with bridge.current().stream(asked) as results:
        for result in results:
            if result is not None:
                return result
            if shutdown_requested.is_set():
                raise ShutdownRequested
            if time.monotonic() >= give_up_at:
                raise TimedOut("a look took too long")
    raise TimedOut("a look brought nothing")
