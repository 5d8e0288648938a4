"""Whether a retry may help: page, API, history and admin give one answer for every error code."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts import tokens
from jobs.errors import BY_CODE, FINAL_CODES, retry_may_help
from jobs.models import Item
from jobs.queue import actions
from jobs.states import ItemState
from tests.factories import make_item, make_job, make_user

pytestmark = pytest.mark.django_db
S = ItemState

CODES = [*BY_CODE, "", "of_another_version"]


@pytest.fixture
def alice() -> User:
    return make_user("alice", is_staff=True, is_superuser=True)


def make_settled(alice: User, state: ItemState, code: str) -> Item:
    job = make_job(alice, settled_at=timezone.now())
    return make_item(job, name="nora", state=state, error_code=code, settled_at=timezone.now())


@pytest.mark.parametrize("state", [S.PARTIAL, S.FAILED])
@pytest.mark.parametrize("code", CODES)
def test_all_say_the_same(alice: User, client: Client, state: ItemState, code: str) -> None:
    item = make_settled(alice, state, code)
    client.force_login(alice)
    token = {"Authorization": f"Bearer {tokens.create(alice, 'script')}"}
    job_url, retry_url = f"/jobs/{item.job_id}/", f"/jobs/{item.job_id}/retry/"

    make_item(item.job, name="otto", state=S.EMPTY, settled_at=timezone.now())
    shown = client.get(job_url).content.decode()
    page, line = retry_url in shown, f"/items/{item.pk}/retry/" in shown
    history = retry_url in client.get("/history/").content.decode()
    told = client.get(f"/api/v1/jobs/{item.job_id}", headers=token).json()["items"][0]["error"]
    api = told is None or told["retryable"]
    question = client.post(
        "/admin/jobs/item/",
        {"action": "retry", "_selected_action": [str(item.pk)]},
        follow=True,
    ).content.decode()
    admin = "1 line that failed and may work now" in question

    expected = not code or code not in FINAL_CODES
    assert (page, line, history, api, admin) == (expected,) * 5
    assert retry_may_help(state, code) is expected
    assert actions.retryable(Item.objects.all()).exists() is expected

    client.post(f"/api/v1/jobs/{item.job_id}/retry", headers=token)
    item.refresh_from_db()
    assert (item.state == S.QUEUED) is expected


def test_both_answers_occur() -> None:
    assert 0 < len(FINAL_CODES) < len(BY_CODE)
    assert {"too_large", "gone", "not_understood"} <= set(FINAL_CODES)
    assert not {"media_unavailable", "upstream_down", "internal"} & set(FINAL_CODES)


@pytest.mark.parametrize("state", [S.QUEUED, S.RUNNING, S.DONE, S.EMPTY, S.CANCELLED])
def test_only_what_ended_short_is_retried(alice: User, state: ItemState) -> None:
    make_settled(alice, state, "upstream_down")
    assert not retry_may_help(state, "upstream_down")
    assert not actions.retryable(Item.objects.all()).exists()
