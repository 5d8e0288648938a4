"""The network of messages to people, against servers on loopback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from notices.kinds import Reason
from notices.wire import NotSent, Request
from tests.receivers import lead_to, receiving, resolve_publicly
from webapp import sending
from webapp.sending import Sender


def asked(url: str, **facts: Any) -> Request:
    return Request(**{"url": url, "headers": {"TTL": "60"}, "body": b"text"} | facts)


def reason(sender: Sender, request: Request) -> Reason:
    with pytest.raises(NotSent) as caught:
        sender.post(request)
    return caught.value.reason


def test_it_arrives_with_its_headers_and_nothing_about_this_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving(["push.example.org"], tmp_path) as receiver:
        lead_to(receiver, monkeypatch)
        with Sender(receiver.ca_path, resolve_publicly) as sender:
            for _ in range(2):
                assert sender.post(asked("https://push.example.org/a?b=c")).status == 201
    first, _second = receiver.taken
    assert (first.method, first.path, first.body) == ("POST", "/a?b=c", b"text")
    assert first.headers == {
        "host": "push.example.org",
        "user-agent": "Storykeep",
        "ttl": "60",
        "content-length": "4",
    }


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with receiving(["push.example.org"], tmp_path) as receiver:
        lead_to(receiver, monkeypatch)
        receiver.statuses = [status]
        receiver.headers = {"Location": "https://push.example.org/elsewhere"}
        with Sender(receiver.ca_path, resolve_publicly) as sender:
            assert sender.post(asked("https://push.example.org/a")).status == status
    assert len(receiver.taken) == 1


def test_when_to_come_again_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(["push.example.org"], tmp_path) as receiver:
        lead_to(receiver, monkeypatch)
        receiver.statuses, receiver.headers = [429], {"Retry-After": "120"}
        with Sender(receiver.ca_path, resolve_publicly) as sender:
            answer = sender.post(asked("https://push.example.org/a"))
    assert (answer.status, answer.retry_after_s) == (429, 120)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "fd00::1"])
def test_a_name_that_leads_to_a_private_address_is_not_asked(address: str) -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return (address,)

    with Sender(None, resolve) as sender:
        assert reason(sender, asked("https://hooks.example.org/a")) == Reason.NOT_ALLOWED


@pytest.mark.parametrize("url", ["https://127.0.0.1/a", "https://[::1]/a", "https://localhost/a"])
def test_nor_is_this_machine(url: str) -> None:
    with Sender(None) as sender:
        assert reason(sender, asked(url)) == Reason.NOT_ALLOWED


def test_nor_is_http_unless_its_host_is_listed() -> None:
    with receiving() as receiver, Sender(None) as sender:
        url = f"http://127.0.0.1:{receiver.port}/a"
        assert reason(sender, asked(url)) == Reason.NOT_ALLOWED
        assert receiver.taken == []
        assert sender.post(asked(url, anywhere=True)).status == 201


def test_a_certificate_of_another_authority_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving(["push.example.org"], tmp_path) as receiver:
        lead_to(receiver, monkeypatch)
        with Sender(None, resolve_publicly) as sender:
            assert reason(sender, asked("https://push.example.org/a")) == Reason.NO_ANSWER
    assert receiver.taken == []


def test_nobody_there_is_no_answer() -> None:
    with receiving() as receiver:
        url = f"http://127.0.0.1:{receiver.port}/a"
    with Sender(None) as sender:
        assert reason(sender, asked(url, anywhere=True)) == Reason.NO_ANSWER


def test_one_that_stays_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "TIMEOUT_S", 0.2)
    with receiving() as receiver, Sender(None) as sender:
        receiver.answering.clear()
        url = f"http://127.0.0.1:{receiver.port}/a"
        assert reason(sender, asked(url, anywhere=True)) == Reason.TOO_SLOW


@pytest.mark.parametrize("url", ["https://", "https://exa mple.org/", "https://[::1/a", "x"])
def test_what_is_no_address_is_not_asked(url: str) -> None:
    with Sender(None) as sender:
        assert reason(sender, asked(url)) in {Reason.NOT_ALLOWED, Reason.NO_ANSWER}


def test_the_environments_proxies_are_not_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with receiving(["push.example.org"], tmp_path) as receiver:
        lead_to(receiver, monkeypatch)
        with Sender(receiver.ca_path, resolve_publicly) as sender:
            assert sender.post(asked("https://push.example.org/a")).status == 201
