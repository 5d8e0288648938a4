"""Keys are read and written by name, and a setting stands above what a backup brings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings
from pydantic import SecretStr

from notices import vapid
from webapp.backups import keys


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, set_env: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder."""
    set_env(data_dir=tmp_path, secret_key=None)
    monkeypatch.setattr(settings, "SECRET_KEY", settings.SECRET_KEY)  # put back afterwards
    return tmp_path


def test_the_key_in_force_and_every_key_file_there_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "KEY_FILES", ("secret-key", "push-key", "no-key"))
    (folder / "push-key").write_text("push")
    assert keys.in_force() == {"secret-key": settings.SECRET_KEY, "push-key": "push"}


def test_restored_keys_are_private_files_and_in_force(folder: Path) -> None:
    (folder / "secret-key").write_text("old")
    (folder / "secret-key.restoring").write_text("left by a process that was killed")
    with keys.ready({"secret-key": "n" * 50, "../evil": "x", "other": "y"}) as put:
        assert (folder / "secret-key").read_text() == "old"
        put()
    assert (folder / "secret-key").read_text() == "n" * 50
    assert (folder / "secret-key").stat().st_mode & 0o777 == 0o600
    assert settings.SECRET_KEY == "n" * 50
    assert [path.name for path in folder.iterdir()] == ["secret-key"]
    with keys.ready({}) as put:
        put()
    assert settings.SECRET_KEY == "n" * 50


def test_keys_that_are_not_put_are_not_left_lying_about(folder: Path) -> None:
    (folder / "secret-key").write_text("old")
    before = settings.SECRET_KEY
    with suppress(ZeroDivisionError), keys.ready({"secret-key": "n" * 50}):
        raise ZeroDivisionError
    assert (folder / "secret-key").read_text() == "old"
    assert before == settings.SECRET_KEY
    assert [path.name for path in folder.iterdir()] == ["secret-key"]


def test_a_setting_stands_above_them(set_env: Callable[..., None]) -> None:
    before = settings.SECRET_KEY
    set_env(secret_key=SecretStr("k" * 40))
    assert keys.is_overruled({"secret-key": "n" * 50})
    assert not keys.is_overruled({"secret-key": "k" * 40})
    assert not keys.is_overruled({})
    with keys.ready({"secret-key": "n" * 50}) as put:
        put()
    assert before == settings.SECRET_KEY


def test_devices_that_take_push_messages_do_so_after_a_restore(folder: Path) -> None:
    made = vapid.find_or_make()
    kept = keys.in_force()
    (folder / "push-key").unlink()
    with keys.ready(kept) as put:
        put()
    assert vapid.find() == made
    assert (folder / "push-key").stat().st_mode & 0o777 == 0o600
