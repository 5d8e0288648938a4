"""The feed as a reader gets it, and the page that switches it on."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.http import http_date

from jobs.models import Story
from jobs.queries import feed
from jobs.states import ItemState
from tests.factories import make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"
AT = datetime(2026, 11, 20, 14, 3, 31, tzinfo=UTC)


@pytest.fixture
def alice() -> User:
    return make_user("alice")


def saved(owner: User, **facts: object) -> Story:
    item = make_item(
        make_job(owner=owner),
        state=ItemState.DONE,
        author_name="harbour.bakery",
        author_nickname="Harbour Bakery",
    )
    return make_story(
        item,
        **(
            {
                "state": ItemState.DONE,
                "kind": "video",
                "caption": "First loaves",
                "posted_at": AT,
                "captured_at": AT,
            }
            | facts
        ),
    )


def entry(client: Client, path: str) -> ET.Element:
    found = ET.fromstring(client.get(path).content).find(f"{ATOM}entry")  # noqa: S314  # our own
    assert found is not None
    return found


def text(element: ET.Element, name: str) -> str:
    found = element.find(f"{ATOM}{name}")
    assert found is not None, name
    return found.text or ""


def test_a_saved_story_is_an_entry(
    alice: User, client: Client, set_env: Callable[..., None]
) -> None:
    set_env(public_url="https://keep.example/stories")
    story = saved(alice)
    answer = client.get(f"/feed/{feed.renew(alice.pk)}.atom")
    assert answer.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, max-age=300"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert not answer.cookies

    document = ET.fromstring(answer.content)  # noqa: S314  # our own
    assert document.tag == f"{ATOM}feed"
    assert text(document, "title") == "Saved stories of alice"
    assert text(document, "updated") == "2026-11-20T14:03:31+00:00"
    assert text(document, "id").startswith("tag:storykeep,2026:feed:")
    (told,) = document.findall(f"{ATOM}entry")
    assert text(told, "id") == f"urn:uuid:{story.pk}"
    assert text(told, "title") == "@harbour.bakery: a video"
    assert text(told, "summary") == "First loaves"
    assert text(told, "published") == text(told, "updated") == "2026-11-20T14:03:31+00:00"
    link = told.find(f"{ATOM}link")
    assert link is not None
    assert link.get("href") == f"https://keep.example/jobs/{story.item.job_id}/"
    assert [link.get("rel") for link in told.findall(f"{ATOM}link")] == ["alternate"]


@pytest.mark.parametrize(
    ("caption", "told"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("]]>&amp;", "]]>&amp;"),
        ("a\x08\x1bb\ufffe\uffffc", "a  bc"),
        ("two\nlines", "two\nlines"),
        ("\u202eabc", "abc"),
        ("é 🎉", "é 🎉"),
    ],
)
def test_a_hostile_caption_stays_text(alice: User, client: Client, caption: str, told: str) -> None:
    saved(alice, caption=caption)
    assert text(entry(client, f"/feed/{feed.renew(alice.pk)}.atom"), "summary") == told


def test_an_unchanged_feed_is_not_sent_again(alice: User, client: Client) -> None:
    saved(alice)
    path = f"/feed/{feed.renew(alice.pk)}.atom"
    first = client.get(path)
    same = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    saved(alice, caption="another")
    changed = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200


@pytest.mark.parametrize("kept", [0, 1])
def test_a_forgotten_job_is_out_of_it_with_the_next_look(
    alice: User, client: Client, kept: int
) -> None:
    for _story in range(kept):
        saved(alice, caption="kept", captured_at=AT - timedelta(days=1))
    gone = saved(alice, caption="gone")
    path = f"/feed/{feed.renew(alice.pk)}.atom"
    first = client.get(path)
    assert b"gone" in first.content
    conditions = [
        {"If-None-Match": first.headers["ETag"]},
        {"If-Modified-Since": first.headers.get("Last-Modified", http_date(time.time()))},
        {"If-Modified-Since": http_date(time.time())},
    ]
    gone.item.job.delete()
    for headers in conditions:
        answer = client.get(path, headers=headers)
        assert answer.status_code == 200, headers
        assert b"gone" not in answer.content
        assert answer.content.count(b"<entry>") == kept


def test_an_empty_feed_is_a_feed(alice: User, client: Client) -> None:
    answer = client.get(f"/feed/{feed.renew(alice.pk)}.atom")
    assert ET.fromstring(answer.content).findall(f"{ATOM}entry") == []  # noqa: S314  # our own


def test_an_empty_feed_does_not_change_all_the_time(alice: User, client: Client) -> None:
    User.objects.filter(pk=alice.pk).update(date_joined=AT)
    root = ET.fromstring(client.get(f"/feed/{feed.renew(alice.pk)}.atom").content)  # noqa: S314  # our own
    assert text(root, "updated") == "2026-11-20T14:03:31+00:00"


def test_a_wrong_address_is_not_written_into_the_log(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = client.get("/feed/nearly-the-secret.atom")
    assert answer.status_code == 404
    assert "nearly-the-secret" not in caplog.text


def test_the_page_shows_the_address_once(alice: User, client: Client) -> None:
    client.force_login(alice)
    assert "Switch on" in client.get("/account/feed/").content.decode()
    shown = client.post("/account/feed/", {"on": "1"}).content.decode()
    found = re.search(r"/feed/([\w-]+)\.atom", shown)
    assert found
    assert client.get(found[0]).status_code == 200
    later = client.get("/account/feed/").content.decode()
    assert found[1] not in later
    assert "New address" in later


def test_it_is_switched_off_and_renewed(alice: User, client: Client) -> None:
    secret = feed.renew(alice.pk)
    client.force_login(alice)
    client.post("/account/feed/", {"on": "1"})
    assert client.get(f"/feed/{secret}.atom").status_code == 404
    client.post("/account/feed/", {"off": "1"})
    assert feed.address_of(alice.pk) is None
