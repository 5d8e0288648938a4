"""A member's webhook."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from notices import webhooks
from notices.models import Webhook
from notices.sealing import Unreadable
from notices.webhooks import AddressRefused
from tests.factories import make_user
from tests.unit.notices.conftest import NOON

pytestmark = pytest.mark.django_db
LISTED = ("ha.lan:8123", "10.0.0.5", "[fd00::1]", "[fd00::5]:8123", "[fd00::6:80]", "ha",
          "ha.local")  # fmt: skip


@pytest.mark.parametrize(
    "address",
    [
        "https://hooks.example.org/a?b=c",
        "https://hooks.example.org:8443/a",
        "https://hooks.example.org./a",
        "https://local.example.org/a",
        "https://hooks.xn--p1ai/a",
        "https://93.184.215.14/a",
        "https://[2606:4700::1111]/a",
        "https://ha/a",
        "https://ha.local/a",
        "http://ha.lan:8123/api/webhook/x",
        "http://10.0.0.5/x",
        "https://10.0.0.5/x",
        "http://[fd00::1]/x",
        "https://[FD00:0::1]/x",
        "http://[fd00::5]:8123/x",
        "http://[fd00:0:0::0:5]:8123/x",
        "http://[fd00::6:80]/x",
    ],
)
def test_addresses_that_may_be_posted_to(address: str) -> None:
    webhooks.check_address(address, LISTED)


@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.example.org/a",
        "http://ha.lan/api",
        "http://ha.lan:8124/api",
        "http://10.0.0.5:8080/x",
        "http://[fd00::1]:8123/x",
        "http://[fd00::5]/x",
        "http://[fd00::5:8123]/x",
        "http://[fd00::6]/x",
        "https://user:hush@hooks.example.org/",
        "https://hooks.example.org/#a",
        "https:///a",
        "https://hooks.example.org/ a",
        "https://hooks.example.org\\@10.0.0.5/",
        "https://hooks.example.org:99999/",
        "https://[::1/",
        "file:///etc/passwd",
        "https://localhost/x",
        "https://localhost./x",
        "https://LOCALHOST:8443/x",
        "https://hooks.localhost/x",
        "https://printer.local/x",
        "https://metadata.google.internal./x",
        "https://nas.lan/x",
        "https://nas.home.arpa/x",
        "https://homeassistant/x",
        "https://homeassistant./x",
        "https://./x",
        "https://192.168.1.5/x",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f.0x0.0x0.0x1/x",
        "https://169.254.169.254/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.6]/x",
        "https://[fd00::2]/x",
        "gopher://10.0.0.5/",
        "https://hööks.example.org/",
        "https://h/" + "a" * 1000,
        "",
    ],
)
def test_every_other_address_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        webhooks.put(make_user().pk, address, LISTED)
    assert not Webhook.objects.exists()


def test_its_address_and_secret_are_sealed_and_the_secret_is_another_each_time() -> None:
    alice = make_user()
    first = webhooks.put(alice.pk, "https://hooks.example.org/token", ())
    second = webhooks.put(alice.pk, "https://hooks.example.org/token", ())
    row = Webhook.objects.get()
    assert first != second
    assert row.host == "hooks.example.org"
    assert "token" not in row.address
    assert second not in row.secret


def test_a_receiver_can_check_the_signature() -> None:
    """As the text of Standard Webhooks has it, not as our code does."""
    secret = webhooks.put(make_user().pk, "https://hooks.example.org/a", ())
    request = webhooks.build(
        Webhook.objects.get(), {"title": "Größe"}, event_id="msg_1", now=NOON, hosts=()
    )
    stamp = request.headers["webhook-timestamp"]
    assert (request.headers["webhook-id"], stamp) == ("msg_1", "1796040000")
    key = base64.b64decode(secret[len("whsec_") :])
    signed = b".".join([b"msg_1", stamp.encode(), request.body])
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(request.body) == {"title": "Größe"}
    assert not request.anywhere


def test_only_a_listed_host_may_be_at_a_private_address() -> None:
    webhooks.put(make_user().pk, "http://ha.lan:8123/a", LISTED)
    row = Webhook.objects.get()
    assert webhooks.build(row, {}, event_id="1", now=NOON, hosts=LISTED).anywhere
    with pytest.raises(AddressRefused):  # the admin took it off the list
        webhooks.build(row, {}, event_id="1", now=NOON, hosts=())


def test_with_another_secret_key_it_has_to_be_entered_again(settings: Any) -> None:
    webhooks.put(make_user().pk, "https://hooks.example.org/a", ())
    settings.SECRET_KEY = "another key, of more than thirty-two characters"
    with pytest.raises(Unreadable):
        webhooks.build(Webhook.objects.get(), {}, event_id="1", now=NOON, hosts=())
