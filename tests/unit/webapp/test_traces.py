"""Spans, with a stand-in for OpenTelemetry's package."""

from __future__ import annotations

import enum
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import pytest

from jobs import VERSION

NAMED: ContextVar[str] = ContextVar("NAMED", default="unknown_service:python")
"""What the environment calls the service."""


class Resource(dict[str, str]):
    """Facts about a process."""

    @staticmethod
    def create() -> Resource:
        return Resource({"service.name": NAMED.get()})

    @property
    def attributes(self) -> dict[str, str]:
        return self

    def merge(self, other: Resource) -> Resource:
        return Resource({**self, **other})


class Provider:
    """What makes spans."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.processors: list[Any] = []

    def add_span_processor(self, processor: Any) -> None:
        self.processors.append(processor)


class Kind(enum.Enum):
    SERVER = 1


class Code(enum.Enum):
    ERROR = 2


class Span:
    """A span, and what was told of it."""

    def __init__(self, **options: Any) -> None:
        self.told: dict[str, Any] = dict(options)

    def set_attribute(self, name: str, value: object) -> None:
        self.told[name] = value

    def set_status(self, status: object) -> None:
        self.told["status"] = status

    @contextmanager
    def start_as_current_span(self, name: str, **options: Any) -> Iterator[Span]:
        self.told |= {"name": name, **options}
        yield self


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module, loaded beside the stand-in."""
    parts: dict[str, dict[str, Any]] = {
        "opentelemetry": {},
        "opentelemetry.sdk": {},
        "opentelemetry.sdk.resources": {"Resource": Resource},
        "opentelemetry.sdk.trace": {"TracerProvider": Provider},
        "opentelemetry.sdk.trace.export": {"BatchSpanProcessor": lambda exporter: exporter},
        "opentelemetry.trace": {"SpanKind": Kind, "Status": lambda c: c, "StatusCode": Code},
        "exporter.trace_exporter": {"OTLPSpanExporter": lambda: "the exporter"},
    }
    for name, contents in parts.items():
        stand_in = ModuleType(name)
        vars(stand_in).update(contents)
        monkeypatch.setitem(sys.modules, name, stand_in)
    monkeypatch.delitem(sys.modules, "webapp.traces", raising=False)
    yield importlib.import_module("webapp.traces")
    sys.modules.pop("webapp.traces", None)


def test_a_process_says_what_it_is_and_where_to_send(
    traces: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = ModuleType("exporter")
    monkeypatch.setitem(sys.modules, "exporter", exporter)
    provider = traces.provider("worker", "exporter")
    assert provider.resource == {
        "service.name": "storykeep",
        "service.version": VERSION,
        "storykeep.process": "worker",
    }
    assert provider.processors == ["the exporter"]
    NAMED.set("stories at home")
    assert traces.provider("web", "exporter").resource["service.name"] == "stories at home"
    NAMED.set("unknown_service:python")


def test_of_an_exception_only_its_type_is_told(traces: Any) -> None:
    span = Span()
    with pytest.raises(KeyError), traces.span(span, "home", "SERVER"):
        raise KeyError("somebody")
    assert span.told == {
        "name": "home",
        "kind": Kind.SERVER,
        "record_exception": False,
        "set_status_on_exception": False,
        "error.type": "KeyError",
        "status": Code.ERROR,
    }
