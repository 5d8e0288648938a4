"""The page of the protocol pack: importing, looking, going back, twice and in two tabs."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from jobs.models import ProtocolPack
from jobs.upstream import protocol, protocol_look
from jobs.upstream.protocol_look import LastLook
from stories.protocol.current import built_in
from tests import packs
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PAGE, LOOK, REVERT = (f"/admin/system/protocol/{end}" for end in ("", "look/", "revert/"))
FIRST, SECOND = "2040-01-01.9", "2040-01-01.10"


@pytest.fixture
def page() -> Any:
    """The module of the page, once the admin was put together."""
    importlib.import_module("webapp.urls")
    return importlib.import_module("webapp.admin.protocol")


@pytest.fixture(autouse=True)
def _trusting(set_env: Callable[..., None]) -> None:
    set_env(protocol_key=packs.PUBLIC_TEXT, protocol_url="https://packs.example.org/p")


def upload(browser: Client, content: bytes, name: str = "pack.json") -> Any:
    return browser.post(PAGE, {"pack": SimpleUploadedFile(name, content)}, follow=True)


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def in_use() -> str:
    return str(protocol.look(at_once=True).pack.version)


def log() -> list[str]:
    return list(
        LogEntry.objects.filter(object_repr="Protocol pack")
        .order_by("pk")
        .values_list("change_message", flat=True)
    )


def test_the_built_in_pack_is_shown(browser: Client) -> None:
    answer = browser.get(PAGE)
    assert str(built_in().version) in text(answer)
    assert "built in" in text(answer)
    assert REVERT not in text(answer)
    assert answer.headers["Cache-Control"].startswith("max-age=0")
    assert f'href="{PAGE}"' in browser.get("/admin/system/").content.decode()


def test_a_file_is_imported_and_the_log_says_who(browser: Client) -> None:
    def change(facts: dict[str, Any]) -> None:
        facts["note"] = "A <new> host."
        facts["hosts"]["media"].append("byteicdn.com")
        facts["endpoints"]["story_list"]["page_size"] = 30

    shown = text(upload(browser, packs.signed(change, version=FIRST)))
    assert f"{FIRST} is in use." in shown
    assert "A &lt;new&gt; host." in shown
    assert "2 differences from the built-in one" in shown
    assert "byteicdn.com]" in shown.replace("<wbr>", "")
    assert REVERT in shown
    assert in_use() == FIRST
    assert log() == [f"imported {FIRST}"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (packs.signed(version="2020-01-01.1"), "It is older than what this version"),
        (packs.signed(private=bytes(32)), "It is signed with a key that is not trusted here."),
        (packs.signed(lambda facts: facts.update({"<b>": 1})), "It has a field that this version"),
        (b" " * 300_000, "It is too large."),
        (b"\x89PNG", "It is not a protocol pack."),
        (b"", "It is not a protocol pack."),
    ],
)
def test_a_refusal_says_why_and_changes_nothing(browser: Client, content: bytes, said: str) -> None:
    answer = upload(browser, content)
    assert answer.status_code == 422
    assert said in text(answer)
    assert "<b>" not in text(answer).partition("errornote")[2].partition("</p>")[0]
    assert in_use() == str(built_in().version)
    assert log() == []


def test_without_a_file_one_is_asked_for(browser: Client) -> None:
    answer = browser.post(PAGE)
    assert answer.status_code == 422
    assert "Choose a file first." in text(answer)
    assert browser.post(PAGE, {"pack": "a text"}).status_code == 422


def test_the_same_form_twice_imports_once(browser: Client) -> None:
    envelope = packs.signed(version=FIRST)
    upload(browser, envelope)
    again = upload(browser, envelope)
    assert again.status_code == 200
    assert "It is in use already." in text(again)
    assert log() == [f"imported {FIRST}"]


# --- going back -----------------------------------------------------------------------------------


def test_going_back_asks_first(browser: Client) -> None:
    for version in (FIRST, SECOND):
        upload(browser, packs.signed(version=version))
    question = text(browser.get(REVERT))
    assert f"Go back from {SECOND} to {FIRST}?" in question
    assert in_use() == SECOND
    answer = text(browser.post(REVERT, {"version": SECOND}, follow=True))
    assert f"{FIRST} is in use." in answer
    assert "gone back from" in answer
    assert in_use() == FIRST
    assert f"Go back from {FIRST} to {built_in().version}, which is built in?" in text(
        browser.get(REVERT)
    )
    assert log()[-1] == f"went back from {SECOND} to {FIRST}"


def test_a_second_tab_goes_back_no_further(browser: Client) -> None:
    for version in (FIRST, SECOND):
        upload(browser, packs.signed(version=version))
    browser.post(REVERT, {"version": SECOND})
    answer = text(browser.post(REVERT, {"version": SECOND}, follow=True))
    assert "Another pack is in use by now. Nothing was changed." in answer
    assert in_use() == FIRST
    for form in ({}, {"version": "x" * 5000}, {"version": "\0"}):
        assert browser.post(REVERT, form).status_code == 302
    assert in_use() == FIRST


def test_from_the_built_in_pack_there_is_no_way_back(browser: Client) -> None:
    answer = browser.get(REVERT, follow=True)
    assert "The built-in pack is in use already." in text(answer)


def test_a_stored_pack_that_is_not_used_says_why_and_can_be_left(
    browser: Client, set_env: Callable[..., None]
) -> None:
    upload(browser, packs.signed(version=FIRST))
    set_env(protocol_key=None)
    protocol.in_use.forget()
    shown = text(browser.get(PAGE))
    assert f"{FIRST} was imported and is not used." in shown
    assert "It is signed with a key that is not trusted here." in shown
    browser.post(REVERT, {"version": FIRST})
    assert not ProtocolPack.objects.filter(active=True).exists()
    assert "is not used" not in text(browser.get(PAGE))


# --- looking --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "said", "logged"),
    [
        ({"version": FIRST}, f"{FIRST} is in use.", [f"looked for and imported {FIRST}"]),
        ({"reason": "same"}, "Nothing newer.", []),
        ({"reason": "busy"}, "Somebody is looking already.", []),
        ({"reason": "unavailable"}, "The address does not answer as it should.", []),
        ({"reason": "bad_signature"}, "Its signature is wrong", []),
        ({"reason": "of another version"}, "Something in it is not as it should be.", []),
    ],
)
def test_a_look_says_what_came_of_it(
    browser: Client,
    monkeypatch: pytest.MonkeyPatch,
    page: Any,
    outcome: dict[str, str],
    said: str,
    logged: list[str],
) -> None:
    monkeypatch.setattr(page, "run_look", lambda: {"version": "", "reason": "", **outcome})
    assert said in text(browser.post(LOOK, follow=True))
    assert log() == logged


def test_the_look_runs_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch, page: Any) -> None:
    started: list[list[str]] = []

    def run(argv: list[str], **options: Any) -> Any:
        started.append(argv)
        assert options["timeout"] == page.LOOK_TIMEOUT_S
        assert page.run_look()["reason"] == "busy", "one at a time"
        return subprocess.CompletedProcess(argv, 0, stdout=said, stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    said = json.dumps({"version": FIRST, "reason": "", "said": ""})
    assert page.run_look()["version"] == FIRST
    assert started[0][-3:] == ["protocol", "look", "--json"]
    said = "Traceback"
    assert page.run_look() == {"version": "", "reason": "unavailable", "said": ""}


def test_a_look_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, page: Any) -> None:
    def hang(argv: list[str], **_: Any) -> Any:
        raise subprocess.TimeoutExpired(argv, 60)

    monkeypatch.setattr(subprocess, "run", hang)
    for _ in range(2):
        assert page.run_look()["reason"] == "unavailable"


@pytest.mark.parametrize(
    ("reason", "said"),
    [("", "Last look:"), ("same", "Nothing newer."), ("unavailable", "does not answer as it")],
)
def test_the_last_look_is_told(
    browser: Client, monkeypatch: pytest.MonkeyPatch, reason: str, said: str
) -> None:
    at = datetime(2026, 12, 1, 12, tzinfo=UTC)
    look = LastLook(at=at, next_at=None, failing_since=None, reason=reason)
    monkeypatch.setattr(protocol_look, "last", lambda: look)
    assert said in text(browser.get(PAGE))


def test_without_an_address_there_is_nothing_to_look_at(
    browser: Client, set_env: Callable[..., None]
) -> None:
    assert LOOK in text(browser.get(PAGE))
    set_env(protocol_url=None)
    shown = text(browser.get(PAGE))
    assert LOOK not in shown
    assert "STORYKEEP_PROTOCOL_URL" in shown


def test_staff_who_may_run_a_diagnosis_may_import_and_others_may_not() -> None:
    clerk = make_user("clerk", is_staff=True)
    browser = Client()
    browser.force_login(clerk)
    assert upload(browser, packs.signed(version=FIRST)).status_code == 403
    assert in_use() == str(built_in().version)
    clerk.user_permissions.add(Permission.objects.get(codename="run_diagnosis"))
    assert upload(browser, packs.signed(version=FIRST)).status_code == 200
    assert in_use() == FIRST
