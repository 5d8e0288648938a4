"""Every cell of the table of who may open what, and each right of staff by itself.

`tests/unit/webapp/test_urls.py` asks for the cells that differ from each other; this for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from pydantic import SecretStr

from jobs.admin import views
from jobs.files import marks
from jobs.ops.problems import Facts
from jobs.queue import broker
from tests.memory import redis_stays_away
from tests.unit.webapp import access
from tests.unit.webapp.access import API, METHODS, PEOPLE, TOKENS, Asker, Scenery
from tests.unit.webapp.test_urls import ROWS, check
from webapp import problems

pytestmark = pytest.mark.django_db

APPS = ("jobs.", "auth.", "accounts.", "account.", "mfa.", "usersessions.", "admin.", "sessions.")


@pytest.fixture(scope="module")
def asker(django_db_setup: None, django_db_blocker: Any) -> Iterator[Asker]:
    """Everyone and everything, made once."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield Asker(Scenery())
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def _an_instance(
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One that can send mail, without Redis and without workers."""
    caplog.set_level("CRITICAL", logger="django.request")
    caplog.set_level("CRITICAL", logger="django.security")
    (tmp_path / marks.SENTINEL).touch()
    ours: dict[str, Any] = {
        "email_url": SecretStr("smtp://localhost"),
        "email_from": "a@example.org",
        "watches": "members",
    }
    settings.STORYKEEP = settings.STORYKEEP.model_copy(update={**ours, "artifact_dir": tmp_path})
    quiet = Facts(now=timezone.now(), public_url="https://stories.example.org")
    monkeypatch.setattr(problems, "memory", problems.Memory(lambda: quiet))
    monkeypatch.setattr(broker, "send", lambda *_: True)
    monkeypatch.setattr(views, "run_diagnosis", lambda _name, _way="": {"findings": []})
    redis_stays_away()


@pytest.mark.parametrize("route", access.routes(), ids=lambda route: route or "home")
def test_every_cell(asker: Asker, route: str) -> None:
    columns = TOKENS if route.startswith(API) else PEOPLE
    for method in METHODS:
        for column in columns:
            check(asker, route, method, column)
    if columns is PEOPLE:
        for how in ({"session": "blocked"}, {"token": "read"}, {"token": "foreign"}):
            for method in ("GET", "POST"):
                check(asker, route, method, "anonymous", **how)


@pytest.mark.parametrize(
    "route", [route for route in access.routes() if route.startswith("admin/")]
)
def test_every_right_by_itself(asker: Asker, route: str) -> None:
    told = ROWS[route, "GET"]
    for right in asker.scenery.rights:
        if right.startswith(APPS):
            expected = told.rights.get(right, told.outcomes["staff"])
            check(asker, route, "GET", "staff", rights=[right], outcome=expected)
