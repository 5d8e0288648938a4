"""Browsers that take messages."""

from __future__ import annotations

from typing import Any

import pytest

from notices import subscriptions
from notices.models import PushSubscription
from notices.subscriptions import MAX_DEVICES, SubscriptionRefused
from tests.factories import make_user
from tests.unit.notices.receiving import Browser, b64

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc:def",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
        "https://web.push.apple.com/QGuI",
        "https://wns2-par02p.notify.windows.com/w/?token=BQ%3d",
    ],
)
def test_addresses_of_known_push_services(endpoint: str) -> None:
    subscriptions.check_endpoint(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/a",
        "https://fcm.googleapis.com:8443/a",
        "https://user@fcm.googleapis.com/a",
        "https://fcm.googleapis.com.evil.example/a",
        "https://evilpush.apple.com.example.org/a",
        "https://push.apple.com/a",
        "https://.push.apple.com/a",
        "https://a..push.apple.com/a",
        "https://.fcm.googleapis.com/a",
        "https://xpush.apple.com/a",
        "https://169.254.169.254/latest",
        "https://localhost/a",
        "https://fcm.googleapis.com/a b",
        "https://fcm.googleapis.com\\@evil.example/a",
        "https://fcm.googleapis.com/a#b",
        "https://fcm.googleapis.com:x/a",
        "https://[::1/a",
        "https://fcm.googleapis.com/" + "a" * 1000,
        "ftp://fcm.googleapis.com/a",
        "",
    ],
)
def test_every_other_address_is_refused(endpoint: str) -> None:
    with pytest.raises(SubscriptionRefused):
        subscriptions.check_endpoint(endpoint)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"endpoint": 5, "keys": {}},
        {"endpoint": "https://web.push.apple.com/a", "keys": None},
        {"endpoint": "https://web.push.apple.com/a", "keys": {"p256dh": "x", "auth": "y"}},
        {
            "endpoint": "https://web.push.apple.com/a",
            "keys": {"p256dh": b64(b"\x04" + b"\x01" * 64), "auth": b64(b"a" * 16)},
        },
        {
            "endpoint": "https://web.push.apple.com/a",
            "keys": {"p256dh": b64(Browser().point), "auth": b64(b"a" * 15)},
        },
        {
            "endpoint": "https://evil.example/a",
            "keys": {"p256dh": b64(Browser().point), "auth": b64(b"a" * 16)},
        },
    ],
)
def test_what_is_no_subscription_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(SubscriptionRefused):
        subscriptions.subscribe(make_user().pk, told, server_key="k", base="/", device="Phone")
    assert not PushSubscription.objects.exists()


def test_a_browser_belongs_to_whoever_used_it_last() -> None:
    alice, bob, browser = make_user("alice"), make_user("bob"), Browser()
    browser.subscribe(alice)
    browser.subscribe(bob)
    assert PushSubscription.objects.get().owner == bob


def test_what_a_browser_made_anew_takes_the_place_of_the_old_one() -> None:
    alice, bob = make_user("alice"), make_user("bob")
    row = Browser("https://web.push.apple.com/old").subscribe(alice, device="Phone")
    Browser("https://web.push.apple.com/new").subscribe(bob)
    fresh = Browser("https://web.push.apple.com/new", auth=b"another secret !")
    assert not subscriptions.renew(bob.pk, fresh.told(), old=row.endpoint), "a device of others"
    assert not subscriptions.renew(alice.pk, fresh.told(), old="https://web.push.apple.com/x")
    with pytest.raises(SubscriptionRefused):
        subscriptions.renew(alice.pk, {"endpoint": "https://evil.example/"}, old=row.endpoint)
    assert subscriptions.renew(alice.pk, fresh.told(), old=row.endpoint)
    renewed = PushSubscription.objects.get()
    assert (renewed.pk, renewed.owner, renewed.device) == (row.pk, alice, "Phone")
    assert (renewed.endpoint, renewed.auth) == (fresh.endpoint, b64(fresh.auth))


def test_of_too_many_devices_the_first_one_goes() -> None:
    alice = make_user()
    for number in range(MAX_DEVICES + 2):
        Browser(f"https://web.push.apple.com/{number}").subscribe(alice, device=str(number))
    names = set(PushSubscription.objects.values_list("device", flat=True))
    assert names == {str(number) for number in range(2, MAX_DEVICES + 2)}


def test_nobody_removes_a_device_of_others() -> None:
    row = Browser().subscribe(make_user("alice"))
    assert not subscriptions.unsubscribe(make_user("bob").pk, row.pk)
    assert subscriptions.unsubscribe(make_user("alice").pk, row.pk)
    assert not PushSubscription.objects.exists()
