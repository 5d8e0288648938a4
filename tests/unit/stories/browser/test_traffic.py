"""A page's requests as the events of its browser tell them."""

from __future__ import annotations

from typing import Any

import pytest

from stories.browser.traffic import ABORTED, DataKey, Exchange, Traffic
from stories.protocol.current import built_in, use
from stories.protocol.parsing import parse
from tests import packs

SITE = "https://www.tiktok.com"
LIST = f"{SITE}/api/story/item_list/?aid=1988&authorId=7&count=20&cursor=0"


@pytest.fixture
def traffic() -> Traffic:
    return Traffic(allowed=lambda host: host.endswith("tiktok.com"), max_body=1000)


def send(traffic: Traffic, number: str, url: str, **more: Any) -> None:
    """A request of the page's main frame."""
    event = {
        "requestId": number,
        "frameId": "main",
        "type": "Fetch",
        "request": {"url": url, "method": more.pop("method", "GET")},
        **more,
    }
    traffic.sent(event, main_frame="main")


def test_the_last_document_counts_and_where_it_led(traffic: Traffic) -> None:
    send(traffic, "1", f"{SITE}/@a", type="Document")
    send(traffic, "1", f"{SITE}/@b", type="Document", redirectResponse={})
    traffic.answered({"requestId": "1", "response": {"status": 200, "headers": {"Date": "x"}}})
    document = traffic.document
    assert document is not None
    assert (document.first_url, document.url) == (f"{SITE}/@a", f"{SITE}/@b")
    assert document.moved
    assert (document.status, document.headers) == (200, {"date": "x"})
    send(traffic, "2", f"{SITE}/login", type="Document")
    assert traffic.document is not document


def test_a_fragment_is_no_other_place() -> None:
    assert not Exchange(id="1", url=f"{SITE}/a#top", first_url=f"{SITE}/a").moved


def test_a_frame_is_no_document(traffic: Traffic) -> None:
    send(traffic, "1", f"{SITE}/embed", type="Document", frameId="another")
    assert traffic.document is None


def test_a_document_that_was_never_shown_does_not_count(traffic: Traffic) -> None:
    send(traffic, "1", f"{SITE}/@a", type="Document")
    first = traffic.document
    send(traffic, "2", f"{SITE}/file.exe", type="Document")
    traffic.failed({"requestId": "2", "errorText": ABORTED})
    assert traffic.document is first


def test_a_document_that_we_stopped_says_where_it_led(traffic: Traffic) -> None:
    send(traffic, "1", f"{SITE}/@a", type="Document")
    send(traffic, "1", "https://evil.example/", type="Document")
    traffic.failed({"requestId": "1", "errorText": "net::ERR_BLOCKED_BY_CLIENT"})
    assert traffic.document is not None
    assert traffic.document.refused


def test_the_pages_own_list_is_found_by_what_it_asks_for_whatever_signs_it(
    traffic: Traffic,
) -> None:
    send(traffic, "1", f"{SITE}/api/other/?authorId=7&cursor=0")
    send(traffic, "2", f"{SITE}/api/story/item_list?authorId=8&cursor=0")
    send(traffic, "3", f"{SITE}/api/story/item_list?authorId=7&cursor=5")
    send(traffic, "4", f"{SITE}/api/story/item_list?authorId=7&cursor=0", method="POST")
    send(traffic, "5", f"{SITE}/api/story/item_list?authorId=7&cursor=0", type="Preflight")
    send(traffic, "6", "https://m.tiktok.com/api/story/item_list?authorId=7&cursor=0")
    send(traffic, "7", "http://www.tiktok.com/api/story/item_list?authorId=7&cursor=0")
    assert traffic.own_request(LIST) is None
    send(traffic, "8", f"{SITE}/api/story/item_list?count=30&authorId=7&X-Bogus=abc&msToken=d")
    assert traffic.has_asked_for_list
    found = traffic.own_request(LIST)
    assert found is not None
    assert found.id == "8"
    assert traffic.own_request(LIST) is None, "each of them once"


def test_an_own_request_that_failed_is_passed_over(traffic: Traffic) -> None:
    send(traffic, "1", LIST)
    traffic.failed({"requestId": "1", "errorText": "net::ERR_FAILED"})
    send(traffic, "2", LIST)
    found = traffic.own_request(LIST)
    assert found is not None
    assert found.id == "2"


