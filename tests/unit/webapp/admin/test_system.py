"""The System page: what runs, what is new, settings and log for admins alone, and the backup."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from pydantic import SecretStr

from jobs import VERSION
from jobs.ephemeral import heartbeats, log_lines, processes
from jobs.ephemeral.log_lines import LogLine
from jobs.ephemeral.processes import RunningProcess
from jobs.wording import size
from tests.factories import make_user
from tests.unit.webapp.admin.pages import plain
from webapp import backup, changelog, upkeep

pytestmark = pytest.mark.django_db
PAGE, BACKUP = "/admin/system/", "/admin/system/backup/"
NOW = timezone.now()
on_sqlite = pytest.mark.skipif(
    "postgres" in os.environ.get("STORYKEEP_DATABASE_URL", ""), reason="SQLite alone is a file"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, set_env: Callable[..., None]) -> Path:
    """The data folder."""
    set_env(data_dir=tmp_path)
    return tmp_path


@pytest.fixture
def _running(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers, of which one is old; and a log."""
    started = NOW - timedelta(days=9)
    new, old = (
        RunningProcess(name=f"worker-{number}@nas", version=version, started_at=started)
        for number, version in ((1, VERSION), (2, "0.0.9"))
    )
    monkeypatch.setattr(processes, "running", lambda: (new, old))
    monkeypatch.setattr(heartbeats, "alive", lambda: ["worker-1@nas", "worker-3@nas"])
    line = LogLine(at=NOW, process="worker", level="ERROR", logger="jobs", text="<b>bad</b> thing")
    monkeypatch.setattr(log_lines, "recent", lambda: [line])


def sign_in_again(browser: Client, name: str = "root") -> None:
    """Confirm the password of whoever is signed in."""
    browser.post("/account/confirm/", {"password": name * 2})


def text(browser: Client, address: str = PAGE) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200
    return plain(answer.content)


# --- the page -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("_running")
def test_what_runs_since_when_and_in_which_version(browser: Client) -> None:
    page = text(browser).replace("<wbr>", "")
    for name in ("Web server", "worker-1@nas", "worker-2@nas", "worker-3@nas"):
        assert name in page
    assert page.count(f"<td>{VERSION}</td>") == 2
    assert page.count(">restart</span>") == 2  # the old one, and the one that does not tell
    assert "9 d" in page
    assert "git pull" in page
    assert 'href="/admin/diagnosis/"' in page
    assert "style=" not in page


@pytest.mark.usefixtures("_running")
def test_news_and_log_are_only_text(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    piece = changelog.Piece("<script>x</script>")
    release = changelog.Release("1", tuple(changelog.Entry((piece,), True) for _ in range(9)))
    monkeypatch.setattr(changelog, "this_release", lambda: release)
    page = text(browser)
    assert "<script>x" not in page
    assert "<b>bad" not in page
    assert "&lt;b&gt;bad&lt;/b&gt; thing" in page
    assert page.count("&lt;script&gt;x") == 9
    assert "Everything that is new" in page
    monkeypatch.setattr(changelog, "this_release", lambda: None)
    assert "did not come with this copy" in text(browser)


def test_without_redis_and_folder_the_page_is_there(browser: Client) -> None:
    page = text(browser)
    assert "No worker online" in page
    assert "Redis does not answer" in page


@pytest.mark.usefixtures("_running")
def test_settings_are_told_and_secrets_are_not(
    browser: Client, set_env: Callable[..., None]
) -> None:
    set_env(
        proxy=SecretStr("http://me:hunter2@proxy.example:3128"), batch_max=77,
        admin_password=SecretStr("hunter2 and more"), instance_note="<i>hi</i>",
    )  # fmt: skip
    page = text(browser).replace("<wbr>", "")
    assert "STORYKEEP_BATCH_MAX" in page
    assert "<bdi>77</bdi>" in page
    assert "@proxy.example:3128" in page
    assert "hunter2" not in page
    assert "&lt;i&gt;hi" in page


@pytest.mark.usefixtures("_running")
def test_staff_without_all_rights_see_no_settings_no_log_and_no_backup(folder: Path) -> None:
    clerk, browser = make_user("clerk", is_staff=True), Client()
    browser.force_login(clerk)
    assert browser.get(PAGE).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_operations"))
    page = text(browser)
    assert "worker" in page
    for word in ("Settings in force", "bad&lt;", f'{BACKUP}"', str(folder), "Run a diagnosis"):
        assert word not in page
    sign_in_again(browser, "clerk")
    for address in (BACKUP, f"{BACKUP}done/"):
        assert browser.post(address).status_code == 403
    assert browser.get(BACKUP).status_code == 403
    assert backup.last_at() is None


# --- the backup ---------------------------------------------------------------------------------


@on_sqlite
@pytest.mark.django_db(transaction=True)
def test_a_backup_is_downloaded_and_noted(browser: Client, root: User) -> None:
    sign_in_again(browser)
    told = text(browser, BACKUP)
    assert "tar -xf" in told
    about = size(backup.expected_bytes()).replace("\xa0", " ")
    assert f"Download · about {about}" in told
    answer: Any = browser.post(BACKUP)
    content = b"".join(answer.streaming_content)
    assert answer.headers["Content-Length"] == str(len(content))
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="storykeep-20')
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Type"] == "application/x-tar"
    assert b"SQLite format 3" in content
    assert backup.last_at()
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_repr) == (root, "Backup")
    assert "Last one:" in text(browser)


