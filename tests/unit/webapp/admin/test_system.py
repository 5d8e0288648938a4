"""The System page: what runs, what is new, settings and log for admins alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
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
from webapp import changelog
from webapp.backups import kept

pytestmark = pytest.mark.django_db
PAGE, BACKUP = "/admin/system/", "/admin/system/backup/"
NOW = timezone.now()


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
    assert kept.last_at() is None


def test_the_last_backup_its_file_and_its_size(browser: Client, folder: Path) -> None:
    assert "None yet." in text(browser)
    (folder / "backups").mkdir()
    name = kept.file_name(NOW, "daily")
    (folder / "backups" / name).write_bytes(b"x" * 5_000_000)
    kept.record("daily")
    page = text(browser).replace("<wbr>", "")
    assert "Last one:" in page
    assert name in page
    assert f"· {size(5_000_000)}".replace("\xa0", " ") in page
