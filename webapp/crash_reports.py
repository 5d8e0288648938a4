"""What Sentry is told: errors as they are logged, made anew from what names nobody.

Loaded where `SENTRY_DSN` is set and the package is there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import sentry_sdk
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.integrations.threading import ThreadingIntegration

from jobs import VERSION
from jobs.ephemeral.log_lines import LEFT_OUT, MAX_LENGTH
from jobs.text import clean_text, scrub

_KEPT: Final = ("event_id", "timestamp", "level", "logger", "release", "environment", "platform")
_FRAME: Final = ("module", "function", "lineno", "in_app")


def begin(process: str) -> None:
    """Have errors sent from now on. The library reads `SENTRY_DSN` and `SENTRY_ENVIRONMENT`."""

    def before_send(event: Any, _hint: Any) -> Any:
        return told(event, process)

    sentry_sdk.init(
        release=f"storykeep@{VERSION}",
        server_name="storykeep",
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        send_client_reports=False,
        default_integrations=False,
        auto_enabling_integrations=False,
        trace_propagation_targets=[],
        integrations=[
            LoggingIntegration(level=None, event_level=logging.ERROR),
            ExcepthookIntegration(),
            ThreadingIntegration(propagate_scope=False),
        ],
        before_send=before_send,
    )


def told(event: Mapping[str, Any], process: str) -> dict[str, Any] | None:
    """The event without names, addresses, queries and tokens; None for one that is not sent.

    Everything but what is known to be harmless is left out, and so are an exception's words.
    """
    if event.get("logger") == LEFT_OUT:
        return None
    kept: dict[str, Any] = {name: event[name] for name in _KEPT if name in event}
    kept["tags"] = {"process": process}
    said = event.get("logentry") or {}
    if said:
        template = str(said.get("message") or "")
        # The message about a task that failed holds all of the exception's words.
        plain = str(event.get("logger") or "").startswith("celery.")
        words = template if plain else str(said.get("formatted") or template)
        kept["logentry"] = {"message": _masked(template), "formatted": _masked(words)}
    errors = (event.get("exception") or {}).get("values") or []
    if errors:
        kept["exception"] = {"values": [_exception(error) for error in errors]}
    return kept


def _masked(text: str) -> str:
    return scrub(clean_text(text, 2 * MAX_LENGTH), MAX_LENGTH)


def _exception(error: Mapping[str, Any]) -> dict[str, Any]:
    """Type and place of an exception."""
    frames = (error.get("stacktrace") or {}).get("frames") or []
    places = [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]
    return {
        "type": str(error.get("type") or ""),
        "module": error.get("module"),
        "stacktrace": {"frames": places},
    }