@on_sqlite
@pytest.mark.django_db(transaction=True)
def test_a_backup_that_broke_off_is_none_but_who_began_it_is_known(browser: Client) -> None:
    sign_in_again(browser)
    answer: Any = browser.post(BACKUP)
    next(iter(answer.streaming_content))
    answer.close()
    assert backup.last_at() is None
    assert LogEntry.objects.get().change_message.startswith("download begun")


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_password_is_asked_for_first(
    browser: Client, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask() -> None:
        answer = getattr(browser, method)(BACKUP)
        assert answer.status_code == 302
        place = "/account/confirm/?next=%2Fadmin%2Fsystem%2Fbackup%2F"
        assert answer.headers["Location"] == place

    ask()
    browser.post("/account/confirm/", {"password": "wrong"})
    ask()
    sign_in_again(browser)
    assert text(browser, BACKUP)
    later = time.time() + 6 * 60
    monkeypatch.setattr(time, "time", lambda: later)
    ask()
    assert backup.last_at() is None
    assert not LogEntry.objects.exists()


def test_a_form_from_elsewhere_gets_no_backup(browser: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="root"))
    sign_in_again(strict)
    assert strict.post(BACKUP).status_code == 403
    assert strict.post(f"{BACKUP}done/").status_code == 403
    assert browser.get(f"{BACKUP}done/").status_code == 405


@pytest.mark.parametrize(
    ("reason", "words"),
    [("busy", "being made already"), ("no_room", "too little room"),
     ("OperationalError", "could not be copied (OperationalError)")],
)  # fmt: skip
def test_why_there_is_none_is_said(
    browser: Client, monkeypatch: pytest.MonkeyPatch, reason: str, words: str
) -> None:
    def fail(_now: object) -> None:
        raise backup.BackupFailed(reason)

    monkeypatch.setattr(backup, "make", fail)
    sign_in_again(browser)
    answer = browser.post(BACKUP)
    assert answer.status_code == 503
    assert words in plain(answer.content)
    assert backup.last_at() is None
    assert not LogEntry.objects.exists()


def test_postgresql_has_its_own_tool(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "connection", SimpleNamespace(vendor="postgresql"))
    monkeypatch.setattr(upkeep, "in_compose", lambda: True)
    sign_in_again(browser)
    page = text(browser, BACKUP)
    assert "pg_dump -U storykeep" in page
    assert "pg_restore" in page
    assert ">Download" not in page
    answer = browser.post(BACKUP)
    assert answer.status_code == 503
    assert "its own tools" in plain(answer.content)


def test_one_made_in_another_way_is_noted(browser: Client, root: User) -> None:
    page = plain(browser.post(f"{BACKUP}done/", follow=True).content)
    assert "Noted: backed up just now." in page
    assert backup.last_at()
    assert LogEntry.objects.get().change_message == "noted: made in another way"
