"""The history: by day, searched, filtered, in pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import Job
from jobs.pages import history
from jobs.states import ItemState
from tests.factories import make_item, make_job
from tests.unit.jobs.pages.pages import saved, shown

pytestmark = pytest.mark.django_db


def test_history_is_by_day_and_searchable(client: Client, alice: User) -> None:
    today, before = saved(alice), saved(alice)
    Job.objects.filter(pk=before.pk).update(
        created_at=timezone.now() - timedelta(days=2), note="harbour"
    )
    page = shown(client.get("/history/"))
    assert page.count('<section class="day">') == 2
    assert page.index(str(today.pk)) < page.index(str(before.pk))
    found = shown(client.get("/history/?q=HARB"))
    assert str(before.pk) in found
    assert str(today.pk) not in found
    assert "Nothing here mentions" in shown(client.get("/history/?q=nowhere"))
    assert "@nora" in shown(client.get("/history/?q=@nora"))


def test_history_can_be_narrowed_to_a_result(client: Client, alice: User) -> None:
    done = saved(alice)
    mixed = saved(alice)
    make_item(mixed, name="gone", state=ItemState.FAILED, error_code="no_such_account")
    failed = make_job(alice, links=2, state=ItemState.FAILED)
    page = shown(client.get("/history/"))
    assert all(str(job.pk) in page for job in (done, mixed, failed))
    assert '<li class="failed">1 failed</li>' in page
    for state, job in (("done", done), ("partial", mixed), ("failed", failed)):
        page = shown(client.get(f"/history/?state={state}"))
        assert [other.pk for other in (done, mixed, failed) if str(other.pk) in page] == [job.pk]
        assert f'href="?state={state}" aria-current="true"' in page
    assert "No job ended like that" in shown(client.get("/history/?state=cancelled"))
    assert str(done.pk) not in shown(client.get("/history/?state=failed&q=author1"))
    assert str(done.pk) in shown(client.get("/history/?state=nonsense"))


def test_history_has_pages(client: Client, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "JOBS_PER_PAGE", 2)
    for _ in range(3):
        saved(alice)
    assert "page=2" in shown(client.get("/history/"))
    assert client.get("/history/?page=999").status_code == 200
