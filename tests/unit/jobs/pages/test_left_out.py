"""A line whose list leaves stories out: the page, its heading and the history say so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import Item, Job
from jobs.states import ItemState
from tests.factories import make_artifact, make_item
from tests.unit.jobs.pages.pages import page_of, saved, shown

pytestmark = pytest.mark.django_db
S = ItemState


def short(owner: User, left_out: dict[str, int], code: str, **facts: Any) -> Job:
    """A settled job with one saved story, and more that its list leaves out."""
    job = saved(owner)
    facts = {"state": S.PARTIAL, "left_out": left_out, "error_code": code} | facts
    job.items.update(**facts)
    return job


def test_what_was_left_out_is_said_with_its_number_and_not_called_all(
    client: Client, alice: User
) -> None:
    job = short(alice, {"no_media": 1}, "upstream_changed", error_detail="left out: 1 no_media")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "1 file saved and checked, 5 B. 1 story left out" in page.replace("\xa0", " ")
    assert 'class="verdict partial"' in page
    assert "<strong>1 story came without a file that can be saved.</strong>" in page
    assert "no_media" not in page
    assert "1 story left out" in shown(client.get(f"/jobs/{job.pk}/progress/"))
    for address in ("/history/", "/"):
        # A place of its own: the words before it are cut where they are too long.
        assert '<li class="partial">1 left out</li>' in shown(client.get(address))


def test_every_reason_has_its_sentence(client: Client, alice: User) -> None:
    left_out = {"held_back": 2, "private": 1, "foreign": 3}
    job = short(alice, left_out, "upstream_down")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "TikTok counts 2 more stories than it shows us." in page
    assert "1 story is private." in page
    assert "3 entries of the list belong to other accounts." in page
    assert "6 stories left out" in page
    assert "TikTok is not answering" not in page, "it did answer"
    assert "Trying again later often works." in page
    assert "Retry</button>" in page


def test_what_will_not_come_has_no_retry(client: Client, alice: User) -> None:
    job = short(alice, {"age_restricted": 1}, "age_restricted")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "1 story is for signed-in adults only." in page
    assert "Retry</button>" not in page


def test_each_hint_stands_below_what_it_is_about(client: Client, alice: User) -> None:
    reasons = {"held_back": 2, "broken_off": 1, "private": 2, "age_restricted": 1, "foreign": 1}
    job = short(alice, reasons, "upstream_down")
    (line,) = page_of(job).lines
    assert (line.message, line.hint) == ("", "")
    texts = [[*group.sentences, group.hint] for group in line.left_out]
    assert texts[0] == [
        "TikTok counts 2 more stories than it shows us.",
        "TikTok’s list broke off: at least 1 story is missing.",
        "Trying again later often works.",
    ]
    assert texts[1][0] == "1 story is for signed-in adults only."
    assert texts[2][0] == "2 stories are private."
    hints = [group.hint for group in line.left_out]
    assert all(hints)
    assert len(set(hints)) == len(hints) == 4
    page = shown(client.get(f"/jobs/{job.pk}/"))
    places = [page.index(words) for group in texts for words in group]
    assert places == sorted(places)


def test_among_many_lines_a_hint_is_said_once(alice: User) -> None:
    job = short(alice, {"held_back": 2}, "upstream_down")
    for number in range(7):
        make_item(job, name=f"n{number}", state=S.FAILED, left_out={"held_back": 1},
                  error_code="upstream_down")  # fmt: skip
    hints = [group.hint for line in page_of(job).shown_lines for group in line.left_out]
    assert len(hints) == 8
    assert [hint for hint in hints if hint] == ["Trying again later often works."]


def test_an_error_of_another_cause_is_said_besides(alice: User) -> None:
    job = short(alice, {"private": 1}, "media_unavailable")
    (line,) = page_of(job).lines
    assert line.message.startswith("TikTok would not hand over this file")
    assert [group.sentences for group in line.left_out] == [("1 story is private.",)]
    # One that stands for a story's own failure, too, is not explained by the list.
    job = short(alice, {"not_ready": 1}, "media_unavailable")
    job.items.get().stories.update(state=S.FAILED, error_code="media_unavailable")
    (line,) = page_of(job).lines
    assert line.message.startswith("TikTok would not hand over this file")
    (group,) = line.left_out
    assert group.sentences == ("1 story was not ready on TikTok yet.",)


def test_a_line_that_waits_for_another_look_says_what_it_waits_for(
    client: Client, alice: User
) -> None:
    later = timezone.now() + timedelta(minutes=1)
    job = short(alice, {"held_back": 1}, "upstream_down", state=S.QUEUED, not_before=later)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "TikTok counts 1 more story than it shows us." in page
    assert "Next attempt" in page
    assert "1 story left out" not in page, "nothing is final yet"
    Item.objects.update(error_code="refused")
    assert page_of(job).lines[0].left_out == ()
    Item.objects.update(error_code="", not_before=None)
    assert page_of(job).lines[0].left_out == (), "asked for again, and nothing known of that yet"
    Item.objects.update(state=S.RUNNING, error_code="", heartbeat_at=later)
    assert page_of(job).lines[0].left_out == ()


def test_a_zip_of_a_part_is_not_called_everything(client: Client, alice: User) -> None:
    job = short(alice, {"private": 1}, "private_post")
    make_artifact(job.items.get().stories.get(), position=2)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert 'Save 2<span class="visually-hidden"> files</span>' in page
    assert "everything" not in page


def test_nothing_saved_and_something_left_out(client: Client, alice: User) -> None:
    job = short(alice, {"private": 2}, "private_post", state=S.FAILED)
    job.items.get().stories.all().delete()
    make_item(job, name="bea", state=S.EMPTY)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "Nothing could be saved. 2 stories left out" in page
    assert "<strong>2 stories are private.</strong>" in page
