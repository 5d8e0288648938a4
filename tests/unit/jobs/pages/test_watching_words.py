"""What the page of watched accounts says of each: what is waited for, what was found, what fell
short, and what is no longer so."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import Item, Watch, WatchedAccount, WatchState
from jobs.states import ItemState
from jobs.upstream import breaker
from jobs.watching import permission
from notices.models import Preference, Webhook
from stories.errors import RateLimited
from tests.unit.jobs.pages.pages import shown
from tests.watched import DAY, HOUR, make_find, make_watch

pytestmark = pytest.mark.django_db
URL = "/watching/"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _everybody_may(set_env: Callable[..., None]) -> None:
    set_env(watches="members")


def first_look(owner: User, **facts: Any) -> Watch:
    """A watch whose first look is to come."""
    now = timezone.now()
    first = {"tiktok_id": "", "state": WatchState.CHECKING, "covered_until": None,
             "looked_at": None, "created_at": now, "next_at": now}  # fmt: skip
    return make_watch(owner, **(first | facts))


def words(client: Client) -> str:
    """What the one card says, without marks; times as T."""
    (said,) = re.findall(r'<p class="words" role="status">(.*?)</p>', shown(client.get(URL)))
    bare = re.sub(r"<[^>]+>", "", re.sub(r"<time.*?</time>", "T", said))
    return " ".join(bare.split())


def refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have TikTok turn this server away."""
    until = timezone.now() + 5 * MINUTE
    state = breaker.BreakerState(until, RateLimited.code)
    monkeypatch.setattr(breaker, "open_state", lambda: state)


# --- what is waited for ---


