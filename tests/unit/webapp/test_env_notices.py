"""Settings of telling people: what is refused, and in which words."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from notices.webhooks import is_listed
from webapp.env import BadSettings, load


def test_without_them_there_is_no_push_and_no_private_host(setting: pytest.MonkeyPatch) -> None:
    assert load().push_contact is None
    assert load().webhook_hosts == ()


@pytest.mark.parametrize("text", ["me@example.org", "mailto:me@example.org"])
def test_a_contact(setting: pytest.MonkeyPatch, text: str) -> None:
    setting.setenv("STORYKEEP_PUSH_CONTACT", text)
    assert load().push_contact == "me@example.org"


@pytest.mark.parametrize(
    "text", ["me", "@example.org", "me@localhost", "Me <me@example.org>", "a b@example.org", "a@b@"]
)
def test_what_push_services_would_refuse(setting: pytest.MonkeyPatch, text: str) -> None:
    setting.setenv("STORYKEEP_PUSH_CONTACT", text)
    with pytest.raises(BadSettings, match=r"STORYKEEP_PUSH_CONTACT: write it as name@example.org"):
        load()


def test_hosts_of_webhooks(setting: pytest.MonkeyPatch) -> None:
    setting.setenv("STORYKEEP_WEBHOOK_HOSTS", "HA.lan:8123, 10.0.0.5,, [fd00::1]:80")
    assert load().webhook_hosts == ("ha.lan:8123", "10.0.0.5", "[fd00::1]:80")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://[fd00::5]:8123/", True),
        ("http://[fd00::5:8123]/", False),
        ("http://[fd00::6:80]/", True),
        ("http://[fd00::6]:80/", False),
    ],
)
def test_an_ipv6_address_is_told_from_its_port(
    setting: pytest.MonkeyPatch, url: str, expected: bool
) -> None:
    setting.setenv("STORYKEEP_WEBHOOK_HOSTS", "[fd00::5]:8123,[fd00::6:80]")
    assert is_listed(urlsplit(url), load().webhook_hosts) is expected


@pytest.mark.parametrize(
    "text",
    [
        "http://ha.lan",
        "ha.lan/x",
        "ha.lan:0",
        "ha.lan:99999",
        "a b",
        "*",
        "[::1",
        "::1",
        "[10.0.0.5]",
        "[]:80",
    ],
)
def test_what_is_no_host(setting: pytest.MonkeyPatch, text: str) -> None:
    setting.setenv("STORYKEEP_WEBHOOK_HOSTS", text)
    with pytest.raises(BadSettings, match="STORYKEEP_WEBHOOK_HOSTS: write hosts as name"):
        load()
