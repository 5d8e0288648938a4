"""`manage.py sweep`: its report, and its exit status."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from jobs.housekeeping import sweep
from tests.factories import make_artifact

pytestmark = pytest.mark.django_db


def test_the_command_prints_the_report() -> None:
    make_artifact(content=b"x", expires_at=timezone.now())
    out = StringIO()
    call_command("sweep", stdout=out)
    assert out.getvalue().startswith("expired 1, orphan_files 0, ")


def test_the_command_says_when_something_resisted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "sweep", lambda now, whole: sweep.SweepReport(failed=1))
    with pytest.raises(SystemExit) as caught:
        call_command("sweep", stdout=StringIO())
    assert caught.value.code == 1
