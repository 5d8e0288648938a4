"""What Sentry is told, with a stand-in for its package."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the library was begun with, under `init`, and the module of ours."""
    options: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {
        "sentry_sdk": {"init": lambda **given: options.update(given)},
        "sentry_sdk.integrations": {},
        "sentry_sdk.integrations.excepthook": {"ExcepthookIntegration": dict},
        "sentry_sdk.integrations.logging": {"LoggingIntegration": dict},
        "sentry_sdk.integrations.threading": {"ThreadingIntegration": dict},
    }
    for name, contents in parts.items():
        stand_in = ModuleType(name)
        vars(stand_in).update(contents)
        monkeypatch.setitem(sys.modules, name, stand_in)
    monkeypatch.delitem(sys.modules, "webapp.crash_reports", raising=False)
    ours = importlib.import_module("webapp.crash_reports")
    ours.begin("web")
    yield {"init": options, "told": ours.told}
    sys.modules.pop("webapp.crash_reports", None)


EVENT: dict[str, Any] = {
    "event_id": "0" * 32,
    "level": "error",
    "logger": "webapp.error_pages",
    "platform": "python",
    "server_name": "attic-nas",
    "user": {"username": "carla"},
    "request": {"url": "https://stories.example.org/join/secret", "headers": {"Cookie": "secret"}},
    "breadcrumbs": {"values": [{"message": "@somebody"}]},
    "extra": {"sys.argv": ["secret"]},
    "modules": {"django": "5"},
    "contexts": {"trace": {"data": "secret"}},
    "logentry": {
        "message": "page crashed, bug %s: %s",
        "formatted": "page crashed, bug 0a1b2c3d: https://x.example/?q=secret by @somebody",
        "params": ["0a1b2c3d", "secret"],
    },
    "exception": {
        "values": [
            {
                "type": "KeyError",
                "module": "builtins",
                "value": "'somebody'",
                "mechanism": {"data": "secret"},
                "stacktrace": {
                    "frames": [
                        {
                            "module": "jobs.tasks",
                            "function": "fetch_item",
                            "lineno": 41,
                            "in_app": True,
                            "abs_path": "/srv/secret/jobs/tasks.py",
                            "vars": {"name": "somebody"},
                            "context_line": "secret",
                        }
                    ]
                },
            }
        ]
    },
}


def test_an_event_is_made_anew_from_what_names_nobody(begun: dict[str, Any]) -> None:
    told = begun["told"](EVENT, "web")
    assert told == {
        "event_id": "0" * 32,
        "level": "error",
        "logger": "webapp.error_pages",
        "platform": "python",
        "tags": {"process": "web"},
        "logentry": {
            "message": "page crashed, bug %s: %s",
            "formatted": "page crashed, bug 0a1b2c3d: https://x.example/?… by @…",
        },
        "exception": {
            "values": [
                {
                    "type": "KeyError",
                    "module": "builtins",
                    "stacktrace": {
                        "frames": [
                            {
                                "module": "jobs.tasks",
                                "function": "fetch_item",
                                "lineno": 41,
                                "in_app": True,
                            }
                        ]
                    },
                }
            ]
        },
    }
    for word in ("secret", "somebody", "carla", "attic-nas"):
        assert word not in json.dumps(told)


def test_a_task_that_failed_is_told_without_the_exceptions_words(begun: dict[str, Any]) -> None:
    said = {"message": "Task %(name)s: %(exc)s", "formatted": "Task fetch_item: about somebody"}
    told = begun["told"]({"logger": "celery.app.trace", "logentry": said}, "worker")
    assert told["logentry"]["formatted"] == "Task %(name)s: %(exc)s"


def test_addresses_that_crash_are_not_told(begun: dict[str, Any]) -> None:
    assert begun["told"]({"logger": "django.request", "level": "error"}, "web") is None


def test_an_event_without_anything_is_one_all_the_same(begun: dict[str, Any]) -> None:
    assert begun["told"]({}, "web") == {"tags": {"process": "web"}}
    broken = {"exception": {"values": [{"type": None}]}}
    assert begun["told"](broken, "web")["exception"]["values"][0]["type"] == ""


def test_the_library_collects_nothing_by_itself(begun: dict[str, Any]) -> None:
    options = begun["init"]
    assert options["send_default_pii"] is False
    assert options["include_local_variables"] is False
    assert options["default_integrations"] is False
    assert options["auto_enabling_integrations"] is False
    assert options["trace_propagation_targets"] == []
    assert options["before_send"]({"user": "carla"}, {}) == {"tags": {"process": "web"}}
    assert "traces_sample_rate" not in options
