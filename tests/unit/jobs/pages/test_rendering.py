"""Lines are rendered once, kept without secrets, and sent to who does not have them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone

from jobs.models import Item, Job, Role, Story
from jobs.pages import rendering
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story

pytestmark = pytest.mark.django_db


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The templates that lines and tiles were made with, in an empty store."""
    names: list[str] = []
    real = rendering._render

    def render(template: str, **context: Any) -> Any:
        names.append(template.removeprefix("jobs/_").removesuffix(".html"))
        return real(template, **context)

    monkeypatch.setattr(rendering, "_render", render)
    rendering._kept.clear()
    yield names
    rendering._kept.clear()


@pytest.fixture
def job(alice: User) -> Job:
    """Three lines of two stories each; the first is still running."""
    job = make_job(alice)
    for name, state in (("corner.bakery", "running"), ("tide", "done"), ("crane", "done")):
        item = make_item(job, name=name, state=ItemState(state), author_name=name)
        for _ in range(2):
            make_artifact(make_story(item))
    return job


def tags(html: str) -> list[str]:
    """The tags in a page."""
    return re.findall(r'data-tag="([^"]+)"', html)


def poll(client: Client, job: Job, *held: str, query: str = "") -> str:
    """What a page that holds these tags is sent."""
    headers = {rendering.HELD_HEADER: " ".join(held)} if held else {}
    response = client.get(f"/jobs/{job.pk}/progress/{query}", headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def same(html: str) -> list[str]:
    """The ids of elements that were left out."""
    return re.findall(r'id="([^"]+)" data-same', html)


def test_a_page_that_is_loaded_again_renders_its_settled_lines_no_more(
    client: Client, job: Job, rendered: list[str]
) -> None:
    first = client.get(f"/jobs/{job.pk}/").content.decode()
    assert sorted(rendered) == ["line"] * 3 + ["tile"] * 6
    rendered.clear()
    again = client.get(f"/jobs/{job.pk}/").content.decode()
    assert rendered == ["line"], "the one that runs"
    assert tags(again) == tags(first)


def test_a_poll_is_sent_the_line_that_changed_and_in_it_the_tile_that_did(
    client: Client, job: Job, rendered: list[str]
) -> None:
    held = tags(client.get(f"/jobs/{job.pk}/").content.decode())
    assert len(held) == len(set(held)) == 9
    rendered.clear()
    running = Item.objects.get(state=ItemState.RUNNING)
    changed, other = running.stories.order_by("posted_at")
    make_artifact(changed, role=Role.POSTER, position=1)
    html = poll(client, job, *held)
    assert rendered == ["tile", "line"]
    settled = Item.objects.exclude(pk=running.pk).order_by("position")
    assert same(html) == [f"story-{other.pk}", *(f"line-{item.pk}" for item in settled)]
    assert f'id="story-{changed.pk}" tabindex' in html
    assert len(html) < len(poll(client, job)) / 2


def test_who_holds_everything_is_sent_no_line(
    client: Client, job: Job, rendered: list[str]
) -> None:
    html = poll(client, job)
    rendered.clear()
    html = poll(client, job, *tags(html))
    assert len(same(html)) == 3
    assert rendered == []
    assert 'id="job-head"' in html


@pytest.mark.parametrize("held", ["", "nonsense", "a" * 10, "🙂" * 10, "a " * 50_000])
def test_tags_of_nothing_leave_nothing_out(client: Client, job: Job, held: str) -> None:
    html = poll(client, job, held)
    assert same(html) == []
    assert len(tags(html)) == 9


def test_no_more_tags_are_read_than_a_page_may_hold() -> None:
    header = " ".join(f"{number:010}" for number in range(5000))
    request = RequestFactory().get("/", headers={rendering.HELD_HEADER: header})
    assert len(rendering.held_tags(request)) == rendering.MAX_HELD


def test_what_is_kept_holds_no_secret(
    client: Client, job: Job, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Item.objects.filter(position=2).update(state=ItemState.FAILED, error_code="upstream_down")
    Story.objects.filter(item__position=3).update(source_url="https://www.tiktok.com/@crane/1")
    job.artifacts.filter(item__position=3).update(removed_at=timezone.now())
    kept: list[bytes] = []
    put = rendering._kept.put

    def keep(key: Any, tag: str, body: bytes) -> None:
        kept.append(body)
        put(key, tag, body)

    monkeypatch.setattr(rendering._kept, "put", keep)
    page = client.get(f"/jobs/{job.pk}/").content.decode()
    assert "/stories/" in page
    assert "/items/" in page, "there are buttons in the lines"
    together = b"".join(kept).decode()
    assert "csrf" not in together
    assert "<form" not in together
    assert 'form="job-form"' in together
    assert len(re.findall("csrfmiddlewaretoken", page)) == 2, "the job's and the selection's"


def test_people_do_not_share_what_is_kept(
    client: Client, bobs: Client, job: Job, rendered: list[str]
) -> None:
    mine = tags(poll(client, job))
    assert bobs.get(f"/jobs/{job.pk}/progress/").status_code == 404
    Job.objects.update(owner=User.objects.get(username="bob"))
    for model in (Item, Story):
        model._default_manager.update(owner=User.objects.get(username="bob"))
    job.artifacts.update(owner=User.objects.get(username="bob"))
    assert not set(mine) & set(tags(poll(bobs, job)))


@pytest.mark.parametrize(("cookie", "value"), [("zone", "Asia%2FTokyo"), ("django_language", "de")])
def test_another_zone_or_language_is_another_line(
    client: Client, job: Job, cookie: str, value: str
) -> None:
    before = tags(poll(client, job))
    client.cookies[cookie] = value
    assert not set(before) & set(tags(poll(client, job)))


def test_tomorrow_every_line_is_another(
    client: Client, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tags(poll(client, job))
    real = timezone.localdate

    def tomorrow(moment: datetime | None = None) -> date:
        return real(moment) if moment else real() + timedelta(days=1)

    monkeypatch.setattr(timezone, "localdate", tomorrow)
    assert not set(before) & set(tags(poll(client, job)))


def test_a_story_that_leaves_tiktok_is_another_tile(client: Client, job: Job) -> None:
    held = tags(poll(client, job))
    now = timezone.now()
    Story.objects.filter(item__position=2).update(leaves_at=now - timedelta(seconds=1))
    html = poll(client, job, *held)
    assert len(same(html)) == 2
    assert "Gone from TikTok" in html
