"""What Django is told, for each kind of public address; every case in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SHOWN = (
    "ALLOWED_HOSTS CSRF_TRUSTED_ORIGINS FORCE_SCRIPT_NAME STATIC_URL SESSION_COOKIE_PATH"
    " CSRF_COOKIE_PATH SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SECURE_HSTS_SECONDS"
    " SECURE_PROXY_SSL_HEADER DEBUG INSTALLED_APPS SILENCED_SYSTEM_CHECKS"
)
SHOW = (
    "import json, sys; from django.conf import settings;"
    f"print(json.dumps({{name: getattr(settings, name, None) for name in {SHOWN.split()}}}))"
)


def django_settings(folder: Path, module: str = "webapp.settings", **ours: str) -> dict[str, Any]:
    """The settings of a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": module,
            "STORYKEEP_DATA_DIR": str(folder),
            **{f"STORYKEEP_{name}": value for name, value in ours.items()},
        },
        capture_output=True,
        text=True,
        check=True,
    )
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def test_without_a_public_address(tmp_path: Path) -> None:
    found = django_settings(tmp_path)
    assert found["ALLOWED_HOSTS"] == ["*"]
    assert found["FORCE_SCRIPT_NAME"] is None
    assert found["STATIC_URL"] == "/static/"
    assert found["SESSION_COOKIE_PATH"] == "/"
    assert not found["SESSION_COOKIE_SECURE"]
    assert found["SECURE_HSTS_SECONDS"] == 0
    assert found["SECURE_PROXY_SSL_HEADER"] is None
    assert found["DEBUG"] is False


def test_with_an_https_address(tmp_path: Path) -> None:
    found = django_settings(
        tmp_path, PUBLIC_URL="https://stories.example.org:8443/", TRUSTED_PROXIES="1"
    )
    assert found["ALLOWED_HOSTS"][0] == "stories.example.org"
    assert "*" not in found["ALLOWED_HOSTS"]
    assert found["CSRF_TRUSTED_ORIGINS"] == ["https://stories.example.org:8443"]
    assert found["SESSION_COOKIE_SECURE"]
    assert found["CSRF_COOKIE_SECURE"]
    assert found["SECURE_HSTS_SECONDS"] > 0
    assert found["SECURE_PROXY_SSL_HEADER"] == ["HTTP_X_FORWARDED_PROTO", "https"]


def test_with_a_sub_path(tmp_path: Path) -> None:
    found = django_settings(tmp_path, PUBLIC_URL="http://nas.local/stories/")
    assert found["FORCE_SCRIPT_NAME"] == "/stories"
    assert found["STATIC_URL"] == "/stories/static/"
    assert found["SESSION_COOKIE_PATH"] == found["CSRF_COOKIE_PATH"] == "/stories"
    assert not found["SESSION_COOKIE_SECURE"]


def test_with_an_ipv6_address(tmp_path: Path) -> None:
    found = django_settings(tmp_path, PUBLIC_URL="http://[fd00::1]:8000")
    assert found["ALLOWED_HOSTS"][0] == "[fd00::1]"
    assert found["CSRF_TRUSTED_ORIGINS"] == ["http://[fd00::1]:8000"]


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    django_settings(folder)
    key = folder / "secret-key"
    before = key.read_text()
    assert len(before) > 50
    assert key.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    django_settings(folder)
    assert key.read_text() == before
    assert [path.name for path in folder.iterdir()] == ["secret-key"]


@pytest.mark.parametrize("content", ["", "short"])
def test_a_key_that_is_none_stops_the_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret-key").write_text(content)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        django_settings(tmp_path)
    assert caught.value.returncode == 2
    assert "holds no usable key" in caught.value.stderr
    assert "Traceback" not in caught.value.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no /proc")
def test_a_disk_that_fails_for_a_moment_does_not_stop_later_starts(tmp_path: Path) -> None:
    (tmp_path / "secret-key").symlink_to("/proc/self/mem")  # answers EIO
    with pytest.raises(subprocess.CalledProcessError) as caught:
        django_settings(tmp_path)
    assert caught.value.returncode == 1
    assert "cannot be used" in caught.value.stderr
    assert "Traceback" not in caught.value.stderr


def test_the_worker_has_the_same_less_the_pages(tmp_path: Path) -> None:
    site, worker = django_settings(tmp_path), django_settings(tmp_path, "webapp.settings_worker")
    ours = {"accounts", "jobs", "notices", "webapp", "django.contrib.auth"}
    assert ours <= set(worker["INSTALLED_APPS"]) < set(site["INSTALLED_APPS"])
    del worker["INSTALLED_APPS"], site["INSTALLED_APPS"]
    assert worker == site


@pytest.mark.parametrize(
    "ours",
    [{}, {"PUBLIC_URL": "https://stories.example.org", "TRUSTED_PROXIES": "1"}],
    ids=["http", "https"],
)
def test_django_finds_nothing_to_say_about_the_deployment(
    tmp_path: Path, ours: dict[str, str]
) -> None:
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "STORYKEEP_DATA_DIR": str(tmp_path),
            **{f"STORYKEEP_{name}": value for name, value in ours.items()},
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    silenced = django_settings(tmp_path, **ours)["SILENCED_SYSTEM_CHECKS"]
    assert len(silenced) == (3 if ours else 6)


def refused(folder: Path, *command: str, **ours: str) -> tuple[int, list[str]]:
    """The exit code and the lines of a process that cannot start."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
            "STORYKEEP_DATA_DIR": str(folder),
            **{f"STORYKEEP_{name}": value for name, value in ours.items()},
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stdout
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(
    ("command", "process"),
    [
        (("manage.py", "up"), "storykeep"),
        (("manage.py", "migrate"), "manage"),
        (("-m", "webapp.web"), "web"),
        (("-m", "webapp.worker"), "worker"),
        (("-m", "webapp.scheduler"), "scheduler"),
    ],
)
def test_settings_are_refused_in_the_form_of_the_log(
    tmp_path: Path, command: tuple[str, ...], process: str
) -> None:
    wrong = {"PORT": "many", "NO_SUCH": "x", "METRICS_TOKEN": "too-short"}
    code, lines = refused(tmp_path, *command, LOG_FORMAT="json", **wrong)
    assert code == 2
    found = [json.loads(line) for line in lines]
    assert len(found) == 3
    for fields in found:
        assert set(fields) == {"time", "level", "logger", "message", "process", "pid"}
        assert (fields["level"], fields["process"]) == ("CRITICAL", process)
    told = " ".join(fields["message"] for fields in found)
    assert all(f"STORYKEEP_{name}" in told for name in wrong)
    assert "too-short" not in told


def test_a_data_folder_that_cannot_be_used_is_told_in_the_form_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, (line,) = refused(tmp_path / "file", "manage.py", "up", LOG_FORMAT="json")
    assert code == 2
    assert "STORYKEEP_DATA_DIR" in json.loads(line)["message"]
    code, lines = refused(tmp_path / "file", "manage.py", "up")
    assert code == 2
    assert lines[0] == "Storykeep cannot start; these settings are wrong:"
