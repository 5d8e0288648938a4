"""How an instance is upgraded and backed up, by the way it runs; never with a password."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from tests.factories import make_user
from webapp import upkeep

ROOT = Path(__file__).parents[3]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`runs(container=True, database="postgresql")`: the way this instance runs."""
    here, nowhere = Path(__file__), Path("/nowhere/at/all")

    def run(*, container: bool = False, checkout: bool = False, database: str = "sqlite") -> None:
        marks = (here,) if container else ()
        monkeypatch.setattr(upkeep, "_CHECKOUT", here if checkout else nowhere)
        monkeypatch.setattr(upkeep, "_CONTAINER_MARKS", marks)
        monkeypatch.setattr(upkeep, "connection", SimpleNamespace(vendor=database))

    return run


def test_the_commands_are_those_of_the_way_it_runs(runs: Any) -> None:
    runs()
    assert upkeep.upgrade_commands() == ["git pull", "make run"]
    runs(container=True)
    assert upkeep.upgrade_commands()[1] == "docker build -t storykeep ."
    assert not any("compose" in command for command in upkeep.upgrade_commands())
    runs(container=True, database="postgresql")
    assert upkeep.upgrade_commands() == ["git pull", "docker compose up -d --build"]
    assert upkeep.load_commands()[0].startswith("docker compose stop")
    assert upkeep.dump_commands()[0].startswith("docker compose exec -T database pg_dump")


def test_a_household_is_upgraded_by_its_own_compose_file(runs: Any, set_env: Any) -> None:
    runs(container=True)
    set_env(published_port="8000", redis_url=None)
    household = (ROOT / "docker-compose.household.yml").read_text(encoding="utf-8")
    named = upkeep.upgrade_commands()[1]
    assert named == "docker compose -f docker-compose.household.yml up -d --build"
    assert named.removesuffix(" --build") in household
    runs(container=True, database="postgresql")
    assert upkeep.upgrade_commands() == ["git pull", "docker compose up -d --build"]


def test_a_kept_backup_is_restored_by_the_command(
    runs: Any, set_env: Callable[..., None], tmp_path: Path
) -> None:
    set_env(backup_dir=tmp_path / "my backups")
    runs()
    file = shlex.quote(str(tmp_path / "my backups" / "FILE"))
    assert upkeep.restore_commands() == [f".venv/bin/python manage.py restore --replace {file}"]
    runs(container=True)
    assert upkeep.restore_commands()[1].startswith("docker run --rm -it --volumes-from storykeep ")
    assert upkeep.restore_commands()[1].endswith(f"restore --replace {file}")


def test_a_checkout_in_a_container_is_upgraded_as_one(runs: Any) -> None:
    runs(container=True, checkout=True)
    assert upkeep.upgrade_commands() == ["git pull", "make run"]


def connect(monkeypatch: pytest.MonkeyPatch, **facts: Any) -> None:
    """Have the settings name this database."""
    named = SimpleNamespace(DATABASES={"default": facts}, STORYKEEP=settings.STORYKEEP)
    monkeypatch.setattr(upkeep, "settings", named)


def test_a_dump_names_the_server_and_no_password(
    runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(database="postgresql")
    connect(
        monkeypatch, HOST="db.example", PORT=5433, USER="keep", NAME="my keep; rm -rf",
        PASSWORD="hunter2",
    )  # fmt: skip
    dump, key = upkeep.dump_commands()
    assert dump == (
        "pg_dump -Fc '--exclude-table-data=*session' '--exclude-table-data=*link'"
        " -h db.example -p 5433 -U keep -d 'my keep; rm -rf' -f storykeep.dump"
    )
    assert "hunter2" not in dump + key
    assert key.startswith("cp ")
    emptied, restored, key_back = upkeep.load_commands()
    assert emptied.startswith("psql -h db.example -p 5433 -U keep -d 'my keep; rm -rf' -c 'DROP")
    assert restored == (
        "pg_restore -h db.example -p 5433 -U keep -d 'my keep; rm -rf' storykeep.dump"
    )
    assert "hunter2" not in emptied + restored + key_back
    assert shlex.split(key_back)[1:] == ["secret-key", shlex.split(key)[1]]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="there is no PostgreSQL to dump")
@pytest.mark.django_db(transaction=True)
def test_what_was_dumped_is_restored(
    runs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]
) -> None:
    """By the very commands, over a database that a newer version has changed."""
    runs(database="postgresql")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "secret-key").write_text("first")
    set_env(data_dir=folder)
    monkeypatch.chdir(tmp_path)
    make_user("alice")
    for command in upkeep.dump_commands():
        subprocess.run(shlex.split(command), check=True)
    make_user("bob")
    (folder / "secret-key").write_text("second")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE newer (person integer REFERENCES auth_user (id))")
    connection.close()
    for command in upkeep.load_commands():
        subprocess.run(shlex.split(command), check=True)
    assert [user.username for user in User.objects.all()] == ["alice"]
    assert "newer" not in connection.introspection.table_names()
    assert (folder / "secret-key").read_text() == "first"


@pytest.mark.django_db
def test_the_size_of_the_database() -> None:
    size = upkeep.database_bytes()
    assert size
    assert size > 10_000


def test_a_database_that_is_away_has_no_size(runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runs()
    connect(monkeypatch, NAME="/nowhere/at/all")
    assert upkeep.database_bytes() is None
