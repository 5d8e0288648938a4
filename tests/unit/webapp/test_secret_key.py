"""A web process goes on with the key that a restore in another one has put in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.test import Client

from jobs.pages import home
from tests.factories import make_user
from webapp.secret_key import KeyFile, follow

FIRST, SECOND = "first " * 8, "second " * 8


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file with the key this process began with, which it follows."""
    path = tmp_path / "secret-key"
    path.write_text(f"{FIRST}\n")
    monkeypatch.setattr(settings, "SECRET_KEY", FIRST.strip())
    file = KeyFile(path)
    file.install()
    yield path
    file.uninstall()


def replace(path: Path, text: str) -> None:
    beside = path.with_name("beside")
    beside.write_text(text)
    beside.replace(path)


def test_the_next_request_is_answered_by_the_new_key(path: Path) -> None:
    Client().get("/health/live")
    assert FIRST.strip() == settings.SECRET_KEY
    replace(path, SECOND)
    Client().get("/health/live")
    assert SECOND.strip() == settings.SECRET_KEY


def test_what_another_thread_put_back_in_that_moment_does_not_stay(path: Path) -> None:
    replace(path, SECOND)
    Client().get("/health/live")
    settings.SECRET_KEY = FIRST
    Client().get("/health/live")
    assert SECOND.strip() == settings.SECRET_KEY


def test_without_a_usable_key_it_keeps_its_own(path: Path) -> None:
    for spoil in (
        lambda: path.write_text("short"),
        lambda: path.write_bytes(b"\xff" * 64),
        path.unlink,
        path.mkdir,
    ):
        spoil()
        Client().get("/health/live")
        assert FIRST.strip() == settings.SECRET_KEY


def test_a_key_of_the_settings_is_followed_nowhere(
    tmp_path: Path, set_env: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[KeyFile] = []
    monkeypatch.setattr(KeyFile, "install", lambda file: installed.append(file))
    set_env(data_dir=tmp_path, secret_key="named by a setting")
    follow()
    assert not installed
    set_env(data_dir=tmp_path, secret_key=None)
    follow()
    assert [file._path for file in installed] == [tmp_path / "secret-key"]


@pytest.mark.django_db
def test_a_page_is_signed_by_the_key_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    alice = make_user("alice")
    browser = Client()
    browser.force_login(alice)
    monkeypatch.setattr(settings, "SECRET_KEY", SECOND)
    browser.force_login(alice)
    signed = browser.get("/").context["writer"]
    signer = Signer(salt=home._WRITER_SALT)
    assert signer.unsign(signed) == str(alice.pk)
    monkeypatch.setattr(settings, "SECRET_KEY", FIRST)
    with pytest.raises(BadSignature):
        Signer(salt=home._WRITER_SALT).unsign(signed)
