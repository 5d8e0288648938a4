"""The look for a newer protocol pack at `STORYKEEP_PROTOCOL_URL`, and what came of the last one."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from django.conf import settings
from django.utils import timezone

from jobs.choices import PackOrigin
from jobs.ephemeral import values
from jobs.ephemeral.connection import RedisUnavailable, discard, execute
from jobs.upstream import protocol
from jobs.upstream.client import client_config
from stories.protocol.reading import PackRefused
from stories.protocol.signing import MAX_ENVELOPE_BYTES

logger = logging.getLogger(__name__)

_KEY: Final = "storykeep:protocol_look"
KEPT_S: Final = 60 * 24 * 60 * 60
_MAX_SAID: Final = 300

NOTHING_NEWER: Final = frozenset({"same", "older", "older_than_built_in", "dropped"})
"""Refusals of a pack that say that all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a look. version: of the pack that was imported, "" for none.

    reason: why none was, a bare word; said: the same in a sentence, for admins.
    """

    version: str = ""
    reason: str = ""
    said: str = ""

    @property
    def failed(self) -> bool:
        """Whether nobody knows if there is a newer pack, or there is one that cannot be taken."""
        return not self.version and self.reason not in NOTHING_NEWER


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLook:
    """The last look. at: None before the first. next_at: of the weekly one, None when not planned.

    failing_since: of the first of the looks in a row that failed; None when the last one did not.
    """

    at: datetime | None
    next_at: datetime | None
    failing_since: datetime | None
    reason: str = ""
    said: str = ""


NONE_YET: Final = LastLook(at=None, next_at=None, failing_since=None)


def look_for_newer(origin: PackOrigin) -> Outcome:
    """Ask the address for its pack, and import it when it is newer; what came of it, noted too."""
    outcome = _look(origin)
    if outcome.reason == "no_address":
        return outcome  # nobody was asked
    now = timezone.now()
    with suppress(RedisUnavailable):
        before = last()
        since = (before.failing_since or now) if outcome.failed else None
        record(
            LastLook(
                at=now,
                next_at=before.next_at,
                failing_since=since,
                reason=outcome.reason,
                said=outcome.said,
            )
        )
    if outcome.failed:
        logger.warning("the look for a newer protocol pack failed: %s", outcome.said)
    return outcome


def _look(origin: PackOrigin) -> Outcome:
    # Loaded when somebody looks: it brings httpx along.
    from stories.http.document import DocumentUnavailable, get_document

    url = settings.STORYKEEP.protocol_url
    if not url:
        return Outcome(reason="no_address", said="STORYKEEP_PROTOCOL_URL is not set")
    try:
        envelope = asyncio.run(get_document(url, client_config(), max_bytes=MAX_ENVELOPE_BYTES))
        return Outcome(version=str(protocol.store(envelope, origin).version))
    except DocumentUnavailable as error:
        return Outcome(reason="unavailable", said=str(error))
    except PackRefused as error:
        return Outcome(reason=error.reason, said=str(error))
    except protocol.PackChanged:
        return Outcome(reason="same", said="another one was imported meanwhile")


def record(look: LastLook) -> None:
    """Note what came of a look, and when the next one is. Raises RedisUnavailable."""

    def seconds(moment: datetime | None) -> float | None:
        return moment.timestamp() if moment else None

    text = json.dumps(
        {
            "at": seconds(look.at),
            "next_at": seconds(look.next_at),
            "failing_since": seconds(look.failing_since),
            "reason": look.reason,
            "said": look.said[:_MAX_SAID],
        }
    )
    execute(lambda server: server.set(_KEY, text, ex=KEPT_S))


def last() -> LastLook:
    """What came of the last look; NONE_YET when nobody knows. Raises RedisUnavailable."""
    text = execute(lambda server: cast("str | None", server.get(_KEY)))
    if text is None:
        return NONE_YET
    facts = values.record(text)
    if facts is None:
        discard(_KEY)
        return NONE_YET
    return LastLook(
        at=values.moment(facts.get("at")),
        next_at=values.moment(facts.get("next_at")),
        failing_since=values.moment(facts.get("failing_since")),
        reason=values.text(facts.get("reason"), 40) or "",
        said=values.text(facts.get("said"), _MAX_SAID) or "",
    )
