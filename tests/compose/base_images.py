"""The images that our files build on, where no registry can be asked: made of Debian's packages.

Each is imported under the very name that the files ask for, with what they rely on of the original:
its entrypoint, folders and user. It is another base than users have, which the trial says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.compose.commands import CommandFailed
from tests.compose.debian_roots import PYTHON as PYTHON_ROOT
from tests.compose.debian_roots import SERVERS, make_roots
from tests.compose.engine import Engine, NoEngine

PYTHON: Final = "python:3.11-slim-bookworm"
POSTGRES: Final = "postgres:17-alpine"
VALKEY: Final = "valkey/valkey:8-alpine"
FIRST_PULL_S: Final = 90.0
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

START_POSTGRES: Final = r"""#!/bin/sh
# As the original starts: on the socket alone while the database is made, then for everyone.
set -eu
if [ "$1" != postgres ]; then exec "$@"; fi
if [ "$(id -u)" = 0 ]; then
  install -d -m 0700 -o postgres "$PGDATA"
  install -d -o postgres /run/postgresql
  exec gosu postgres "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  secret=$(mktemp)
  printf '%s\n' "${POSTGRES_PASSWORD:?a password is needed}" > "$secret"
  initdb -U "$POSTGRES_USER" --pwfile="$secret" --auth-host=scram-sha-256 --auth-local=trust \
    > /dev/null
  rm "$secret"
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl -w -o "-c listen_addresses=''" start > /dev/null
  createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl -w -m fast stop > /dev/null
fi
exec "$@" -c 'listen_addresses=*'
"""

START_VALKEY: Final = r"""#!/bin/sh
# As the original starts: as its own user, and open to its network.
set -eu
if [ "$1" = valkey-server ]; then
  if [ "$(id -u)" = 0 ]; then
    chown -R valkey /data
    exec gosu valkey "$0" "$@"
  fi
  set -- "$@" --protected-mode no
fi
exec "$@"
"""


def _pulled(engine: Engine, names: Sequence[str]) -> bool:
    """Whether the registry that the names mean hands out all of them; soon told where it cannot be
    reached."""
    try:
        engine.run("pull", names[0], limit_s=FIRST_PULL_S)
        for name in names[1:]:
            engine.run("pull", name)
    except CommandFailed:
        return False
    return True


def provide(engine: Engine, roots: Path) -> str:
    """Have all three images in the engine; where they came from, in words. Raises NoEngine."""
    missing = [name for name in (PYTHON, POSTGRES, VALKEY) if not engine.has_image(name)]
    if not missing:
        return "the images that were there"
    if _pulled(engine, missing):
        return "images of the registry"
    if not engine.own:
        raise NoEngine(f"no registry can be reached from here, and there is no {missing[0]}")
    make_roots(roots)
    if PYTHON in missing:
        _load(engine, roots / PYTHON_ROOT.name, PYTHON, ["CMD python3"])
    if POSTGRES in missing or VALKEY in missing:
        _load(engine, roots / SERVERS.name, "storykeep-trial-servers", [])
        _with_entrypoint(
            engine,
            POSTGRES,
            START_POSTGRES,
            'ENV PATH="/usr/lib/postgresql/17/bin:${PATH}" PGDATA=/var/lib/postgresql/data',
            "VOLUME /var/lib/postgresql/data",
            "STOPSIGNAL SIGINT",
            'CMD ["postgres"]',
        )
        _with_entrypoint(
            engine,
            VALKEY,
            START_VALKEY,
            "WORKDIR /data",
            "VOLUME /data",
            'CMD ["valkey-server"]',
        )
    return "images made of Debian's packages, for no registry can be reached"


def _load(engine: Engine, archive: Path, name: str, changes: Sequence[str]) -> None:
    options = [word for change in (f"ENV PATH={PATH}", *changes) for word in ("--change", change)]
    engine.run("import", *options, "-", name, stdin=archive)


def _with_entrypoint(engine: Engine, name: str, script: str, *lines: str) -> None:
    """An image of the servers that starts by this script. Raises CommandFailed."""
    folder = engine.work / "base" / name.partition(":")[0].replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "start").write_text(script)
    (folder / "start").chmod(0o755)
    dockerfile = ["FROM storykeep-trial-servers", "COPY start /usr/local/bin/start", *lines]
    (folder / "Dockerfile").write_text("\n".join([*dockerfile, 'ENTRYPOINT ["start"]']) + "\n")
    try:
        engine.run("build", "--quiet", "--tag", name, engine.seen(folder))
    except CommandFailed as error:
        raise NoEngine(f"no image can be built here: {error}") from error
