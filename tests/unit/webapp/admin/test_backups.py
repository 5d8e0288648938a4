"""The page of backups: one is made, kept and downloaded, by an admin who gave the password."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from jobs.wording import size
from tests.unit.webapp.admin.pages import plain
from webapp import upkeep
from webapp.backups import kept, making
from webapp.backups.archive import Backup
from webapp.backups.failures import BackupFailed

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/system/backup/"
TWICE = {"passphrase": "correct horse", "again": "correct horse"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, set_env: Callable[..., None]) -> Path:
    """The data folder."""
    set_env(data_dir=tmp_path)
    return tmp_path


def sign_in_again(browser: Client, name: str = "root") -> None:
    """Confirm the password of whoever is signed in."""
    browser.post("/account/confirm/", {"password": name * 2})


def download(browser: Client) -> bytes:
    answer: Any = browser.post(f"{PAGE}file/{kept.kept()[0].name}/")
    content = b"".join(answer.streaming_content)
    assert answer.headers["Content-Length"] == str(len(content))
    assert answer.headers["Content-Type"] == "application/x-tar"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "no-store" in answer.headers["Cache-Control"]
    return content


def test_one_is_made_and_downloaded_with_its_key(browser: Client, root: User) -> None:
    sign_in_again(browser)
    about = size(making.expected_bytes()).replace("\xa0", " ")
    assert f"Back up now · about {about}" in plain(browser.get(PAGE).content)
    page = plain(browser.post(PAGE, TWICE, follow=True).content)
    assert "Backed up. Download it" in page
    assert "by hand" in page
    backup = Backup(io.BytesIO(download(browser)))
    backup.check()
    assert backup.keys("correct horse").keys() == {"secret-key"}
    assert kept.last_at()
    made, taken = LogEntry.objects.order_by("pk")
    assert (made.user, made.object_repr) == (root, "Backup")
    assert made.change_message.endswith("with keys")
    assert taken.change_message.startswith("downloaded: storykeep-")


def test_without_a_passphrase_the_key_stays_here(browser: Client) -> None:
    sign_in_again(browser)
    browser.post(PAGE, {})
    assert Backup(io.BytesIO(download(browser))).manifest.keys is None
    made = LogEntry.objects.order_by("pk")[0]
    assert made.change_message.endswith("without keys")


@pytest.mark.parametrize(
    "given", [{"passphrase": "short", "again": "short"}, {"passphrase": "correct horse"}]
)
def test_a_slip_is_said_before_anything_is_made(browser: Client, given: dict[str, str]) -> None:
    sign_in_again(browser)
    answer = browser.post(PAGE, given)
    assert answer.status_code == 422
    assert 'role="alert"' in plain(answer.content)
    assert kept.kept() == []


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("file", [False, True])
def test_the_password_is_asked_for_first(
    browser: Client, method: str, file: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in_again(browser)
    browser.post(PAGE, {})
    address = f"{PAGE}file/{kept.kept()[0].name}/" if file else PAGE
    later = time.time() + 6 * 60
    monkeypatch.setattr(time, "time", lambda: later)
    answer = getattr(browser, method)(address)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/account/confirm/?next=")
    monkeypatch.undo()
    if file:
        assert browser.get(address).headers["Location"] == PAGE


def test_nothing_else_of_the_folder_is_handed_out(browser: Client, folder: Path) -> None:
    sign_in_again(browser)
    (folder / "backups").mkdir()
    (folder / "secret-key").touch()
    (folder / "backups" / ".lock").touch()
    for name in (".lock", "..%2Fsecret-key", "storykeep-2026-11-28-120500-manual.tar"):
        assert browser.post(f"{PAGE}file/{name}/").status_code == 404


def test_a_form_from_elsewhere_gets_no_backup(browser: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="root"))
    sign_in_again(strict)
    assert strict.post(PAGE).status_code == 403
    assert strict.post(f"{PAGE}done/").status_code == 403
    assert browser.get(f"{PAGE}done/").status_code == 405


def test_why_there_is_none_is_said(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise BackupFailed("no_room", "There is too little room.")

    monkeypatch.setattr(making, "make", fail)
    sign_in_again(browser)
    answer = browser.post(PAGE, TWICE)
    assert answer.status_code == 503
    assert "There is too little room." in plain(answer.content)
    assert "correct horse" not in plain(answer.content)
    assert kept.last_at() is None
    assert not LogEntry.objects.exists()


def test_where_its_tools_are_missing_postgresql_has_its_own(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise BackupFailed("no_tool", "pg_dump is not installed here.")

    monkeypatch.setattr(making, "check", fail)
    monkeypatch.setattr(upkeep, "in_compose", lambda: True)
    sign_in_again(browser)
    page = plain(browser.get(PAGE).content)
    assert "pg_dump is not installed here." in page
    assert "pg_dump -Fc" in page
    assert "pg_restore" in page
    assert "Back up now" not in page


def test_one_made_in_another_way_is_noted(browser: Client) -> None:
    page = plain(browser.post(f"{PAGE}done/", follow=True).content)
    assert "Noted: backed up just now." in page
    assert kept.last_at()
    assert LogEntry.objects.get().change_message == "noted: made in another way"
