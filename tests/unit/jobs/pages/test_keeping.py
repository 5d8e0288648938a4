"""How much longer files may be kept: as many choices as gain something."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from jobs.pages import keeping
from tests.unit.jobs.pages.pages import page_of, saved

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("longest_h", "hours"),
    [
        (2, []),
        (3, [(2, True)]),
        (4, [(2, False)]),
        (7, [(2, False), (8, True)]),
        (48, [(2, False), (8, False), (24, False)]),
    ],
)
def test_choices_end_where_the_instance_does(
    alice: User,
    set_env: Callable[..., object],
    longest_h: int,
    hours: list[tuple[int, bool]],
) -> None:
    set_env(artifact_ttl=timedelta(hours=2), artifact_ttl_max=timedelta(hours=longest_h))
    job = page_of(saved(alice)).job
    made = keeping.offers(job.present)
    assert [(offer.hours, offer.longest) for offer in made] == hours
    assert all(offer.until for offer in made)


def test_without_files_there_is_nothing_to_keep() -> None:
    assert keeping.offers(()) == ()


@pytest.mark.parametrize(("text", "asked"), [("8", timedelta(hours=8)), ("3", None), ("", None)])
def test_what_a_form_may_ask_for(text: str, asked: timedelta | None) -> None:
    assert keeping.asked_hours(text) == asked
