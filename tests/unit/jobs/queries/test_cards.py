"""Jobs as cards, and the search among them."""

from __future__ import annotations

import pytest

from jobs.models import Role
from jobs.queries import cards
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db


def test_cards() -> None:
    alice = make_user("alice")
    job = make_job(alice)
    for name in ("a1", "b2", "c3", "d4"):
        make_item(job, name=name, state=ItemState.FAILED, error_code="upstream_down")
    make_artifact(make_story(job.items.first()))
    make_artifact(make_story(job.items.first()), role=Role.POSTER)
    (card,) = cards.job_cards(cards.search_jobs(alice))
    assert (card.names, card.more_names) == (("@a1", "@b2", "@c3"), 1)
    assert (card.files, len(card.thumbnails), card.retryable, card.state) == (1, 1, 4, "failed")
    assert not cards.search_jobs(make_user("bob"))
    assert len(cards.search_jobs(alice, "@B2")) == 1
    assert len(cards.search_jobs(alice, "zzz")) == 0
