"""Fetching again: which lines, with what, and that page and list agree about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.errors import QuotaExceeded
from jobs.files import damage, deletion, store
from jobs.models import DAMAGED, Audio, Item, ItemKind, Job, Prefer
from jobs.pages import presenter
from jobs.queries import cards, snapshot
from jobs.queue import actions, resubmission
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.pages.pages import saved, shown

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def cancelled(owner: User, *, lines: int = 3, saved: int = 0) -> Job:
    """Stopped while saving: each line knows a story; the first `saved` lines have its file."""
    stopped: dict[str, Any] = {"state": ItemState.CANCELLED, "error_code": "cancelled"}
    job = make_job(owner, settled_at=timezone.now())
    for number in range(lines):
        item = make_item(job, name=f"line{number}", author_name=f"line{number}", **stopped)
        now = timezone.now()
        story = make_story(item, posted_at=now - HOUR, leaves_at=now + 20 * HOUR, **stopped)
        if number < saved:
            make_artifact(story)
    return job


def fresh(old: Job) -> Job:
    """The other job."""
    return Job.objects.exclude(pk=old.pk).get()


def test_cancelling_is_said_once(client: Client, alice: User) -> None:
    job = cancelled(alice)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "What was already saved stays" not in page
    assert page.count("Not saved") == 3
    # The headline, which is read aloud, too, and the state of each line.
    assert page.count("Cancelled") == 2 + 3
    assert 'class="verdict' not in page


def test_a_cancelled_line_tells_what_it_saved(client: Client, alice: User) -> None:
    page = shown(client.get(f"/jobs/{cancelled(alice, saved=1).pk}/"))
    assert "1 of 1 files saved" in page


@pytest.mark.parametrize(
    ("lines", "saved", "words"),
    [(3, 0, "Fetch all again (3)"), (3, 1, "Fetch the rest (3)"), (1, 0, "Fetch again"),
     (1, 1, "Fetch the rest")],
)  # fmt: skip
def test_there_is_a_way_on_after_cancelling(
    client: Client, alice: User, lines: int, saved: int, words: str
) -> None:
    job = cancelled(alice, lines=lines, saved=saved)
    assert f"{words}</button>" in shown(client.get(f"/jobs/{job.pk}/"))
    page = shown(client.get("/history/"))
    assert f'action="/jobs/{job.pk}/again/"' in page


def test_the_rest_of_a_rest_is_still_the_rest(client: Client, alice: User) -> None:
    old = cancelled(alice, saved=1)
    client.post(f"/jobs/{old.pk}/again/")
    rest = fresh(old)
    client.post(f"/jobs/{rest.pk}/cancel/")
    assert "Fetch the rest (3)</button>" in shown(client.get(f"/jobs/{rest.pk}/"))
    deletion.delete_job_files(old)
    assert "Fetch all again (3)</button>" in shown(client.get(f"/jobs/{rest.pk}/"))


def test_a_new_job_has_the_lines_the_note_and_the_options(client: Client, alice: User) -> None:
    old = cancelled(alice, lines=2)
    make_item(old, name="fine", state=ItemState.EMPTY)
    Job.objects.filter(pk=old.pk).update(
        note="why", posts=True, audio=Audio.MP3, prefer=Prefer.HIGHEST
    )
    response = client.post(f"/jobs/{old.pk}/again/")
    job = fresh(old)
    assert response["Location"] == f"/jobs/{job.pk}/"
    assert (job.note, job.posts, job.audio, job.prefer) == ("why", True, "mp3", "highest")
    assert list(job.items.order_by("position").values_list("line", flat=True)) == [
        "@line0",
        "@line1",
    ]
    assert old.items.filter(state=ItemState.CANCELLED).count() == 2


def test_it_counts_against_the_limits(
    client: Client, alice: User, set_env: Callable[..., object]
) -> None:
    set_env(quota_active=1)
    old = cancelled(alice, lines=2)
    with pytest.raises(QuotaExceeded):
        resubmission.refetch(old)
    response = client.post(f"/jobs/{old.pk}/again/", follow=True)
    assert "message error" in shown(response)
    assert Job.objects.count() == 1


def test_a_cleaned_up_job_is_fetched_again_as_a_whole(client: Client, alice: User) -> None:
    job = saved(alice)
    other = make_story(job.items.get(), leaves_at=timezone.now() + HOUR)
    make_artifact(other)
    assert "Fetch all again" not in shown(client.get(f"/jobs/{job.pk}/"))
    deletion.delete_job_files(job)
    assert "Fetch all again</button>" in shown(client.get(f"/jobs/{job.pk}/"))
    for address in ("/", "/history/"):
        page = shown(client.get(address))
        assert "Deleted" in page
        assert '<span class="state done">' not in page
    client.post(f"/jobs/{job.pk}/again/")
    assert fresh(job).items.get().line == "@nora"


def test_a_story_that_is_alone_has_one_button(client: Client, alice: User) -> None:
    job = saved(alice)
    deletion.delete_job_files(job)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert page.count("Fetch again") == 1
    assert f"/jobs/{job.pk}/again/" not in page


def test_an_account_whose_stories_have_left_may_have_new_ones(client: Client, alice: User) -> None:
    job = saved(alice)
    job.items.get().stories.update(leaves_at=timezone.now() - HOUR)
    deletion.delete_job_files(job)
    assert "Check again</button>" in shown(client.get(f"/jobs/{job.pk}/"))
    Item.objects.update(kind=ItemKind.STORY)
    assert f"/jobs/{job.pk}/again/" not in shown(client.get(f"/jobs/{job.pk}/"))


def test_nothing_to_fetch_again_is_said(client: Client, alice: User) -> None:
    job = saved(alice)
    page = shown(client.post(f"/jobs/{job.pk}/again/", follow=True))
    assert "There is nothing in this job to fetch again." in page
    assert Job.objects.count() == 1


def test_page_and_list_agree(alice: User) -> None:
    """One asks a snapshot, the other the rows."""
    now = timezone.now()
    job = make_job(alice, settled_at=now)
    for state in (ItemState.DONE, ItemState.PARTIAL, ItemState.CANCELLED, ItemState.FAILED):
        for kind in ItemKind:
            for leaves_at in (None, now + HOUR, now - HOUR):
                for removed_at, labels in ((None, []), (now, []), (now, ["hevc", DAMAGED])):
                    item = make_item(job, state=state, kind=kind)
                    story = make_story(item, leaves_at=leaves_at, media_count=2)
                    make_artifact(story, removed_at=removed_at, labels=labels)
                    make_artifact(story, removed_at=None if labels else removed_at)
        make_item(job, state=state)
    items = resubmission.with_refetch_facts(Item.objects.filter(job=job), now)
    rows = {item.pk for item in items if resubmission.is_refetchable(item)}
    seen = snapshot.load_snapshot(job.pk, alice)
    assert seen
    assert rows == {item.id for item in seen.items if presenter.is_refetchable(item, now)}
    assert 0 < len(rows) < job.items.count()
    (card,) = cards.job_cards([job])
    assert card.refetchable == len(rows)


def test_what_was_damaged_is_fetched_while_its_story_lives(client: Client, alice: User) -> None:
    job = saved(alice)
    others = [
        make_story(job.items.get(), leaves_at=timezone.now() + HOUR, media_count=2)
        for _ in range(2)
    ]
    files = [make_artifact(story, content=b"%d" % n) for n, story in enumerate(others * 2)]
    assert f"/jobs/{job.pk}/again/" not in shown(client.get(f"/jobs/{job.pk}/"))
    store.remove(files[0].pk)
    damage.give_up(files[:1])
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "Photo 1 was damaged on our disk." in page
    assert "Fetch the rest</button>" in page
    client.post(f"/jobs/{job.pk}/again/")
    line = fresh(job).items.get()
    assert (line.line, line.refetch_of) == ("@nora", job.items.get().pk)
    others[0].leaves_at = timezone.now() - HOUR
    others[0].save()
    assert f"/jobs/{job.pk}/again/" not in shown(client.get(f"/jobs/{job.pk}/"))


@pytest.mark.parametrize("later_s", [0, 11])
def test_two_taps_are_one_job_and_two_wishes_two(client: Client, alice: User, later_s: int) -> None:
    old = cancelled(alice)
    first = client.post(f"/jobs/{old.pk}/again/")["Location"]
    Job.objects.exclude(pk=old.pk).update(created_at=timezone.now() - timedelta(seconds=later_s))
    second = client.post(f"/jobs/{old.pk}/again/")["Location"]
    assert (first == second) == (later_s == 0)


def test_a_job_stopped_at_once_is_not_the_answer(client: Client, alice: User) -> None:
    old = cancelled(alice)
    client.post(f"/jobs/{old.pk}/again/")
    actions.cancel(fresh(old))
    client.post(f"/jobs/{old.pk}/again/")
    assert Job.objects.count() == 3
