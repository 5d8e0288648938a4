"""The page of watched accounts, and the offers to watch one elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.models import Job, Watch, WatchedAccount, WatchGap, WatchState
from jobs.states import ItemState
from jobs.watching import permission
from tests.factories import make_item, make_job, make_user
from tests.unit.jobs.pages.pages import shown
from tests.watched import DAY, HOUR, make_find, make_watch

pytestmark = pytest.mark.django_db
URL = "/watching/"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _everybody_may(set_env: Callable[..., None]) -> None:
    set_env(watches="members")


def act(client: Client, watch: Watch, what: str, **fields: str) -> str:
    """Press a button of a watch, and read the page it leads to."""
    return shown(client.post(f"{URL}{watch.pk}/", {"what": what} | fields, follow=True))


def card(page: str, name: str) -> str:
    """What a page shows of the watch of this name."""
    (found,) = [part for part in page.split('<li class="watch ')[1:] if name in part]
    return found


@pytest.mark.parametrize("watches", ["off", "admins"])
def test_who_may_not_watch_finds_no_page_and_no_link(
    client: Client, alice: User, set_env: Callable[..., None], watches: str
) -> None:
    job = make_job(alice, settled_at=timezone.now())
    make_item(job, name="nora", state=ItemState.EMPTY)
    set_env(watches=watches)
    assert "20 hours" not in shown(client.get("/help/"))
    for address in ("/", f"/jobs/{job.pk}/", "/history/", "/help/", "/account/"):
        assert URL not in shown(client.get(address)), address
    assert client.get(URL).status_code == 404
    assert client.post(URL, {"line": "@nora"}).status_code == 404
    assert client.post(f"{URL}all/").status_code == 404


@pytest.mark.parametrize("watches", ["off", "admins"])
def test_who_may_watch_no_longer_sees_what_rests_and_stops_it(
    client: Client, alice: User, set_env: Callable[..., None], watches: str
) -> None:
    nora, omar = make_watch(alice, "nora"), make_watch(alice, "omar")
    Watch.objects.filter(pk=omar.pk).update(state=WatchState.ENDED, next_at=None)
    set_env(watches=watches)
    assert 'href="/watching/"' not in shown(client.get("/"))
    assert 'href="/watching/"' in shown(client.get("/account/data/"))
    page = shown(client.get(URL))
    assert "not switched on for you" in page
    assert 'name="line"' not in page
    assert "Check now" not in page
    assert client.post(URL, {"line": "@pia"}).status_code == 404
    for what in ("change", "check", "pause", "resume", "renew"):
        assert client.post(f"{URL}{nora.pk}/", {"what": what}).status_code == 404, what
    assert client.post(f"{URL}{omar.pk}/stop/").headers["Location"] == URL
    assert client.post(f"{URL}{nora.pk}/stop/").headers["Location"] == "/"
    assert "no longer watch" in shown(client.get("/"))
    assert client.get(URL).status_code == 404
    assert not Watch.objects.exists()


def test_an_admin_may_where_only_admins_do(client: Client, set_env: Callable[..., None]) -> None:
    set_env(watches="admins")
    client.force_login(make_user("boss", is_staff=True))
    assert 'href="/watching/"' in shown(client.get("/"))
    assert client.get(URL).status_code == 200
    assert "at most 20 hours after" in shown(client.get("/help/"))


def test_an_account_is_watched_by_its_name_or_a_link(client: Client, alice: User) -> None:
    response = client.post(URL, {"line": "https://www.tiktok.com/@Nora?x=1", "every": "10800"})
    watch = Watch.objects.get(owner=alice)
    assert response.headers["Location"] == f"{URL}#watch-{watch.pk}"
    assert (watch.account.name, watch.every_s) == ("nora", 10800)
    page = shown(client.get(URL))
    assert "Looking at <bdi>@nora</bdi> …" in page
    assert "data-busy" in page
    assert '<meta http-equiv="refresh" content="5; url=/watching/">' in page
    assert "1 account = 8 looks a day" in page


def test_a_line_that_names_nobody_is_refused_with_what_was_typed(client: Client) -> None:
    response = client.post(URL, {"line": 'https://example.com/"<b>'})
    assert response.status_code == 422
    page = shown(response)
    assert 'role="alert"' in page
    assert "&quot;&lt;b&gt;" in page
    assert not Watch.objects.exists()


@pytest.mark.parametrize("every", ["1", "x", "١٠٨٠٠", "99999999999999"])
def test_a_rhythm_that_is_not_offered_is_refused(client: Client, every: str) -> None:
    response = client.post(URL, {"line": "@nora", "every": every})
    assert response.status_code == 422
    assert "Choose how often to look." in shown(response)


def test_one_that_is_watched_already_is_said_to_be(client: Client, alice: User) -> None:
    make_watch(alice)
    make_watch(alice, "omar")
    page = shown(client.post(URL, {"line": "@nora"}, follow=True))
    assert "You already watch @nora." in card(page, "@nora")
    assert page.count("You already watch") == 1
    assert Watch.objects.count() == 2


def test_the_limit_is_said(client: Client, alice: User, set_env: Callable[..., None]) -> None:
    set_env(watches_per_member=1)
    make_watch(alice)
    response = client.post(URL, {"line": "@omar"})
    assert response.status_code == 422
    assert "You watch 1 account already, the most allowed here." in shown(response)


def test_what_it_costs_is_said(client: Client, alice: User) -> None:
    for number in range(8):
        make_watch(alice, f"account{number}")
    assert "8 accounts = 32 looks a day" in shown(client.get(URL))


def test_a_private_account_is_refused_there_and_can_be_removed(client: Client, alice: User) -> None:
    watch = make_watch(
        alice, tiktok_id="", state=WatchState.ENDED, next_at=None, covered_until=None,
        error_code="private_account",
    )  # fmt: skip
    page = shown(client.get(URL))
    assert "This account is private." in page
    assert '<span class="hint">' in page
    assert '<span class="pill">Not watched</span>' in page
    assert "Looked" not in page
    assert 'class="week"' not in page
    act(client, watch, "remove")
    assert not Watch.objects.exists()
    assert not WatchedAccount.objects.exists()


def test_what_a_first_look_found_leads_to_its_job(client: Client, alice: User) -> None:
    watch = make_watch(alice)
    job = make_job(alice, from_watch=True, watch=watch)
    make_item(job, name="nora", only_ids="1 2 3")
    page = shown(client.get(URL))
    assert "Found 3 stories, saving them now." in page
    assert f'href="/jobs/{job.pk}/"' in page
    job.items.update(state=ItemState.DONE)
    assert "Found 3 stories, <time" in shown(client.get(URL))


def test_seven_dots_say_what_was_covered_and_gaps_stand_in_words(
    client: Client, alice: User
) -> None:
    now = timezone.now()
    watch = make_watch(alice, created_at=now - 4 * DAY + HOUR)
    WatchGap.objects.create(watch=watch, begins_at=now - 2.5 * DAY, ends_at=now - 2.2 * DAY)
    page = shown(client.get(URL))
    dots = [part.split('"')[0] for part in page.split('<li class="')[1:] if "visually" in part[:60]]
    assert dots == ["before", "before", "before", "whole", "hole", "whole", "whole"]
    assert page.count("Not covered from <time") == 2  # for the ear in its dot, and in words
    assert page.count("not watched yet") == 3
    Watch.objects.update(covered_until=now - 30 * HOUR)
    assert "Not covered since <time" in shown(client.get(URL))


def test_the_buttons_of_a_watch(client: Client, alice: User) -> None:
    watch = make_watch(alice)
    page = act(client, watch, "pause")
    assert "Nobody looks until you resume it." in page
    assert 'value="check"' not in page
    assert "Looking now …" in act(client, watch, "resume")
    Watch.objects.update(checked_at=None)
    page = act(client, watch, "check")
    assert "You can check again at <time" in page
    assert "Looking now …" in page
    assert "You can check again at " in act(client, watch, "check")
    assert client.post(f"{URL}{watch.pk}/", {"what": "explode"}).status_code == 404
    act(client, watch, "remove")  # only of one that has ended
    assert Watch.objects.exists()


def test_what_was_done_is_said_in_the_card_that_it_was_done_to(client: Client, alice: User) -> None:
    watch = make_watch(alice, renew_by=timezone.now() + DAY)
    make_watch(alice, "omar")
    for what, fields, said in (
        ("change", {"every": "43200"}, "Saved."),
        ("change", {"every": "7"}, "Choose how often to look."),
        ("renew", {}, "Renewed."),
    ):
        page = act(client, watch, what, **fields)
        assert page.count(f'role="status">{said}</p>') == 1, what
        assert said in card(page, "@nora")
        assert 'class="messages"' not in page
    act(client, watch, "check")
    page = act(client, watch, "check")
    free_at = timezone.localtime(Watch.objects.get(pk=watch.pk).checked_at) + 10 * MINUTE
    assert f"You can check again at {free_at:%H:%M}." in card(page, "@nora")


def test_a_message_about_a_watch_that_is_gone_stands_at_the_top(
    client: Client, alice: User
) -> None:
    watch = make_watch(alice)
    client.post(f"{URL}{watch.pk}/", {"what": "change"})
    watch.delete()
    page = shown(client.get(URL))
    assert page.index('class="messages"') < page.index("Saved.") < page.index("<main")


def test_while_a_first_look_runs_nobody_can_ask_for_it(client: Client, alice: User) -> None:
    now = timezone.now()
    make_watch(
        alice, tiktok_id="", state=WatchState.CHECKING, next_at=now, covered_until=None,
        looked_at=None, created_at=now,
    )  # fmt: skip
    page = shown(client.get(URL))
    assert "Looking at" in page
    assert 'value="check"' not in page
    assert "Next look" not in page
    Watch.objects.update(error_code="upstream_unavailable")
    page = shown(client.get(URL))
    assert 'value="check"' in page
    assert "Next look" in page


def test_of_many_gaps_two_are_shown_and_a_day_is_named_once(client: Client, alice: User) -> None:
    noon = timezone.localtime().replace(hour=12, minute=0) - 2 * DAY
    watch = make_watch(alice, created_at=noon - 30 * DAY)
    for hours in (0, 1, 2, 3):
        at = noon - hours * HOUR
        WatchGap.objects.create(watch=watch, begins_at=at, ends_at=at + HOUR / 2)
    page = shown(client.get(URL))
    shown_first, folded = page.split('<ul class="gaps">')[1].split('<details class="gaps">')
    assert shown_first.count("Not covered from") == 2
    assert folded.split("</details>")[0].count("Not covered from") == 2
    assert "and 2 more" in folded
    assert re.search(
        r"Not covered from <time[^>]*>[^<]*12:00[^<]*</time> to <time[^>]*>12:30 ", page
    )
    assert "A hollow day is not fully covered" in page
    WatchGap.objects.all().delete()
    assert "A hollow day" not in shown(client.get(URL))


def test_days_have_initials_and_today_is_marked(client: Client, alice: User) -> None:
    make_watch(alice)
    page = shown(client.get(URL))
    initials = re.findall(r'data-when="initial">(\w)</time>', page)
    today = timezone.localdate()
    assert initials == [f"{today - days * DAY:%a}"[0] for days in range(6, -1, -1)]
    assert page.count('aria-current="date"') == 1


def test_a_paused_watch_says_what_it_found_last(client: Client, alice: User) -> None:
    watch = make_watch(alice, state=WatchState.PAUSED, next_at=None)
    job = make_find(alice, watch=watch, stories=4)
    page = shown(client.get(URL))
    assert f'<a href="/jobs/{job.pk}/">Last found: 4 stories, <time' in page
    assert ">Open<" not in page


def test_its_settings_are_changed(client: Client, alice: User) -> None:
    watch = make_watch(alice)
    page = act(client, watch, "change", every="43200", note="for <Omar>\nand me")
    assert "for &lt;Omar&gt;" in page
    watch.refresh_from_db()
    assert (watch.every_s, watch.note, watch.notify) == (43200, "for <Omar>\nand me", False)
    assert "Choose how often to look." in act(client, watch, "change", every="7")


def test_it_is_renewed_in_its_last_week(client: Client, alice: User) -> None:
    watch = make_watch(alice)
    assert 'value="renew"' not in shown(client.get(URL))
    Watch.objects.update(renew_by=timezone.now() + 6 * DAY)
    page = shown(client.get(URL))
    assert 'value="renew"' in page
    assert "unless you renew it" in page
    assert 'value="renew"' not in act(client, watch, "renew")


def test_it_is_asked_before_a_watch_is_deleted(client: Client, alice: User) -> None:
    watch = make_watch(alice)
    address = f"{URL}{watch.pk}/stop/"
    assert "Stop watching <bdi>@nora</bdi>?" in shown(client.get(address))
    assert Watch.objects.exists()
    assert "You no longer watch" in shown(client.post(address, follow=True))
    assert not Watch.objects.exists()


def test_all_of_mine_are_paused_and_resumed_and_nobody_elses(client: Client, alice: User) -> None:
    for name in ("nora", "omar"):
        make_watch(alice, name)
    others = make_watch(make_user("bob"), "nora")
    assert "2 watches paused." in shown(client.post(f"{URL}all/", {"what": "pause"}, follow=True))
    others.refresh_from_db()
    assert others.state == WatchState.ACTIVE
    page = shown(client.post(f"{URL}all/", {"what": "resume"}, follow=True))
    assert "2 watches resumed." in page
    assert "Pause all" in page


def test_nobody_sees_or_touches_anothers(client: Client, bobs: Client, alice: User) -> None:
    watch = make_watch(alice, nickname="Nora’s bakery")
    assert "bakery" in shown(client.get(URL))
    assert "bakery" not in shown(bobs.get(URL))
    for path in ("", "stop/"):
        assert bobs.post(f"{URL}{watch.pk}/{path}", {"what": "pause"}).status_code == 404
    # Their own of the same account has times of its own.
    mine = make_watch(User.objects.get(username="bob"), looked_at=None, covered_until=None)
    assert str(watch.pk) not in shown(bobs.get(URL))
    assert str(mine.pk) in shown(bobs.get(URL))
    assert "Covered until" not in shown(bobs.get(URL))


def test_a_rest_that_an_admin_ordered_is_said(client: Client, alice: User) -> None:
    watch = make_watch(alice, next_at=timezone.now())
    permission.set_paused(paused=True)
    page = shown(client.get(URL))
    assert "An admin has paused all watching." in page
    assert '<span class="pill">Paused by an admin</span>' in page
    assert 'id="cost"' not in page
    assert 'value="check"' not in page
    assert "data-busy" not in page
    assert 'role="status"' in act(client, watch, "pause")


def test_fifty_watches_take_as_many_queries_as_one(
    client: Client, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    counts = []
    for number in (1, 50):
        for place in range(number):
            watch = make_watch(alice, f"account{number}.{place}")
            make_find(alice, f"account{number}.{place}", watch=watch)
        # Session, user; watches, gaps, finds; whether all rests; whether alice is told.
        with django_assert_num_queries(7):
            page = shown(client.get(URL))
        counts.append(page.count('class="week"'))
    assert counts == [1, 51]


# --- elsewhere ---


def job_about(alice: User, *lines: tuple[str, ItemState]) -> Job:
    """A settled job with a line for each of these names."""
    job = make_job(alice, settled_at=timezone.now())
    for name, state in lines:
        make_item(job, name=name, state=state, author_name=name, author_id=f"id-{name}")
    return job


def test_a_finished_job_and_the_calm_result_offer_to_watch(client: Client, alice: User) -> None:
    for state in (ItemState.DONE, ItemState.EMPTY):
        job = job_about(alice, ("nora", state))
        page = shown(client.get(f"/jobs/{job.pk}/"))
        assert 'formaction="/watching/" name="line" value="@nora"' in page
        assert "Watch <bdi>@nora</bdi>" in page
    make_watch(alice)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "Watched: <bdi>@nora</bdi>" in page
    assert 'formaction="/watching/"' not in page


def test_each_author_of_a_job_is_offered_once_but_none_that_failed(
    client: Client, alice: User
) -> None:
    job = job_about(
        alice,
        ("nora", ItemState.DONE),
        ("nora", ItemState.DONE),
        ("omar", ItemState.EMPTY),
        ("gone", ItemState.FAILED),
    )
    make_watch(alice, "renamed", tiktok_id="id-omar")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert page.count("Watch <bdi>@nora</bdi>") == 1
    assert "Watched: <bdi>@omar</bdi>" in page
    assert "<bdi>@gone</bdi></span></button>" not in page


def test_an_open_job_offers_nothing(client: Client, alice: User) -> None:
    job = make_job(alice, links=1)
    assert URL not in shown(client.get(f"/jobs/{job.pk}/progress/"))


def test_a_job_of_a_watch_says_so_and_that_its_files_wait(client: Client, alice: User) -> None:
    job = make_find(alice)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "Found by a watch:" in page
    assert "Kept until you have it, until <time" in page
    assert "as long as this instance allows" not in page
    assert "found by a watch" in shown(client.get("/history/"))
    job.artifacts.update(collected_at=timezone.now())
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "Kept until you have it" not in page
    assert "Files are deleted in {}" in page


def test_a_watchs_note_is_not_the_title_of_its_jobs(client: Client, alice: User) -> None:
    job = make_find(alice, note="for grandma")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "for grandma" not in page.split("<h1")[1].split("</h1>")[0]
    assert '<p class="quiet" id="job-note"><bdi>for grandma</bdi></p>' in page
    row = shown(client.get("/history/")).split(f'id="job-{job.pk}"')[1]
    assert row.index("@nora</bdi></a>") < row.index("<bdi>for grandma</bdi>")


def test_home_says_what_was_found_and_until_when_it_is_kept(client: Client, alice: User) -> None:
    assert 'id="found"' not in shown(client.get("/"))
    until = timezone.now() + timedelta(days=3)
    job = make_find(alice, stories=3, until=until)
    page = shown(client.get("/"))
    assert f'<a href="/jobs/{job.pk}/">3 new from <bdi>@nora</bdi></a>, kept until <time' in page
    assert f">{until:%A}</time>" in page
    for number in range(6):
        make_find(alice, f"author{number}")
    page = shown(client.get("/"))
    assert page.count("kept until") == 5
    assert "and 2 more" in page


def test_what_was_saved_already_is_said_where_nothing_else_was_found(client: Client) -> None:
    """Somebody watches an account whose stories they have just saved."""
    nora = make_user("nora", is_staff=True)
    make_watch(nora, "anna", seen=["7512345678901234561", "7512345678901234562"])
    client.force_login(nora)
    assert "Nothing new: 2 stories were saved already." in client.get("/watching/").content.decode()
