"""OpenTelemetry's part of the traces; loaded where they are asked for and its package is there."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from jobs import VERSION


def provider(process: str, exporter: str) -> TracerProvider:
    """What makes spans and sends them, in the background. process: `web`, `worker`; exporter: the
    module of the protocol. `OTEL_…` variables set the rest, `OTEL_SERVICE_NAME` among them.

    The provider is nobody else's: a library that could trace by itself finds none.
    """
    found = Resource.create()
    facts = {"service.version": VERSION, "storykeep.process": process}
    if str(found.attributes.get("service.name", "")).startswith("unknown"):
        facts["service.name"] = "storykeep"
    made = TracerProvider(resource=found.merge(Resource(facts)))
    module: Any = importlib.import_module(f"{exporter}.trace_exporter")
    made.add_span_processor(BatchSpanProcessor(module.OTLPSpanExporter()))
    return made


@contextmanager
def span(tracer: Any, name: str, kind: str) -> Iterator[Any]:
    """An open span. Of an exception that passes only its type is told."""
    with tracer.start_as_current_span(
        name, kind=SpanKind[kind], record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            opened.set_attribute("error.type", type(error).__name__)
            opened.set_status(Status(StatusCode.ERROR))
            raise
