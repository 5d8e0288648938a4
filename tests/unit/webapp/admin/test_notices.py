"""Channels in the admin, whose addresses nobody reads again, and what was delivered."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from notices import apprise_child, channels
from notices.kinds import DeliveryState, Reason, Way
from notices.models import Channel, Delivery, Preference
from notices.sealing import unseal
from tests.factories import make_user
from tests.unit.webapp.admin.pages import plain

pytestmark = pytest.mark.django_db
CHANNELS = "/admin/notices/channel/"
DELIVERIES = "/admin/notices/delivery/"
ADDRESS = "ntfys://user:hush@ntfy.example.org/family"


@pytest.fixture(autouse=True)
def _apprise(monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows ntfy."""

    def run(asked: dict[str, str]) -> int:
        known = asked["url"].startswith("ntfys://")
        return apprise_child.SENT if known else apprise_child.NO_ADDRESS

    monkeypatch.setattr(channels, "_run", run)


def add(browser: Client, **given: str) -> str:
    form = {"name": "Family ntfy", "new_address": ADDRESS} | given
    return plain(browser.post(f"{CHANNELS}add/", form, follow=True).content)


def test_a_channels_address_is_sealed_and_never_shown(browser: Client) -> None:
    pages = [add(browser)]
    row = Channel.objects.get()
    assert unseal(row.address) == ADDRESS
    own = f"{CHANNELS}{row.pk}/"
    pages += [
        plain(browser.get(url).content) for url in (CHANNELS, f"{own}change/", f"{own}history/")
    ]
    assert all("hush" not in page for page in pages)
    assert "ntfys://••••••" in pages[1]
    assert "hush" not in str(list(LogEntry.objects.values()))


@pytest.mark.parametrize("address", ["", "nothing://hush", "ntfys://a ntfys://b", "hush"])
def test_an_address_that_apprise_does_not_know_is_not_repeated(
    browser: Client, address: str
) -> None:
    page = add(browser, new_address=address)
    assert "Apprise knows no service by this address. Enter it again." in page
    assert "hush" not in page
    assert not Channel.objects.exists()


@pytest.mark.parametrize(("url", "heading"), [(CHANNELS, "Channels"), (DELIVERIES, "Deliveries")])
def test_a_list_is_headed_by_what_is_in_it(browser: Client, url: str, heading: str) -> None:
    page = plain(browser.get(url).content)
    assert re.search(rf"<h1[^>]*>\s*{heading}\s*</h1>", page)


def test_the_example_of_an_address_takes_no_members_name_for_an_address(browser: Client) -> None:
    page = plain(browser.get(f"{CHANNELS}add/").content)
    assert "ntfys://ntfy.example.org/stories-{user}" in page
    assert "username of the member who is told" in page
    assert "mailto" not in page


def test_the_list_speaks_like_the_others(browser: Client) -> None:
    add(browser)
    page = plain(browser.get(CHANNELS).content)
    assert "---------" not in page
    assert '<td class="field-created_at"><time datetime=' in page


def test_a_new_name_keeps_the_address(browser: Client) -> None:
    add(browser)
    row = Channel.objects.get()
    browser.post(f"{CHANNELS}{row.pk}/change/", {"name": "House", "new_address": ""})
    row.refresh_from_db()
    assert (row.name, unseal(row.address)) == ("House", ADDRESS)


def test_who_picked_a_channel_that_goes_stays(browser: Client, alice: User) -> None:
    add(browser)
    row = Channel.objects.get()
    Preference.objects.create(owner=alice, channel=row)
    browser.post(f"{CHANNELS}{row.pk}/delete/", {"post": "yes"})
    assert Preference.objects.get().channel is None


def test_a_list_of_deliveries_says_nothing_of_what_and_where(browser: Client, alice: User) -> None:
    Delivery.objects.create(
        owner=alice,
        batch="0f8fad5b-d9cb-469f-a165-70867728950e",
        way=Way.WEBHOOK,
        label="secret.example.org",
        state=DeliveryState.GIVEN_UP,
        reason=Reason.NO_ANSWER,
    )
    row = Delivery.objects.get()
    pages = [
        plain(browser.get(url).content) for url in (DELIVERIES, f"{DELIVERIES}{row.pk}/change/")
    ]
    for page in pages:
        assert "No answer came." in page
        assert "secret.example.org" not in page
    assert plain(browser.get(f"{DELIVERIES}?way=webhook").content).count("No answer came.") >= 1


def test_every_filter_has_words(browser: Client, alice: User) -> None:
    Delivery.objects.create(owner=alice, batch="0f8fad5b-d9cb-469f-a165-70867728950e", way=Way.PUSH)
    filters = browser.get(DELIVERIES).content.decode().partition('id="changelist-filter"')[2]
    assert "?way__exact=push" in filters
    assert not re.search(r"<a [^>]*>\s*</a>", filters)


@pytest.mark.parametrize("lookup", ["label=secret.example.org", "owner__password__startswith=a"])
def test_no_filter_in_the_address_answers_guesses(browser: Client, lookup: str) -> None:
    answer: Any = browser.get(f"{DELIVERIES}?{lookup}")
    assert answer.status_code in {302, 400}


def test_staff_with_every_right_do_not_get_there() -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(clerk)
    assert client.get(CHANNELS).status_code == 403
    assert client.get(DELIVERIES).status_code == 403
