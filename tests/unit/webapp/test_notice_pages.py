"""The page of notifications, and a browser that subscribes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
from django.utils import timezone

from accounts import people
from notices import outbox, planning, vapid, webhooks
from notices.kinds import DeliveryState, Kind, Reason
from notices.models import Channel, Delivery, Message, Preference, PushSubscription, Webhook
from notices.outbox import News
from tests.factories import make_user
from tests.unit.notices.receiving import Browser, Killed
from webapp import notice_pages
from webapp.notice_sessions import SUBSCRIPTION

pytestmark = pytest.mark.django_db
PAGE = "/account/notifications/"
SUBSCRIBE = f"{PAGE}push/"
SETTINGS = {"save": "1", "own": "yes", "digest_hour": "", "quiet_from": "", "quiet_until": ""}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, set_env: Callable[..., None]) -> None:
    set_env(data_dir=tmp_path, push_contact="me@example.org")


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tasks that were sent for."""
    sent: list[str] = []
    monkeypatch.setattr("webapp.notice_pages.broker.send_periodic", sent.append)
    return sent


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def client(alice: User) -> Client:
    """Alice's browser."""
    client = Client(HTTP_USER_AGENT="Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/5")
    client.force_login(alice)
    return client


def die(*_: object, **__: object) -> None:
    raise Killed


def text(response: Any, status: int = 200) -> str:
    """The page, one space between words."""
    assert response.status_code == status
    return " ".join(response.content.decode().split())


def subscribe(client: Client, browser: Browser, **more: Any) -> int:
    told = browser.told() | {"server_key": vapid.find_or_make().public} | more
    response = client.post(
        SUBSCRIBE, json.dumps(told), content_type="application/json", secure=True
    )
    return int(response.status_code)


# --- push -----------------------------------------------------------------------------------------


def test_a_browser_that_subscribes_is_shown_with_its_name(client: Client, alice: User) -> None:
    assert subscribe(client, Browser()) == 204
    row = PushSubscription.objects.get()
    assert (row.owner, row.device, row.base) == (alice, "Chrome, Android", "https://testserver/")
    page = text(client.get(PAGE, secure=True))
    assert "Chrome, Android" in page
    assert "this device" in page
    assert "Send a test" in page
    assert outbox.told_members([alice.pk]) == {alice.pk: True}


def test_its_answer_is_no_page(client: Client) -> None:
    """To a script a page is that of a sign-in in front (webapp/static/requests.js)."""
    told = Browser().told() | {"server_key": vapid.find_or_make().public}
    answer = client.post(SUBSCRIBE, told, content_type="application/json", secure=True)
    assert (answer.status_code, answer["Content-Type"]) == (204, "text/plain")


def test_links_lead_to_where_people_come(client: Client, set_env: Callable[..., None]) -> None:
    set_env(public_url="https://stories.example.org")
    subscribe(client, Browser())
    assert PushSubscription.objects.get().base == "https://stories.example.org/"


def test_its_language_and_its_clock_are_kept(client: Client) -> None:
    client.cookies["zone"] = "Asia%2FKathmandu"
    client.cookies["django_language"] = "fr"
    subscribe(client, Browser())
    row = Preference.objects.get()
    assert (row.language, row.time_zone) == ("fr", "Asia/Kathmandu")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "5",
        '"text"',
        "{}",
        json.dumps({"endpoint": "https://evil.example/"}),
        "{" * 9000,
        "[" * 4000,
    ],
)
def test_what_is_no_subscription_is_refused(client: Client, body: str) -> None:
    own: Any = {"content_type": "application/json", "HTTP_SEC_FETCH_SITE": "same-origin"}
    for address in (SUBSCRIBE, f"{SUBSCRIBE}renew/"):
        assert client.post(address, body, **own).status_code == 422
    assert not PushSubscription.objects.exists()


def test_one_for_another_key_or_another_host_is_refused(client: Client) -> None:
    assert subscribe(client, Browser(), server_key="B" * 87) == 422
    assert subscribe(client, Browser("https://127.0.0.1/a")) == 422
    assert not PushSubscription.objects.exists()


def rows() -> list[int]:
    """How many there are of what is written together."""
    return [kind.objects.count() for kind in (PushSubscription, Webhook, Preference)]


