"""Sentry and OpenTelemetry: when they begin, and what happens without their packages."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from celery import signals
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpResponse
from django.test import Client

from webapp import telemetry as module
from webapp.telemetry import Telemetry

ROOT = Path(__file__).parents[3]
VARIABLES = (module.SENTRY, *module.TRACES, *module.PROTOCOL, module.SDK_OFF)


@pytest.fixture(autouse=True)
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Telemetry:
    """Nothing has begun, and nothing is asked for."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    fresh = Telemetry()
    monkeypatch.setattr(module, "telemetry", fresh)
    return fresh


class Span:
    """What is told of a span."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind, self.facts, self.ended = name, kind, dict[str, Any](), False

    def update_name(self, name: str) -> None:
        self.name = name

    def set_attribute(self, name: str, value: object) -> None:
        self.facts[name] = value


class Traces(ModuleType):
    """Stands in for webapp/traces.py, whose package is not installed here."""

    def __init__(self) -> None:
        super().__init__("webapp.traces")
        self.spans: list[Span] = []
        self.shut_down = False

    def provider(self, process: str, exporter: str) -> Traces:
        self.process, self.exporter = process, exporter
        return self

    def get_tracer(self, _name: str) -> Traces:
        return self

    def shutdown(self) -> None:
        self.shut_down = True

    @contextmanager
    def span(self, _tracer: object, name: str, kind: str) -> Iterator[Span]:
        self.spans.append(Span(name, kind))
        yield self.spans[-1]
        self.spans[-1].ended = True


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Traces:
    """The package is there."""
    import webapp

    stand_in = Traces()
    monkeypatch.setitem(sys.modules, "webapp.traces", stand_in)
    monkeypatch.setattr(webapp, "traces", stand_in, raising=False)
    monkeypatch.setattr(module, "_is_installed", lambda _name: True)
    monkeypatch.setenv(module.TRACES[0], "http://127.0.0.1:4318")
    return stand_in


def test_without_a_variable_nothing_begins(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.begin()
    telemetry.end()
    assert telemetry.tracer is None
    assert caplog.records == []
    with pytest.raises(MiddlewareNotUsed):
        module.trace_requests(lambda _request: HttpResponse())


@pytest.mark.parametrize(
    ("variable", "package"),
    [
        (module.SENTRY, "sentry-sdk"),
        (module.TRACES[0], "opentelemetry-exporter-otlp-proto-http"),
        (module.TRACES[1], "opentelemetry-exporter-otlp-proto-http"),
    ],
)
def test_a_package_that_is_missing_is_one_line(
    variable: str,
    package: str,
    telemetry: Telemetry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "_is_installed", lambda _name: False)
    monkeypatch.setenv(variable, "https://key@errors.example/1")
    telemetry.begin()
    telemetry.begin()
    (line,) = caplog.records
    assert (line.levelno, line.name) == (logging.WARNING, "webapp.telemetry")
    said = line.getMessage()
    assert said == f"{variable} is set, and the package {package} is not installed: nothing is sent"


def test_what_the_library_does_not_take_is_a_line(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ValueError("secret@errors.example")

    monkeypatch.setattr(module, "_is_installed", lambda _name: True)
    monkeypatch.setattr(module, "_begin_sentry", broken)
    monkeypatch.setenv(module.SENTRY, "nonsense")
    telemetry.begin()
    assert [line.getMessage() for line in caplog.records] == [
        "SENTRY_DSN is set, and nothing is sent for a ValueError"
    ]


@pytest.mark.parametrize(
    ("asked", "kind"), [("", "http"), ("http/protobuf", "http"), ("grpc", "grpc")]
)
def test_the_protocol_is_the_one_asked_for(
    asked: str, kind: str, telemetry: Telemetry, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(module.PROTOCOL[1], asked)
    telemetry.begin()
    assert traces.exporter == f"opentelemetry.exporter.otlp.proto.{kind}"
    telemetry.end()
    assert traces.shut_down


def test_traces_can_be_switched_off(
    telemetry: Telemetry, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(module.SDK_OFF, "TRUE")
    telemetry.begin()
    assert telemetry.tracer is None


@pytest.mark.django_db
def test_a_request_is_a_span_by_the_name_of_its_view(traces: Traces) -> None:
    client = Client()
    client.get("/help/?q=somebody", headers={"host": "stories.example.org"})
    client.get("/@somebody/")
    client.generic("SOMEBODY", "/help/")
    assert [(span.name, span.kind, span.ended) for span in traces.spans] == [
        ("help", "SERVER", True),
        ("none", "SERVER", True),
        ("help", "SERVER", True),
    ]
    assert traces.spans[0].facts == {
        "http.route": "help",
        "http.request.method": "GET",
        "http.response.status_code": 200,
    }
    assert traces.spans[2].facts["http.request.method"] == "_OTHER"
    assert "somebody" not in str([(span.name, span.facts) for span in traces.spans])


def test_a_task_is_a_span_by_its_name(telemetry: Telemetry, traces: Traces) -> None:
    telemetry.begin()
    before = list(signals.task_prerun.receivers or ()), list(signals.task_postrun.receivers or ())
    module.trace_tasks()
    try:
        task = ModuleType("task")
        task.name = "jobs.tasks.fetch_item"  # type: ignore[attr-defined]
        signals.task_prerun.send(sender=task, task_id="one", task=task, args=["somebody"])
        signals.task_postrun.send(sender=task, task_id="one", task=task, state="FAILURE")
        signals.task_postrun.send(sender=task, task_id="unknown", task=task, state="SUCCESS")
    finally:
        signals.task_prerun.receivers, signals.task_postrun.receivers = before
    (span,) = traces.spans
    assert (span.name, span.kind, span.ended) == ("fetch_item", "CONSUMER", True)
    assert span.facts == {"storykeep.outcome": "failure"}


def test_without_traces_tasks_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals.task_prerun, "connect", lambda *_, **__: pytest.fail("connected"))
    module.trace_tasks()


def test_what_is_off_is_not_imported() -> None:
    loads = (
        "import tests.settings, django, sys; django.setup();"
        "from django.test import Client;"
        "Client().get('/health/live');"
        "names = ('sentry_sdk', 'opentelemetry', 'webapp.traces', 'webapp.crash_reports');"
        "print(*sorted(name for name in sys.modules if name.startswith(names)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", loads],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []
