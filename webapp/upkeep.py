"""How this instance is kept alive: how it runs, and so how it is upgraded and backed up."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection

from webapp.env import PROJECT_DIR

_CONTAINER_MARKS: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))
_CHECKOUT: Final = PROJECT_DIR / "Makefile"
_HOUSEHOLD: Final = "docker-compose.household.yml"


def in_container() -> bool:
    """Whether this process runs from our image, in a container of Docker, Podman or the like.

    The image has no Makefile: with it, `make run` was typed, also where that is in somebody's
    container.
    """
    return not _CHECKOUT.exists() and any(mark.exists() for mark in _CONTAINER_MARKS)


def in_compose() -> bool:
    """Whether this instance is the one of docker-compose.yml: several containers, PostgreSQL."""
    return in_container() and connection.vendor == "postgresql"


def in_household_compose() -> bool:
    """Whether this instance is the one of docker-compose.household.yml: one container of Compose.

    The file says where its port is published; `docker run` says nothing of the kind by itself.
    """
    published = settings.STORYKEEP.published_port is not None
    return in_container() and published and settings.STORYKEEP.embedded_redis


def upgrade_commands() -> list[str]:
    """The commands that upgrade this instance, in the folder it was started from."""
    if in_compose():
        return ["git pull", "docker compose up -d --build"]
    if in_household_compose():
        return ["git pull", f"docker compose -f {_HOUSEHOLD} up -d --build"]
    if in_container():
        return [
            "git pull",
            "docker build -t storykeep .",
            "docker rm -f storykeep",
            "# then the same docker run as before",
        ]
    return ["git pull", "make run"]


_EMPTY: Final = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
"""What makes room for a backup: tables of a newer version would stand in its way."""

_DUMP: Final = (
    "pg_dump", "-Fc", "--exclude-table-data=*session", "--exclude-table-data=*link",
)  # fmt: skip
"""Without sessions and links, which sign in whoever finds them (webapp/backups/sqlite.py)."""

_KEEP: Final = "umask 077; cat > /data/secret-key"


def _server() -> list[str]:
    """The options that name a PostgreSQL database; never its password."""
    facts = settings.DATABASES["default"]
    options: list[tuple[str, Any]] = [
        ("-h", facts.get("HOST")),
        ("-p", facts.get("PORT")),
        ("-U", facts.get("USER")),
        ("-d", facts.get("NAME")),
    ]
    return [word for option, value in options if value for word in (option, str(value))]


def _key_path() -> str:
    return str(settings.STORYKEEP.data_dir / "secret-key")


def restore_commands() -> list[str]:
    """The commands that put a kept backup in the place of what is there."""
    file = str(settings.STORYKEEP.backups / "FILE")
    if in_container():
        return [
            "docker stop storykeep",
            "docker run --rm -it --volumes-from storykeep storykeep restore --replace "
            + shlex.quote(file),
            "docker start storykeep",
        ]
    return [shlex.join([".venv/bin/python", "manage.py", "restore", "--replace", file])]


def dump_commands() -> list[str]:
    """The commands that dump a PostgreSQL database whose tools are not here, and copy the key; no
    password is in them."""
    if in_compose():
        dump = f"{shlex.join(_DUMP)} -U storykeep storykeep > storykeep.dump"
        return [
            f"docker compose exec -T database {dump}",
            "docker compose cp web:/data/secret-key .",
        ]
    return [
        shlex.join([*_DUMP, *_server(), "-f", "storykeep.dump"]),
        shlex.join(["cp", _key_path(), "."]),
    ]


def load_commands() -> list[str]:
    """The commands that bring back what `dump_commands` saved, while Storykeep is stopped.

    The key is written by the container's own user, who could not read what root copies there.
    """
    if in_compose():
        return [
            "docker compose stop web worker",
            "docker compose up -d --wait database",
            f"docker compose exec -T database psql -U storykeep -c '{_EMPTY}'",
            "docker compose exec -T database pg_restore -U storykeep -d storykeep < storykeep.dump",
            f"docker compose run --rm -T --no-deps --entrypoint sh web -c '{_KEEP}' < secret-key",
            "docker compose up -d",
        ]
    return [
        shlex.join(["psql", *_server(), "-c", _EMPTY]),
        shlex.join(["pg_restore", *_server(), "storykeep.dump"]),
        shlex.join(["cp", "secret-key", _key_path()]),
    ]


def database_bytes() -> int | None:
    """Bytes of the database, with what was written lately; None when that cannot be told."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
    path = str(settings.DATABASES["default"]["NAME"])
    sizes = []
    for suffix in ("", "-wal"):
        try:
            sizes.append(Path(path + suffix).stat().st_size)
        except OSError:
            continue
    return sum(sizes) if sizes else None