@pytest.mark.parametrize(
    "step", ["webapp.notice_pages._remember_reader", f"{SessionStore.__module__}.SessionStore.save"]
)
def test_a_device_is_kept_with_its_preference_and_its_session_or_not_at_all(
    client: Client, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(step, die)
        with pytest.raises(Killed):
            subscribe(client, Browser())
    assert rows() == [0, 0, 0]
    assert SUBSCRIPTION not in client.session
    with monkeypatch.context() as patched:
        patched.setattr("webapp.notice_pages.HttpResponse", die)  # its answer gets lost
        with pytest.raises(Killed):
            subscribe(client, Browser())
    assert rows() == [1, 0, 1]
    client.post("/logout/")
    assert rows() == [0, 0, 1]


def test_a_browser_that_is_signed_out_meanwhile_is_not_kept(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sign_out(user: User, _preference: object = None) -> None:
        people.sign_out_everywhere(user)

    monkeypatch.setattr("webapp.notice_pages._remember_reader", sign_out)
    assert subscribe(client, Browser()) == 400
    assert rows() == [0, 0, 0]


def test_a_webhook_is_kept_with_its_preference_or_not_at_all(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.notice_pages._remember_reader", die)
    with pytest.raises(Killed):
        client.post(PAGE, {"webhook": "1", "address": "https://hooks.example.org/a"})
    assert rows() == [0, 0, 0]


def test_other_hours_are_kept_with_what_waits_for_them_or_not_at_all(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.notice_pages.planning.plan_anew", die)
    with pytest.raises(Killed):
        client.post(PAGE, SETTINGS)
    assert rows() == [0, 0, 0]


def test_a_form_of_another_site_cannot_subscribe(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert subscribe(client, Browser()) == 403


def renew(client: Client, told: object, **more: Any) -> int:
    response = client.post(
        f"{SUBSCRIBE}renew/", json.dumps(told), content_type="application/json", **more
    )
    return int(response.status_code)


def test_what_its_browser_made_anew_is_kept(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)  # a service worker has no form
    client.force_login(alice)
    old = Browser("https://web.push.apple.com/old").subscribe(alice)
    told = Browser("https://web.push.apple.com/new").told() | {"old": old.endpoint}
    own = {"HTTP_SEC_FETCH_SITE": "same-origin"}
    for site in ({}, {"HTTP_SEC_FETCH_SITE": "same-site"}, {"HTTP_SEC_FETCH_SITE": "none"}):
        assert renew(client, told, **site) == 403
    assert renew(client, told | {"old": "https://web.push.apple.com/x"}, **own) == 404
    assert renew(client, told | {"endpoint": "https://evil.example/"}, **own) == 422
    assert renew(client, [], **own) == 422
    assert PushSubscription.objects.get().endpoint == old.endpoint
    assert renew(client, told, **own) == 204
    assert PushSubscription.objects.get().endpoint == told["endpoint"]


@pytest.mark.parametrize("path", [PAGE, "/phone/"])
def test_why_there_is_no_push(
    client: Client, alice: User, path: str, set_env: Callable[..., None]
) -> None:
    assert "uses http, and browsers take push messages over https" in text(client.get(path))
    on = text(client.get(path, secure=True))
    assert f'data-push-key="{vapid.find_or_make().public}"' in on
    assert "Turn on for this device" in on
    set_env(push_contact=None)
    assert "not set up on this server" in text(client.get(path, secure=True))
    User.objects.update(is_superuser=True)
    assert "STORYKEEP_PUSH_CONTACT" in text(client.get(path, secure=True))
    assert subscribe(client, Browser()) == 404


def test_a_key_that_cannot_be_used_is_said(client: Client, tmp_path: Path) -> None:
    (tmp_path / vapid.KEY_FILE).write_text("nonsense")
    assert "key for push messages cannot be used" in text(client.get(PAGE, secure=True))
    response = client.post(SUBSCRIBE, "{}", content_type="application/json")
    assert response.status_code == 503


def test_on_this_machine_http_will_do(client: Client) -> None:
    assert "data-push-key" in text(client.get(PAGE, HTTP_HOST="localhost:8000"))


def test_the_phone_page_offers_a_test_once_this_one_is_told(
    client: Client, sent: list[str]
) -> None:
    assert "Send a test" not in text(client.get("/phone/", secure=True))
    subscribe(client, Browser())
    assert "Send a test" in text(client.get("/phone/", secure=True))
    response = client.post(PAGE, {"test": "push", "back": "phone"})
    assert response["Location"] == "/phone/#test-push"
    assert sent == ["webapp.celery.send_notices"]
    assert Message.objects.get().kind == Kind.TEST


@pytest.mark.parametrize("way", ["", "carrier pigeon", "push\x00"])
def test_there_is_no_test_of_what_is_no_way(client: Client, sent: list[str], way: str) -> None:
    subscribe(client, Browser())
    assert client.post(PAGE, {"test": way}).status_code == 302
    assert (sent, Message.objects.count()) == ([], 0)


def test_a_device_is_removed_by_its_owner_alone(client: Client, alice: User) -> None:
    own = Browser("https://web.push.apple.com/1").subscribe(alice)
    other = Browser("https://web.push.apple.com/2").subscribe(make_user("bob"))
    for which in (str(own.pk), str(other.pk), "x", "-1", "9" * 30, ""):
        assert client.post(PAGE, {"remove": which}).status_code == 302
    assert list(PushSubscription.objects.all()) == [other]


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_4) Version/18.4 Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox, Linux",
        ),
        ("curl/8", "?"),
        ("", "?"),
    ],
)
def test_names_of_browsers(user_agent: str, name: str) -> None:
    assert notice_pages.device_name(user_agent) == name


# --- what and when --------------------------------------------------------------------------------


def test_how_one_wants_to_be_told_is_kept(client: Client, alice: User) -> None:
    channel = Channel.objects.create(name="Family ntfy", address="hush", scheme="ntfy")
    page = text(client.get(PAGE))
    assert "Family ntfy" in page
    assert "hush" not in page
    answers = {"own": "no", "digest_hour": "8", "quiet_from": "22", "quiet_until": "7"}
    answers |= {"channel": str(channel.pk), "names": "on"}
    assert client.post(PAGE, SETTINGS | answers).status_code == 302
    row = Preference.objects.get()
    assert (row.own, row.digest_hour, row.quiet_from, row.quiet_until) == (False, 8, 22, 7)
    assert (row.channel, row.names) == (channel, True)
    assert "Send a test to Family ntfy" in text(client.get(PAGE))
    client.post(PAGE, SETTINGS)
    row.refresh_from_db()
    assert (row.own, row.digest_hour, row.quiet_from, row.channel) == (True, None, None, None)


def test_names_are_not_said_unless_one_wants_it() -> None:
    assert not Preference().names


@pytest.mark.parametrize(
    "answers",
    [
        {"digest_hour": "24"},
        {"digest_hour": "x"},
        {"quiet_from": "7"},
        {"quiet_until": "7"},
        {"own": ""},
        {"channel": "99"},
    ],
)
def test_an_answer_that_cannot_be_used(client: Client, answers: dict[str, str]) -> None:
    Channel.objects.create(name="Family", address="", scheme="ntfy")
    text(client.post(PAGE, SETTINGS | answers), 422)
    assert not Preference.objects.exists()


def test_other_hours_count_for_what_waits(client: Client, alice: User) -> None:
    Browser().subscribe(alice)
    Preference.objects.update(digest_hour=(timezone.now().hour + 2) % 24, time_zone="UTC")
    outbox.add(News(owner_id=alice.pk, kind=Kind.SAVED, key="1"))
    assert planning.plan(timezone.now()) == 0
    client.post(PAGE, SETTINGS)
    assert planning.plan(timezone.now()) == 1


def test_there_is_no_choice_of_channels_where_there_are_none(client: Client) -> None:
    assert 'name="channel"' not in text(client.get(PAGE))


def test_admins_are_told_what_is_not_set_up(
    client: Client, alice: User, set_env: Callable[..., None]
) -> None:
    no_channel, no_link = "No channel yet.", "carry no link until"
    page = text(client.get(PAGE))
    assert no_channel not in page
    assert no_link not in page
    User.objects.update(is_superuser=True, is_staff=True)
    page = text(client.get(PAGE))
    assert no_channel in page
    assert 'href="/admin/notices/channel/add/"' in page
    assert no_link in page
    Channel.objects.create(name="Family", address="", scheme="ntfy")
    set_env(public_url="https://stories.example.org")
    page = text(client.get(PAGE))
    assert no_channel not in page
    assert no_link not in page


# --- what did not arrive --------------------------------------------------------------------------


def test_what_was_given_up_is_shown_with_its_reason(client: Client, alice: User) -> None:
    webhooks.put(alice.pk, "https://hooks.example.org/a", ())
    Preference.objects.create(owner=alice)
    facts = {"count": 5, "authors": ["cats"], "failed": 0}
    outbox.add(News(owner_id=alice.pk, kind=Kind.SAVED, key="1", facts=facts))
    planning.plan(timezone.now())
    assert "Did not arrive" not in text(client.get(PAGE))
    Delivery.objects.update(
        state=DeliveryState.GIVEN_UP, reason=Reason.NO_ANSWER, ended_at=timezone.now()
    )
    page = text(client.get(PAGE))
    assert "5 files saved from @cats" in page
    assert "No answer came." in page
    bob = Client()
    bob.force_login(make_user("bob"))
    assert "@cats" not in text(bob.get(PAGE))
    Message.objects.all().delete()  # the job was forgotten
    assert "@cats" not in text(client.get(PAGE))


def test_the_number_of_questions_does_not_grow_with_what_did_not_arrive(
    client: Client, alice: User, django_assert_max_num_queries: Any
) -> None:
    now = timezone.now()
    for number in range(30):
        outbox.add(News(owner_id=alice.pk, kind=Kind.SAVED, key=str(number)))
        Delivery.objects.create(
            owner=alice,
            batch=Message().pk,
            way="push",
            state=DeliveryState.GIVEN_UP,
            ended_at=now - timedelta(minutes=number),
        )
    with django_assert_max_num_queries(14):
        text(client.get(PAGE))


def test_a_post_that_says_nothing_changes_nothing(client: Client) -> None:
    assert client.post(PAGE).status_code == 302
    assert not Preference.objects.exists()
