"""Sentry and OpenTelemetry: begun by their own variables, where their packages are installed.

Neither is a part of Storykeep. What they send is made here, and names nobody: none of their
integrations is used, which would send addresses, headers and local variables.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any, Final

from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponseBase

from webapp.log_format import process_name

logger = logging.getLogger(__name__)

SENTRY: Final = "SENTRY_DSN"
TRACES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""The variables that have something sent, one of which is enough."""
SDK_OFF: Final = "OTEL_SDK_DISABLED"
PROTOCOL: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTER: Final = "opentelemetry.exporter.otlp.proto"


class Telemetry:
    """What this process sends. tracer: OpenTelemetry's; None while nothing is traced."""

    def __init__(self) -> None:
        self.begun = False
        self.tracer: Any = None
        self._provider: Any = None

    def begin(self) -> None:
        """Begin what the environment asks for, once. Raises nothing: a missing package, or a
        variable it does not take, is a line in the log."""
        if self.begun:
            return
        self.begun = True
        if os.environ.get(SENTRY):
            self._try(SENTRY, "sentry_sdk", "sentry-sdk", _begin_sentry)
        is_off = os.environ.get(SDK_OFF, "").lower() == "true"
        endpoint = next((name for name in TRACES if os.environ.get(name)), None)
        if endpoint and not is_off:
            self._try(endpoint, *_exporter(), self._begin_traces)

    def end(self) -> None:
        """Send what has not been sent, for some seconds at most."""
        if self._provider is not None:
            self._provider.shutdown()

    def _try(self, variable: str, module: str, package: str, begin: Callable[[], None]) -> None:
        if not _is_installed(module):
            logger.warning(
                "%s is set, and the package %s is not installed: nothing is sent", variable, package
            )
            return
        try:
            begin()
        except Exception as error:  # noqa: BLE001  # of a library, whatever version it is
            why = type(error).__name__
            logger.warning("%s is set, and nothing is sent for a %s", variable, why)

    def _begin_traces(self) -> None:
        from webapp import traces

        self._provider = traces.provider(process_name(), _exporter()[0])
        self.tracer = self._provider.get_tracer("storykeep")

    @contextmanager
    def span(self, name: str, kind: str) -> Iterator[Any]:
        """A span by this name around what is done, where something is traced.

        kind: `SERVER` or `CONSUMER`. An exception's words are not taken along.
        """
        from webapp import traces

        with traces.span(self.tracer, name, kind) as opened:
            yield opened


telemetry = Telemetry()


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _exporter() -> tuple[str, str]:
    """(Module, package) of the exporter for the protocol that is asked for."""
    asked = next((said for name in PROTOCOL if (said := os.environ.get(name))), "")
    kind = "grpc" if asked == "grpc" else "http"
    return f"{_EXPORTER}.{kind}", f"opentelemetry-exporter-otlp-proto-{kind}"


def _begin_sentry() -> None:
    from webapp import crash_reports

    crash_reports.begin(process_name())


def trace_requests(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """A span for each request, by the name of its view. Raises MiddlewareNotUsed without traces."""
    telemetry.begin()
    if telemetry.tracer is None:
        raise MiddlewareNotUsed

    def respond(request: HttpRequest) -> HttpResponseBase:
        with telemetry.span("request", "SERVER") as span:
            response = get_response(request)
            match = request.resolver_match
            route = (match.view_name or "unnamed") if match else "none"
            span.update_name(route)
            span.set_attribute("http.route", route)
            span.set_attribute("http.request.method", _method(request))
            span.set_attribute("http.response.status_code", response.status_code)
            return response

    return respond


def trace_tasks() -> None:
    """Have each of the worker's tasks be a span, by its name; nothing where nothing is traced."""
    if telemetry.tracer is None:
        return
    from celery import signals

    open_spans: dict[str, tuple[ExitStack, Any]] = {}

    def begin(*, task_id: str, task: Any, **_: Any) -> None:
        stack = ExitStack()
        name = str(task.name).rpartition(".")[2]
        open_spans[task_id] = stack, stack.enter_context(telemetry.span(name, "CONSUMER"))

    def end(*, task_id: str, state: str | None = None, **_: Any) -> None:
        if task_id in open_spans:
            stack, span = open_spans.pop(task_id)
            span.set_attribute("storykeep.outcome", str(state).lower())
            stack.close()

    signals.task_prerun.connect(begin, weak=False)
    signals.task_postrun.connect(end, weak=False)


def _method(request: HttpRequest) -> str:
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    return request.method if request.method in known else "_OTHER"
