"""The box: what is sent from it, what survives, and what comes back with its lines marked."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.signing import Signer
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs import text
from jobs.housekeeping import sweep
from jobs.models import Artifact, Job, Quota
from jobs.pages import home
from jobs.states import ItemState
from jobs.upstream import breaker
from stories.errors import RateLimited
from tests.factories import make_item, make_job, make_user
from tests.unit.jobs.conftest import Broker
from tests.unit.jobs.pages.pages import saved, shown

pytestmark = pytest.mark.django_db


def test_home_without_jobs_says_how_to_begin(client: Client) -> None:
    page = shown(client.get("/"))
    assert "Your first story" in page
    assert 'href="/phone/"' in page
    assert "Up to 50 lines." in page
    assert "2 hours" in page


def test_home_lists_my_jobs_and_nobody_elses(client: Client, alice: User) -> None:
    mine, theirs = saved(alice), saved(make_user("bob"))
    page = shown(client.get("/"))
    assert str(mine.pk) in page
    assert str(theirs.pk) not in page


def test_home_shows_open_jobs_first_and_one_of_those_about_the_same(
    client: Client, alice: User
) -> None:
    old = make_job(alice, links=0)
    make_item(old, name="busy")
    again = [saved(alice) for _ in range(9)]
    page = client.get("/").content.decode()
    found = re.findall(r'<a class="title" href="/jobs/([0-9a-f-]+)/"', page)
    assert found == [str(old.pk), str(again[-1].pk)]


def test_text_that_came_along_wants_one_tap_more(client: Client) -> None:
    """Then Save has the focus: a phone shows no keyboard, and Enter sends."""
    focused = r"<(textarea|button) [^>]*autofocus"
    assert re.findall(focused, client.get("/").content.decode()) == ["textarea"]
    assert re.findall(focused, client.get("/?text=@nora").content.decode()) == ["button"]


def test_home_takes_as_many_queries_for_six_jobs_as_for_one(
    client: Client, alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(6):
        saved(alice)
    # Session and user; jobs, items, files and clocks of the cards; what is already here; four for
    # quotas; what watches found.
    with django_assert_max_num_queries(12):
        client.get("/")


def test_home_knows_what_is_already_here(client: Client, alice: User) -> None:
    kept, gone, old = saved(alice), saved(alice), saved(alice)
    for job, name in ((kept, "kept"), (gone, "gone"), (old, "old")):
        job.items.update(key=f"user:{name}", author_name=name)
    Artifact.objects.filter(job=gone).update(removed_at=timezone.now())
    old.items.update(created_at=timezone.now() - timedelta(hours=25))
    make_item(make_job(alice), name="coming")
    make_item(make_job(make_user("bob")), name="theirs")
    page = shown(client.get("/"))
    assert re.findall('data-known="user:([a-z]+)"', page) == ["coming", "kept"]
    assert "You are already fetching <bdi>@coming</bdi>" in page
    assert "You saved <bdi>@kept</bdi>" in page
    assert f'href="/jobs/{kept.pk}/">Open' in page


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("text=%40nora", "@nora"),
        ("url=https%3A%2F%2Fvm.tiktok.com%2FZM1%2F", "https://vm.tiktok.com/ZM1/"),
        ("title=Look&text=%40nora&url=https%3A%2F%2Fx.y", "@nora\nhttps://x.y"),
        ("title=nora&text=&url=", "nora"),
        ("title=%40nora&text=see+it", "@nora\nsee it"),
        ("text=see+https%3A%2F%2Fx.y%2F1&url=https%3A%2F%2Fx.y%2F1", "see https://x.y/1"),
        ("text=%40nora&url=%40nora", "@nora"),
    ],
)
def test_home_is_prefilled(client: Client, query: str, text: str) -> None:
    page = client.get(f"/?{query}").content.decode()
    assert f">\n{text}</textarea>" in page


def test_prefill_survives_the_sign_in(alice: User) -> None:
    browser = Client()
    response = browser.get("/?text=%40nora&url=https%3A%2F%2Fx.y")
    assert response.status_code == 302
    response = browser.post(
        response["Location"],
        {"login": "alice", "password": "alicealice", "next": _next(response["Location"])},
        follow=True,
    )
    assert ">\n@nora\nhttps://x.y</textarea>" in response.content.decode()


def sign_in(browser: Client, address: str = "/login/?next=/", name: str = "alice") -> Any:
    """And go where that leads."""
    given = {"login": name, "password": name * 2, "next": _next(address)}
    return browser.post("/login/", given, follow=True)


def written_by(browser: Client) -> dict[str, str]:
    """What the page of whoever is signed in says about its writer."""
    page = browser.get("/").content.decode()
    return {
        name: re.findall(f'name="{name}" value="([^"]+)"', page)[0] for name in ("writer", "once")
    }


def test_what_was_typed_survives_a_session_that_ended(client: Client) -> None:
    typed = "\n".join(
        f"https://www.tiktok.com/@nora.films/story/{7 * 10**18 + n}" for n in range(500)
    )
    given = {"text": typed, "note": "why", "posts": "on", "prefer": "highest", "audio": "m4a"}
    given |= written_by(client)
    client.session.flush()
    response = client.post("/", given)
    assert len(response["Location"]) < 200
    page = sign_in(client, response["Location"]).content.decode()
    assert f">\n{typed}</textarea>" in page
    assert 'value="why"' in page
    for chosen in ('value="highest" checked', 'value="m4a" checked', 'name="posts" checked'):
        assert chosen in page
    assert '<details class="options" open>' in page
    assert typed not in client.get("/").content.decode()


def test_a_page_opened_before_an_update_keeps_its_writer(client: Client, alice: User) -> None:
    old_page = Signer(salt="jobs.home.writer").sign(str(alice.pk))
    client.session.flush()
    response = client.post("/", {"text": "@nora", "writer": old_page})
    assert ">\n@nora</textarea>" in sign_in(client, response["Location"]).content.decode()


def test_what_somebody_else_typed_is_not_shown(client: Client) -> None:
    make_user("bob")
    given = {"text": "@anns.secret"} | written_by(client)
    client.session.flush()
    client.post("/", given)
    assert "anns" not in shown(sign_in(client, name="bob"))
    client.logout()
    assert "anns" not in shown(sign_in(client))


@pytest.mark.parametrize("writer", ["", "1", "1:forged"])
def test_a_stranger_leaves_nothing_behind(alice: User, writer: str) -> None:
    browser = Client()
    browser.post("/", {"text": "@nora" * 1000, "writer": writer})
    assert not Session.objects.exists()
    assert "@nora" not in shown(sign_in(browser))


def test_what_was_typed_does_not_wait_for_ever(client: Client) -> None:
    given = {"text": "@nora"} | written_by(client)
    client.session.flush()
    client.post("/", given)
    waiting = client.session
    assert 0 < waiting.get_expiry_age() <= 3600
    sweep.sweep(timezone.now() + timedelta(minutes=59))
    assert Session.objects.filter(pk=waiting.session_key).exists()
    sweep.sweep(timezone.now() + timedelta(minutes=61))
    assert not Session.objects.filter(pk=waiting.session_key).exists()


@pytest.mark.parametrize("way", ["password", "anything else"])
def test_signing_in_afterwards_lasts_as_long_as_ever(alice: User, way: str) -> None:
    browser = Client()
    browser.get("/", {"text": "@nora " * 500})
    assert browser.session.get_expiry_age() <= 3600
    if way == "password":
        browser.post("/login/", {"login": "alice", "password": "alicealice"})
    else:
        browser.force_login(alice)
    assert browser.session.get_expiry_age() == 30 * 24 * 3600
    assert b"@nora" in browser.get("/").content


@pytest.mark.parametrize("text", ["@nora " * 300, "@nora " * 1000, "शाहिद " * 300, "🔭" * 1500])
def test_a_long_shared_text_survives_the_sign_in(alice: User, text: str) -> None:
    browser = Client()
    response = browser.get("/", {"text": text})
    assert len(response["Location"]) < 8000
    page = sign_in(browser, response["Location"]).content.decode()
    assert f">\n{text.strip()}</textarea>" in page


def test_a_page_that_was_too_old_gives_back_what_was_typed(alice: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    given = {"text": "@nora\n@bea", "note": "why", "csrfmiddlewaretoken": "old"}
    given |= written_by(browser)
    response = browser.post("/", given)
    assert response.status_code == 403
    page = response.content.decode()
    assert "nothing was sent" in page
    assert ">\n@nora\n@bea</textarea>" in page
    assert 'value="why"' in page
    assert 'aria-invalid="true"' not in page
    token = re.findall('name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]
    assert browser.post("/", given | {"csrfmiddlewaretoken": token}).status_code == 302
    assert browser.post("/account/data/", {"what": "data"}).status_code == 403


def test_somebody_elses_page_that_was_too_old_gives_nothing_back(client: Client) -> None:
    given = {"text": "@anns.secret"} | written_by(client)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_user("bob"))
    response = browser.post("/", given)
    assert response.status_code == 403
    assert b"anns" not in response.content


def test_what_was_left_and_what_comes_along_are_both_there(client: Client) -> None:
    given = {"text": "@nora"} | written_by(client)
    client.session.flush()
    client.post("/", given)
    page = sign_in(client, f"/login/?{urlencode({'next': '/?text=%40bea'})}").content.decode()
    assert ">\n@nora\n@bea</textarea>" in page


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("https://example.com/xy\nhttps://example.com/x", ["1", "2"]),
        ("?? \u202eabc\n??", ["1", "2"]),
        ("?? 1\n\n?? 11\n?? 1 ", ["1", "3"]),
    ],
)
def test_each_marked_line_has_its_own_number(client: Client, text: str, numbers: list[str]) -> None:
    page = client.post("/", {"text": text}).content.decode()
    assert re.findall(r"<li>Line (\d+):", page) == numbers


def test_a_double_tap_makes_one_job(client: Client) -> None:
    given = {"text": "@nora"} | written_by(client)
    first, again = client.post("/", given), client.post("/", given)
    assert first["Location"] == again["Location"]
    client.post("/", given | {"text": "@bea"})  # the same page, gone back to and changed
    client.post("/", given | {"audio": "mp3"})
    client.post("/", {"text": "@nora"} | written_by(client))
    assert Job.objects.count() == 4


def _next(address: str) -> str:
    return parse_qs(urlsplit(address).query)["next"][0]


def test_lines_become_a_job(client: Client, alice: User, broker: Broker) -> None:
    response = client.post(
        "/",
        {
            "text": "@nora, @max and also\nhttps://example.com/x",
            "note": "why",
            "prefer": "highest",
            "audio": "m4a",
            "posts": "on",
        },
    )
    job = Job.objects.get()
    assert response["Location"] == f"/jobs/{job.pk}/"
    assert (job.owner, job.note, job.prefer, job.audio, job.posts) == (
        alice,
        "why",
        "highest",
        "m4a",
        True,
    )
    assert job.items.filter(state=ItemState.QUEUED).exists()


def test_what_is_left_is_shown_where_there_is_a_limit(client: Client, alice: User) -> None:
    saved(alice)
    assert "left today" not in shown(client.get("/"))
    Quota.objects.create(owner=alice, active_items=4, items_per_day=1, stored_bytes=500_000_000)
    page = shown(client.get("/"))
    assert "0 of 1 lines left today" in page
    assert "Starts over at midnight UTC." in page
    assert "0 of 4 in progress" in page
    assert "of 500 MB free for your files" in page


def test_nothing_pasted_is_said(client: Client) -> None:
    response = client.post("/", {"text": "  \n", "note": "why"})
    assert response.status_code == 422
    page = shown(response)
    assert 'role="alert"' in page
    assert 'value="why"' in page
    assert not Job.objects.exists()


def test_too_many_lines_come_back_as_typed(client: Client) -> None:
    text = "\n".join(f"@name{number}" for number in range(51))
    response = client.post("/", {"text": text, "audio": "mp3", "posts": "on"})
    page = response.content.decode()
    assert response.status_code == 422
    assert "One job holds at most 50 lines. You sent 51." in page
    assert (
        '<li>Line 51: <bdi class="typed">@name50</bdi><br>Too many lines from here on.</li>' in page
    )
    assert 'aria-describedby="problem limit" aria-invalid="true"' in page
    assert f">\n{text}</textarea>" in page
    assert 'value="mp3" checked' in page
    assert 'name="posts" checked' in page
    assert '<details class="options" open>' in page


def test_lines_of_which_none_is_understood_come_back_marked(client: Client) -> None:
    text = "\nhttps://www.tiktok.com/tag/cats\n\n<b>???</b>"
    response = client.post("/", {"text": text, "note": "why"})
    page = response.content.decode()
    assert response.status_code == 422
    assert "None of these lines can be saved." in page
    assert 'Line 2: <bdi class="typed">https://www.tiktok.com/tag/cats</bdi>' in page
    assert "This is a hashtag page, not a story." in page
    assert 'Line 4: <bdi class="typed">&lt;b&gt;???&lt;/b&gt;</bdi>' in page
    assert 'value="why"' in page
    assert not Job.objects.exists()
    one = shown(client.post("/", {"text": "!!!"}))
    assert "There is no name and no link in that." in one
    link = shown(client.post("/", {"text": "https://www.tiktok.com/tag/cats"}))
    assert "This line cannot be saved." in link
    mixed = client.post("/", {"text": "!!!\n@nora"})
    assert mixed.status_code == 302  # one bad line never fails the others


def test_a_refused_link_and_a_sentence_are_two_lines(client: Client) -> None:
    text = "https://www.tiktok.com/tag/cats\n\n??? what is this"
    page = shown(client.post("/", {"text": text}))
    typed = '<bdi class="typed">https://www.tiktok.com/tag/cats</bdi>'
    assert f"Line 1: {typed}<br>This is a hashtag page, not a story." in page
    assert 'Line 3: <bdi class="typed">??? what is this</bdi><br>This is not a TikTok' in page


def test_what_a_line_is_instead_is_said_in_the_readers_language(client: Client) -> None:
    text = "https://www.tiktok.com/tag/cats\nhttps://evil.example/x\nftp://tiktok.com/@a"
    page = client.post("/", {"text": text}, headers={"Accept-Language": "de"}).content.decode()
    for said in (
        "sondern eine Hashtag-Seite.",
        "eine andere Website (evil.example).",
        "Link (ftp).",
    ):
        assert said in page


def test_many_bad_lines_are_not_all_listed(client: Client) -> None:
    page = client.post("/", {"text": "\n".join(f"?? {n}" for n in range(400))}).content.decode()
    assert page.count("<li>Line ") == home.MAX_MARKED_LINES


def test_a_huge_paste_is_read_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    tamed: list[str] = []
    tame = text.clean_text

    def counted(text: str, limit: int, **how: bool) -> str:
        tamed.append(text)
        return tame(text, limit, **how)

    monkeypatch.setattr(text, "clean_text", counted)
    lines = [f"?? {number}" for number in range(2_000)]
    page = client.post("/", {"text": "\n".join(lines)}).content.decode()
    assert page.count("<li>Line ") == home.MAX_MARKED_LINES
    assert len(tamed) < 3 * len(lines)


def test_a_hidden_character_is_placed(client: Client) -> None:
    page = client.post("/", {"text": "@nora\n@b\0ea"}).content.decode()
    assert "<li>Line 2: Null characters are not allowed.</li>" in page


def test_a_note_that_is_too_long_is_what_is_marked(client: Client) -> None:
    page = client.post("/", {"text": "@nora", "note": "x" * 501}).content.decode()
    assert "Note: Ensure this value has at most 500 characters" in page
    assert 'aria-describedby="problem note-help" aria-invalid="true"' in page
    assert page.count("aria-invalid") == 1
    assert '<details class="options" open>' in page


def test_a_refusing_tiktok_is_said_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    until = timezone.now() + timedelta(minutes=5)
    seen = breaker.BreakerState(until, RateLimited.code)
    monkeypatch.setattr(breaker, "open_state", lambda: seen)
    assert shown(client.get("/")).count("TikTok is asking us to slow down") == 1


def test_one_without_stories_is_counted_in_a_sentence(client: Client, alice: User) -> None:
    job = saved(alice)
    make_item(job, name="quiet", state=ItemState.EMPTY)
    page = shown(client.get("/"))
    assert '<li class="empty">1 without a public story</li>' in page


def test_staff_find_the_admin_in_the_header_and_nobody_else_does(
    client: Client, alice: User
) -> None:
    assert 'href="/admin/"' not in shown(client.get("/"))
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    assert '<a href="/admin/">Admin</a>' in shown(client.get("/"))
    assert '<a href="/admin/">Admin</a>' in shown(client.get("/account/"))