def test_while_tiktok_refuses_nobody_is_said_to_look(
    client: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_look(alice)
    assert words(client) == "Looking at @nora …"
    refuse(monkeypatch)
    assert words(client) == "Waits until TikTok lets us ask again."
    page = shown(client.get(URL))
    assert "Looks wait and will continue on their own." in page
    assert "Your links are waiting" not in page
    Watch.objects.all().delete()
    now = timezone.now()
    make_watch(alice, checked_at=now, next_at=now)
    assert words(client) == "Waits until TikTok lets us ask again."


def test_while_all_rests_nobody_is_said_to_look(client: Client, alice: User) -> None:
    watch = first_look(alice)
    permission.set_paused(paused=True)
    assert words(client) == "It is looked at once an admin resumes watching."
    Watch.objects.update(error_code="timed_out")
    assert words(client) == "It is looked at once an admin resumes watching."
    watch.delete()
    make_watch(alice, checked_at=timezone.now(), next_at=timezone.now())
    assert words(client) == "It is looked at once an admin resumes watching."


def test_a_look_that_takes_long_is_said_to(client: Client, alice: User) -> None:
    ago = timezone.now() - 3 * MINUTE
    watch = first_look(alice, created_at=ago, next_at=ago)
    said = "This look takes longer than usual. You need not wait here."
    assert words(client) == said
    watch.delete()
    make_watch(alice, checked_at=ago, next_at=ago)
    assert words(client) == said


# --- what came of it ---


def test_what_could_not_be_saved_is_no_success(client: Client, alice: User) -> None:
    watch = make_watch(alice, looked_at=timezone.now() - MINUTE)
    job = make_find(alice, watch=watch, stories=2)
    assert words(client) == "Found 2 stories, T. Open what was found: @nora"
    assert '<span class="pill good">' in shown(client.get(URL))
    stories = job.items.get().stories
    stories.filter(position=1).update(state=ItemState.PARTIAL)
    assert words(client).startswith("Found 2 stories, T. 1 saved in part. Open")
    stories.filter(position=1).update(state=ItemState.FAILED)
    assert words(client).startswith("Found 2 stories, T. 1 not saved. Open")
    page = shown(client.get(URL))
    assert '<strong class="short">1 not saved.</strong>' in page
    assert '<span class="pill warn">' in page
    Watch.objects.update(state=WatchState.PAUSED, next_at=None)
    assert "1 not saved. Last found: 2 stories, T" in words(client)


def test_a_look_that_found_nothing_is_said_beside_the_last_find(
    client: Client, alice: User
) -> None:
    watch = make_watch(alice, looked_at=timezone.now())
    assert words(client) == "Nothing new so far."
    Watch.objects.update(checked_at=timezone.now() - MINUTE)
    assert words(client) == "Looked at T, nothing new."
    make_find(alice, watch=watch, stories=4)
    Item.objects.update(created_at=timezone.now() - HOUR)
    said = "Looked at T, nothing new. Last found: 4 stories, T: @nora"
    assert words(client) == said
    Item.objects.update(state=ItemState.QUEUED)
    assert words(client).startswith("Found 4 stories, saving them now. Open")


def test_a_look_that_brought_nothing_failed_and_is_not_incomplete(
    client: Client, alice: User
) -> None:
    watch = make_watch(alice, error_code="upstream_down")
    assert words(client) == "The last look failed: TikTok is not answering."
    make_find(alice, watch=watch)
    assert words(client).startswith("The last look was incomplete: TikTok is not answering.")
    Item.objects.update(created_at=timezone.now() - DAY)
    assert words(client).startswith("The last look failed: TikTok is not answering.")


# --- what is no longer so ---


@pytest.mark.parametrize("what", ["change", "renew", "pause", "resume", "check"])
def test_of_a_watch_that_has_ended_nothing_is_said_to_be_saved(
    client: Client, alice: User, what: str
) -> None:
    watch = make_watch(alice, state=WatchState.ENDED, next_at=None, error_code="private_account")
    sent = {"what": what, "note": "kept nowhere"}
    page = shown(client.post(f"{URL}{watch.pk}/", sent, follow=True))
    assert "Nothing was changed: this watch has ended." in page
    assert "Saved." not in page
    assert "Renewed." not in page
    assert Watch.objects.get().note == ""


def test_what_changes_when_a_watch_ends_is_looked_at_again(client: Client, alice: User) -> None:
    """The page's script replaces what is `data-live`, and keeps settings only where there are."""
    for name in ("nora", "omar"):
        make_watch(alice, name)
    page = shown(client.get(URL))
    numbers = page.split('id="live-numbers" data-live>')[1].split('<ul class="watches">')[0]
    assert 'id="cost"' in numbers
    assert "Pause all" in numbers
    Watch.objects.update(state=WatchState.ENDED, next_at=None)
    page = shown(client.get(URL))
    assert 'class="options"' not in page
    assert "You watch 0 of at most 5." in page
    # What begins it anew is part of what is replaced.
    live = page.split("data-live>")[3]
    assert "Watch again" in live
    assert 'name="line" value="@nora"' in live


def test_more_than_are_allowed_now_are_not_said_to_be(
    client: Client, alice: User, set_env: Callable[..., None]
) -> None:
    for name in ("nora", "omar"):
        make_watch(alice, name)
    set_env(watches="members", watches_per_member=1)
    page = shown(client.get(URL))
    assert "You watch 2, more than the 1 allowed now." in page
    assert "at most" not in page.split('id="cost"')[1].split("</p>")[0]


# --- what is asked for ---


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("https://vm.tiktok.com/ZMok1/", "This link hides the account&#x27;s name."),
        ("@harbour.bakery @night.trains", "Watch one account at a time."),
    ],
)
def test_a_line_that_is_not_one_name_is_refused_in_words_of_its_own(
    client: Client, line: str, said: str
) -> None:
    response = client.post(URL, {"line": line})
    assert response.status_code == 422
    page = shown(response)
    assert said in page
    assert f'value="{line}"' in page
    assert not WatchedAccount.objects.exists()


def test_who_cannot_be_told_is_shown_where_to_choose_how(client: Client, alice: User) -> None:
    make_watch(alice)
    link = '<a href="/account/notifications/">Choose how you are told</a>'
    assert link in shown(client.get(URL))
    Preference.objects.create(owner=alice)
    assert link in shown(client.get(URL))
    Webhook.objects.create(owner=alice, address="sealed", secret="sealed", host="x")
    assert link not in shown(client.get(URL))
