"""Before migrations there is a backup, or a line that says why not and how to go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories import make_user
from webapp.backups import before_upgrade, kept, making
from webapp.backups.failures import BackupFailed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, set_env: Callable[..., None]) -> Path:
    """The data folder."""
    set_env(data_dir=tmp_path)
    return tmp_path


def test_with_people_in_it_a_database_is_backed_up() -> None:
    said: list[str] = []
    before_upgrade.back_up(said.append)
    assert said == []  # nobody is there yet
    make_user("alice")
    before_upgrade.back_up(said.append)
    assert [backup.kind for backup in kept.kept()] == ["upgrade"]
    assert said[0] == "backing up before the upgrade ..."
    assert kept.kept()[0].name in said[1]


def failing(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    def fail(*_: object) -> None:
        raise BackupFailed(reason, "There is too little room.")

    monkeypatch.setattr(making, "make", fail)


def test_without_room_it_is_not_upgraded_and_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]
) -> None:
    make_user("alice")
    failing(monkeypatch, "no_room")
    with pytest.raises(before_upgrade.UpgradeRefused) as refused:
        before_upgrade.back_up(print)
    assert "too little room" in str(refused.value)
    assert "STORYKEEP_BACKUP_KEEP=0" in str(refused.value)
    set_env(backup_keep=0)
    before_upgrade.back_up(print)


def test_a_server_whose_tools_are_not_here_is_upgraded_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_user("alice")
    failing(monkeypatch, "no_tool")
    said: list[str] = []
    before_upgrade.back_up(said.append)
    assert said[-1] == "no backup before the upgrade: There is too little room."