def test_what_is_watched_begins_anew(traffic: Traffic) -> None:
    send(traffic, "1", LIST)
    traffic.watch(LIST)
    assert traffic.own_request(LIST) is None
    url = f"{SITE}/oembed?url=https://www.tiktok.com/@_/video/1"
    send(traffic, "2", url)
    assert traffic.own_request(url) is None, "not followed yet"
    traffic.watch(url)
    send(traffic, "3", f"{SITE}/oembed?url=https://www.tiktok.com/@_/video/2")
    send(traffic, "4", url)
    found = traffic.own_request(url)
    assert found is not None
    assert found.id == "4"


def test_a_body_beyond_the_limit_is_told_once(traffic: Traffic) -> None:
    send(traffic, "1", LIST)
    assert not traffic.received({"requestId": "1", "dataLength": 1000})
    assert traffic.received({"requestId": "1", "dataLength": 1})
    assert not traffic.received({"requestId": "1", "dataLength": 1})
    assert not traffic.received({"requestId": "unknown", "dataLength": 5000})
    assert not traffic.received({"requestId": "1", "dataLength": "odd"})


def test_a_page_that_asks_without_end_is_followed_for_a_while(traffic: Traffic) -> None:
    for number in range(1000):
        send(traffic, f"d{number}", f"{SITE}/{number}", type="Document")
        send(traffic, f"l{number}", LIST)
    assert len(traffic._requests) == 128


@pytest.mark.parametrize(
    "url",
    [
        "http://www.tiktok.com/",
        "https://www.tiktok.com:8443/",
        "https://evil.example/",
        "https://user@evil.example/tiktok.com",
        "file:///etc/passwd",
        "ftp://www.tiktok.com/",
        "chrome://version",
        "view-source:https://www.tiktok.com/",
        "https://[::1",
        "https://www.tiktok.com:x/",
        "",
    ],
)
def test_what_must_not_be_asked_for(traffic: Traffic, url: str) -> None:
    assert traffic.is_forbidden(url)


@pytest.mark.parametrize(
    "url", [f"{SITE}/@a", "https://WWW.TIKTOK.COM:443/", "data:,x", "blob:x", "about:srcdoc"]
)
def test_what_may_be_asked_for(traffic: Traffic, url: str) -> None:
    assert not traffic.is_forbidden(url)


@pytest.mark.parametrize("url", ["https://[::1", "https://a:x/", "mailto:x", "", "http://a/"])
def test_an_odd_address_has_no_key(url: str) -> None:
    assert DataKey.of(url) is None


def test_an_address_with_too_many_parameters_has_no_key() -> None:
    assert DataKey.of(f"{SITE}/?{'a=1&' * 500}") is None


def test_odd_events_are_survived(traffic: Traffic) -> None:
    for event in ({}, {"requestId": None}, {"requestId": 5, "request": None, "type": 7}):
        traffic.sent(event, main_frame="main")
        traffic.answered(event)
        traffic.received(event)
        traffic.failed(event)
    traffic.loaded()
    send(traffic, "1", f"{SITE}/", type="Document")
    traffic.answered({"requestId": "1", "response": {"status": "odd", "headers": [1], "url": 5}})
    assert traffic.document is not None
    assert traffic.document.status == 0


def test_a_pack_says_where_the_list_is_and_what_tells_one_from_another() -> None:
    def change(facts: dict[str, Any]) -> None:
        facts["endpoints"]["story_list"] = {
            "url": "https://m.tiktok.com/api/v2/stories/",
            "query": [["from", "{cursor}"], ["secUid", "{sec_uid}"], ["x", "a-b"]],
            "page_size": 10,
        }

    use(parse(packs.text(change), built_in()))
    try:
        traffic = Traffic(allowed=lambda _: True, max_body=1000)
        send(traffic, "1", "https://m.tiktok.com/api/v2/stories?secUid=other&from=40&sign=1")
        send(traffic, "2", "https://m.tiktok.com/api/v2/stories?secUid=MS4&from=40&x=c&sign=1")
        assert traffic.has_asked_for_list
        found = traffic.own_request("https://m.tiktok.com/api/v2/stories/?from=40&secUid=MS4&x=a-b")
        assert found is not None
        assert found.id == "2"
    finally:
        use(None)
