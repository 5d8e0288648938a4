"""The tab's title and sign, in every state of a job."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import Artifact, Item
from jobs.pages.tab import tab_of
from jobs.states import ItemState
from tests.factories import make_item, make_job
from tests.unit.jobs.pages.pages import page_of, saved

pytestmark = pytest.mark.django_db


def test_lines_are_counted_while_it_runs(alice: User) -> None:
    job = saved(alice)
    make_item(job, name="max", state=ItemState.RUNNING)
    make_item(job, name="zoe")
    tab = tab_of(page_of(job))
    assert tab.title == "1/3 · @nora, @max, @zoe"
    assert tab.sign == "busy"


def test_what_is_saved_has_a_tick_until_it_is_deleted(client: Client, alice: User) -> None:
    job = saved(alice)
    assert tab_of(page_of(job)).title == "✓ 1 · @nora"
    html = client.get(f"/jobs/{job.pk}/").content.decode()
    assert "<title>✓ 1 · @nora · Storykeep</title>" in html
    assert 'data-tab="✓ 1 · @nora" data-sign="done"' in html
    Artifact.objects.update(removed_at=timezone.now())
    tab = tab_of(page_of(job))
    assert (tab.title, tab.sign) == ("@nora", "")


@pytest.mark.parametrize(
    ("state", "sign"),
    [
        (ItemState.PARTIAL, "warn"),
        (ItemState.FAILED, "bad"),
        (ItemState.EMPTY, ""),
        (ItemState.CANCELLED, ""),
    ],
)
def test_how_it_ended(alice: User, state: ItemState, sign: str) -> None:
    job = make_job(alice, settled_at=timezone.now())
    make_item(job, name="nora", state=state, error_code="upstream_down")
    tab = tab_of(page_of(job))
    assert tab.sign == sign
    assert tab.title.startswith("! · ") == (sign in {"warn", "bad"})


def test_a_job_that_waits_for_tiktok_has_a_mark(alice: User) -> None:
    job = make_job(alice)
    make_item(job, name="nora", error_code="refused")
    Item.objects.update(not_before=timezone.now() + timedelta(minutes=5))
    tab = tab_of(page_of(job))
    assert (tab.title, tab.sign) == ("! · @nora", "warn")
